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
    """Run the courier: import it, then wait for its settings.

    Both come over standard input, as one line of JSON each: first where to import from, later the
    settings, with the file descriptor of the run's lock.
    """
    folder = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = merged_path([], sys.path, folder)
    # Imported only now, because the script's folder was in the way.
    import gc
    import json
    import socket
    import types
    from importlib.machinery import SourceFileLoader

    # A garbage collection finds nothing in imported code, and costs a short run 5 ms.
    gc.disable()
    # "ansible-galaxy collection verify" takes a __pycache__ for a change to the collection.
    sys.dont_write_bytecode = True
    received = b""
    descriptors: list[int] = []

    def next_line() -> str:
        """Return what comes next, an empty text at the end."""
        nonlocal received
        while b"\n" not in received:
            # A descriptor is lost if the data that it comes with is read in another way.
            data, new, _flags, _address = socket.recv_fds(connection, 65_536, 1)
            if not data:
                return ""
            received += data
            descriptors.extend(new)
        line, _separator, received = received.partition(b"\n")
        return line.decode("ascii")

    with socket.socket(fileno=os.dup(0)) as connection:
        start = json.loads(next_line())
        sys.path[:] = merged_path(start["import_path"], sys.path, folder)
        code_cache = types.ModuleType("code_cache")
        code_cache.__file__ = os.path.join(folder, "code_cache.py")
        loader = SourceFileLoader("code_cache", code_cache.__file__)
        loader.exec_module(code_cache)
        courier = code_cache.import_file("plugin_utils._outbox.courier", start["outbox"])
        gc.enable()
        settings = next_line()
    if settings:  # otherwise the run is not reported, or Ansible has ended
        courier.main(settings, *descriptors)


if __name__ == "__main__":
    main()
    # Everything is written. To take the modules down takes longer than to deliver a finish.
    os._exit(0)
