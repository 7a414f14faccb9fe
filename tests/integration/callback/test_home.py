# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user without a home: HOME is unset and the user id has no entry in the passwd database."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import ansible_playbook

UID = 54_321
# The tests' own Python may be readable by root only.
_AS_ANOTHER_USER = (
    "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
    "--inh-caps=+dac_override,+dac_read_search", "--ambient-caps=+dac_override,+dac_read_search",
)  # fmt: skip
OURS = "aliops.cloudmonitor"
FLUSH: dict[str, object] = {"name": "F", "aliops.cloudmonitor.flush_outbox": {"outbox": "~/box"}}


@functools.cache
def other_user_works() -> bool:
    command = [*_AS_ANOTHER_USER, sys.executable, "-c", "import os; print(os.getuid())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return done.stdout.strip() == str(UID)


@pytest.fixture
def homeless(project: Project) -> Project:
    if not other_user_works():
        pytest.skip("needs root and setpriv")
    os.chown(project.folder, UID, UID)
    # Some checks of Ansible look at the permissions of the real user.
    for folder in project.folder.parents[:4]:
        if folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    return project


def run(project: Project, *tasks: dict[str, object], **variables: str | None) -> Ended:
    project.write("site.yml", [play(*tasks, hosts="h1")])
    variables = {"HOME": None, **variables}
    return project.command(
        *_AS_ANOTHER_USER, ansible_playbook(), "site.yml", "-e", "a=b", **variables
    ).ended()


def made_by_us(project: Project) -> list[Path]:
    return [path for path in project.folder.rglob("*") if path.name in (OURS, "box", "runs")]


def test_a_run_is_not_reported_a_flush_fails_and_no_folder_is_made(homeless: Project) -> None:
    ended = run(homeless, FLUSH, CLOUDMONITOR_OUTBOX=None)

    assert ended.rc == 2, ended.output
    (warning,) = [one for one in ended.warnings if OURS in one]
    assert "outbox: begins with ~" in warning
    assert "Set HOME" in warning
    assert ended.output.count("outbox: begins with ~") >= 2  # the task fails with the same words
    assert made_by_us(homeless) == []


def test_an_absolute_outbox_needs_no_home(homeless: Project) -> None:
    ended = run(homeless, say())

    assert ended.rc == 0, ended.output
    assert [one for one in ended.warnings if OURS in one] == []
    assert len(homeless.events()) == 2
