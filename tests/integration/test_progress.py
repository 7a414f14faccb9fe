# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that takes long shows how far it is, while it works and on standard error."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    ansible_playbook,
    credentials_in_environment,
    environment,
)

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - aliops.cloudmonitor.custom_event:
        events: "{{ dict(range(250) | product(['e'])) | dict2items('content', 'name') }}"
"""


def test_the_line_is_on_standard_error_before_the_task_ends(
    tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "ansible.cfg").touch()
    (tmp_path / "site.yml").write_text(PLAY)
    receiver.set_faults(["ok", "retry-after=7"])
    with subprocess.Popen(
        [ansible_playbook(), "-i", "localhost,", str(tmp_path / "site.yml")],
        env=environment(tmp_path, **credentials_in_environment(receiver)),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        first = run.stderr.readline()
        accepted_by_then = len(receiver.events)
        stdout, stderr = run.communicate(timeout=120)

    assert first == "aliops.cloudmonitor: 100 of 250 events delivered\n"
    assert accepted_by_then == 100, "the task was still at work"
    assert run.returncode == 0, stdout + stderr
    assert "events delivered" not in stdout
    assert len(receiver.events) == 250
