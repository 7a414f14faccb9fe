# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that a courier process runs. It finds its own package from its own path.

The courier imports nothing from Ansible, so the collection's folder is made a package here
without Ansible's import machinery, wherever it is installed.
"""

from __future__ import annotations

import os
import sys


def merged_path(given: list[str], own: list[str], script_folder: str) -> list[str]:
    """Return the ``sys.path`` of the courier: the controller's, then what only this one has.

    Python puts the script's folder first. Its files are modules of the package only, and must not
    replace a module of the standard library.
    """
    others = (entry for entry in own if entry and os.path.realpath(entry) != script_folder)
    return list(dict.fromkeys([*given, *others]))


def main() -> None:
    """Run the courier with the settings that come over standard input, as one line of JSON."""
    here = os.path.realpath(__file__)
    sys.path[:] = merged_path([], sys.path, os.path.dirname(here))
    # Imported only now, because the script's folder was in the way.
    import json
    import types
    from importlib.machinery import SourceFileLoader

    # "ansible-galaxy collection verify" takes a __pycache__ for a change to the collection.
    sys.dont_write_bytecode = True
    text = sys.stdin.read()
    settings = json.loads(text)
    sys.path[:] = merged_path(settings["import_path"], sys.path, os.path.dirname(here))
    code_cache = types.ModuleType("code_cache")
    code_cache.__file__ = os.path.join(os.path.dirname(here), "code_cache.py")
    loader = SourceFileLoader("code_cache", code_cache.__file__)
    loader.exec_module(code_cache)
    # The self-test of the check writes nothing.
    outbox = None if settings.get("self_test") else settings.get("outbox")
    code_cache.import_file("plugin_utils._outbox.courier", outbox).main(text)


if __name__ == "__main__":
    main()
    # Everything is written. To take the modules down takes longer than to deliver a finish.
    os._exit(0)
