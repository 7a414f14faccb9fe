# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Ansible ends a deployment before the role's last task, and what happens then.

The role's documentation lists these cases. What counts is that none of them is called a success.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.release import __version__ as core_version

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import (
    DEADLINE,
    Outcome,
    Play,
    Running,
)

CORE = tuple(int(part) for part in core_version.split(".")[:2])
Deploy = Callable[[Play], tuple[Outcome, Outcome]]
SIX = ("h1", "h2", "h3", "h4", "h5", "h6")


def _ending(meta: str) -> str:
    return f"""
- name: Before
  ansible.builtin.debug:
- name: End
  ansible.builtin.meta: {meta}
- name: Last
  ansible.builtin.debug:
"""


@pytest.mark.parametrize(
    "play",
    [
        Play(gone=("h1", "h2", "h3")),
        Play(deploy=_ending("end_play")),
        Play(deploy=_ending("end_batch")),
        Play(deploy=_ending("end_host")),
        Play(keywords="serial: 2", hosts=SIX, gone=("h3", "h4")),
    ],
    ids=["all_unreachable", "end_play", "end_batch", "end_host_on_all", "batch_unreachable"],
)
def test_the_start_stays_without_a_finish(play: Play, deploy: Deploy) -> None:
    ours, theirs = deploy(play)

    assert ours.phases == ["running"]
    assert ours.facts == theirs.facts, ours.output + theirs.output


@pytest.mark.every_core
@pytest.mark.skipif(CORE >= (2, 17), reason="from 2.17 on the role can report this")
def test_any_errors_fatal_with_an_unreachable_host_on_2_16(deploy: Deploy) -> None:
    ours, theirs = deploy(Play(keywords="any_errors_fatal: true", gone=("h2",)))

    assert "succeeded" not in ours.phases
    assert ours.returncode == theirs.returncode != 0


@pytest.mark.every_core
def test_end_host_on_one_host_counts_as_failed(deploy: Deploy) -> None:
    tasks = _ending("end_host") + '  when: inventory_hostname != "h2"\n'
    tasks = tasks.replace("end_host\n", 'end_host\n  when: inventory_hostname == "h2"\n')

    ours, theirs = deploy(Play(deploy=tasks))

    assert ours.phases == ["running", "failed"]
    assert ours.facts == theirs.facts, ours.output + theirs.output


# A deployment that goes on until the test says stop, so that nothing of it stays behind.
WAIT = """
- name: Wait
  ansible.builtin.raw: "until [ -e {{ playbook_dir | quote }}/stop ]; do sleep 0.05; done"
"""


@pytest.fixture
def heeded_interrupts() -> Iterator[None]:
    """Let children heed SIGINT, also where a shell started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_ended_reports_no_success(
    number: signal.Signals, endpoint: Any, reporting: dict[str, str], tmp_path: Path
) -> None:
    known = len(endpoint.events)
    running = Running(Play(deploy=WAIT), Play.role, tmp_path / "with", reporting)
    try:
        endpoint.wait_for(known + 1, DEADLINE)
    finally:
        running.process.send_signal(number)
        (tmp_path / "with" / "stop").touch()
        outcome = running.outcome()

    phases = [json.loads(event["content"])["status"] for event in endpoint.events[known:]]
    assert phases[0] == "running", outcome.output
    assert "succeeded" not in phases
    assert outcome.returncode != 0
