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

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import (
    DEADLINE,
    Outcome,
    Play,
    Running,
)

Outcomes = tuple[Outcome, Outcome]


def _ending(meta: str, condition: str = "true") -> str:
    return f"""
- name: End
  ansible.builtin.meta: {meta}
  when: {condition}
- name: Last
  ansible.builtin.debug:
"""


UNFINISHED = ("running",)
# The reports of each play. Ansible ends the run in the last one.
CASES = {
    Play("end_play", deploy=_ending("end_play"), hosts=1): UNFINISHED,
    Play("end_batch", deploy=_ending("end_batch"), hosts=1): UNFINISHED,
    Play("end_host_on_all", deploy=_ending("end_host")): UNFINISHED,
    Play("end_host_on_one", deploy=_ending("end_host", "place == 2")): ("running", "failed"),
    Play("batch_unreachable", keywords="serial: 1", hosts=3, gone=(2,)): UNFINISHED,
}


@pytest.fixture(scope="module")
def outcomes(deploy: Callable[..., Outcomes]) -> Outcomes:
    """The plays with the role and without it."""
    return deploy(list(CASES))


@pytest.mark.every_core
@pytest.mark.parametrize("play", CASES, ids=lambda play: play.title)
def test_a_deployment_that_ansible_ends_is_no_success(play: Play, outcomes: Outcomes) -> None:
    ours, theirs = (outcome.part(play.title) for outcome in outcomes)

    assert ours.phases == CASES[play], ours.output
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
    running = Running([Play("ended", deploy=WAIT, hosts=1)], tmp_path / "with", reporting)
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
