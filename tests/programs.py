# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs programs for tests, in an environment that has nothing of the tester's but the PATH."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def output_of(folder: Path, *command: str | Path, **variables: str) -> str:
    """Run a command in a folder, which is its HOME, and return what it says. It must succeed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def output_of_ansible(folder: Path, program: str, *arguments: str, **variables: str) -> str:
    """Run a program of Ansible's in a project that has the collection, and return what it says.

    The project's ``ansible.cfg`` counts, if there is one.
    """
    installed = folder / "ansible_collections" / "aliops" / "cloudmonitor"
    if not installed.exists():
        installed.parent.mkdir(parents=True)
        installed.symlink_to(ROOT)
    return output_of(
        folder,
        Path(sys.executable).with_name(program),
        *arguments,
        ANSIBLE_CONFIG=str(folder / "ansible.cfg"),
        ANSIBLE_COLLECTIONS_PATH=str(folder),
        **variables,
    )
