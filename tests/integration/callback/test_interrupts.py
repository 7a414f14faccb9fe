# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals while the end of a run waits for the delivery of its finish."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    play,
    say,
    until,
)

# Far longer than the test waits: only a signal ends the wait.
PATIENT = {
    "CLOUDMONITOR_FLUSH_TIMEOUT": "60",
    "CLOUDMONITOR_LINGER": "1",
    "CLOUDMONITOR_TIMEOUT": "70",
    "CLOUDMONITOR_DEPLOYMENT_ID": "A",
}

FINAL = '"final":true'


def _finish_is_written(project: Project, name: str = "A") -> bool:
    journal = project.outbox / "runs" / name / "journal"
    return journal.exists() and FINAL in journal.read_text(encoding="utf-8")


def _kill_couriers(project: Project) -> None:
    for courier in project.couriers():
        os.kill(courier, signal.SIGKILL)
    project.settled()


def test_a_second_signal_ends_the_wait_and_not_the_exit_status(
    project: Project,
) -> None:
    project.receiver.set_faults(["hang*inf"])
    # One worker: while Ansible forks another one, Ctrl-C may end it with another exit status.
    run = project.start([play(project.wait_task(), hosts="h1")], **PATIENT)
    project.under_way()
    run.press_ctrl_c()
    until(lambda: _finish_is_written(project), "a finish written")
    since = time.monotonic()

    run.press_ctrl_c()

    ended = run.ended(30).may_warn()
    assert ended.rc == 99, ended.output
    assert time.monotonic() - since < 20
    _kill_couriers(project)
    journal = (project.outbox / "runs" / "A" / "journal").read_text(encoding="utf-8")
    assert journal.count(FINAL) == 1
    assert "stopped" in journal


@pytest.mark.every_core
def test_ctrl_c_after_the_first_of_two_playbooks_stops_the_second(project: Project) -> None:
    project.receiver.set_faults(["hang*inf"])
    project.write("one.yml", [play(say(), hosts="h1")])
    project.write("two.yml", [play(say("the second playbook"), hosts="h1")])
    run = project.start("one.yml", "two.yml", **PATIENT)
    until(lambda: _finish_is_written(project), "a finish written")

    run.press_ctrl_c()

    ended = run.ended(30).may_warn()
    assert ended.rc == 99, ended.output
    assert "the second playbook" not in ended.output
    _kill_couriers(project)
    assert project.waiting() == ["A"]


@pytest.mark.every_core
def test_an_id_that_cannot_be_used_leaves_no_start_behind(project: Project) -> None:
    # Extra variables count as options from ansible-core 2.21 on.
    ended = project.run(
        [play(say(), hosts="h1")], "-e", '{"cloudmonitor_deployment_id": "a\\u0000b"}'
    )

    assert ended.rc == 0, ended.output
    project.settled()
    assert project.waiting() == []
    if ended.warnings:
        assert "deployment_id: contains a control character (U+0000)" in ended.warnings[0]
        assert project.events() == []
    else:
        assert len(project.events()) == 2
