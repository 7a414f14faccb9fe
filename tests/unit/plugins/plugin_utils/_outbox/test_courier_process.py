# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier as a script: it needs nothing but its own files and requests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import courier_process

SCRIPT = Path(courier_process.__file__)
# Enough to import the courier, and no more.
NO_SETTINGS = '{"import_path": [], "outbox": null}\n{}\n'


def _python(*command: str, settings: str = "") -> subprocess.CompletedProcess[str]:
    ours, theirs = socket.socketpair()
    with theirs, ours:
        ours.sendall(settings.encode())
        ours.shutdown(socket.SHUT_WR)
        return subprocess.run(
            [sys.executable, *command],
            stdin=theirs.fileno(),
            text=True,
            capture_output=True,
            timeout=60,
            check=False,
        )


@pytest.mark.parametrize("settings", ["", "{}", "{}\n"])
def test_unusable_settings_end_it_at_once(settings: str) -> None:
    done = _python(str(SCRIPT), settings=settings)

    assert done.returncode != 0
    assert done.stdout == ""


def test_it_finds_its_package_wherever_the_collection_is_installed(tmp_path: Path) -> None:
    for folder in ("plugin_utils", "module_utils"):
        shutil.copytree(
            SCRIPT.parents[2] / folder,
            tmp_path / "über all" / folder,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    script = tmp_path / "über all" / "plugin_utils" / "_outbox" / SCRIPT.name
    done = _python("-c", _LOAD % str(script), settings=NO_SETTINGS)

    assert "KeyError: 'credentials'" in done.stderr, done.stderr
    assert not list(tmp_path.rglob("__pycache__")), "it writes nothing into the collection"


def test_python_imports_nothing_from_the_folder_of_the_script() -> None:
    done = _python("-c", _LOAD % str(SCRIPT) + "\nimport records", settings=NO_SETTINGS)
    later = _python(
        "-c",
        "import sys; sys.path.insert(0, %r)\n"
        "import courier_process\n"
        "try: courier_process.main()\n"
        "except KeyError: pass\n"
        "print([entry for entry in sys.path if entry == %r])" % ((str(SCRIPT.parent),) * 2),
        settings=NO_SETTINGS,
    )

    assert done.returncode != 0
    assert later.stdout.strip() == "[]", later.stderr


_LOAD = "import runpy; runpy.run_path(%r, run_name='__main__')"
