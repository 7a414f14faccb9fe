# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the courier: run as a script, it finds its own package from its own path.

The courier imports nothing of Ansible, so the collection's folder is made a package here
without Ansible's import machinery, and wherever it is installed.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

PACKAGE = "aliops_cloudmonitor_plugins"


def main() -> None:
    """Run the courier with the settings that come over standard input."""
    here = Path(__file__).resolve()
    # Python put the script's folder first; its files are modules of the package only.
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != here.parent]
    # "ansible-galaxy collection verify" takes a __pycache__ for a change to the collection.
    sys.dont_write_bytecode = True
    package = types.ModuleType(PACKAGE)
    package.__path__ = [str(here.parents[2])]
    sys.modules[PACKAGE] = package
    importlib.import_module(PACKAGE + ".plugin_utils._outbox.courier").main()


if __name__ == "__main__":
    main()
