# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX runs is reported, by ansible-runner run and over transmit, worker and process."""

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    fail,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import SECRET
from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import (
    HOST,
    JOB,
    Job,
)

CI = {"system": "awx", "url": f"{HOST}/#/jobs/playbook/{JOB}", "job": JOB}


@pytest.mark.every_core
def test_a_job_is_reported_with_its_number_and_page(job: Job) -> None:
    job.play([play(say())])

    ended = job.run().ended()

    assert ended.rc == 0, ended.output
    job.project.settled()
    events = job.project.events()
    assert [event["event"] for event in events] == [START, FINISH]
    assert [event["ci"] for event in events] == [CI, CI]
    assert events[1]["status"] == "succeeded"
    assert events[1]["hosts"]["changed"] == 2
    assert job.project.waiting() == job.project.dead() == []
    assert SECRET not in ended.output
    assert SECRET not in str(job.project.receiver.requests)


def test_a_job_that_fails_keeps_its_return_code_and_holds_up_no_node(job: Job) -> None:
    job.play([play(fail(), hosts="h1")])
    job.project.receiver.set_faults(["hang*inf"])

    ended = job.stream(CLOUDMONITOR_FLUSH_TIMEOUT="0.5", CLOUDMONITOR_LINGER="60").ended()

    assert job.artifact("rc", "processed") == "2", ended.output
    assert all("Events wait in" in text for text in ended.warnings)
    # Everything of the job is gone, and only the courier is still at work: its endpoint hangs.
    left = job.project.processes()
    assert sorted(left) == job.project.couriers(), left
    assert len(left) == 1
    assert job.project.events() == []
    job.project.receiver.set_faults([])
    job.project.settled()
    events = job.project.events()
    assert [event["event"] for event in events] == [START, FINISH, FAILURE]
    assert {event["status"] for event in events[1:]} == {"failed"}
    assert [event["ci"] for event in events] == [CI] * 3


def test_a_job_that_is_cancelled_is_reported_as_killed(job: Job) -> None:
    # Runner takes SIGTERM for "cancel", and ends the playbook with SIGKILL.
    job.play([play(job.project.wait_task(), hosts="h1")])
    running = job.run()
    job.project.under_way()

    for pid in job.processes("ansible-runner run"):
        os.kill(pid, signal.SIGTERM)

    running.ended()
    assert job.artifact("status") == "canceled"
    check_aborted(job, "killed")


def check_aborted(job: Job, reason: str) -> None:
    """See that the run was reported as aborted for this reason, once, with its job."""
    job.project.receiver.wait_for(3, deadline=60)
    job.project.settled()
    events = job.project.events()
    assert [event["event"] for event in events] == [START, FINISH, FAILURE]
    assert {event["status"] for event in events[1:]} == {"aborted"}
    assert {event["reason"] for event in events[1:]} == {reason}
    assert [event["ci"] for event in events] == [CI] * 3
    assert job.project.waiting() == job.project.dead() == []


def test_a_playbook_that_outlives_its_worker_ends_and_is_reported(job: Job) -> None:
    job.play([play(job.project.wait_task(), say(), hosts="h1")])
    running = job.stream()
    job.project.under_way()

    for pid in job.processes("ansible-runner worker"):
        os.kill(pid, signal.SIGKILL)
    running.ended()
    job.project.release()

    # Whether Ansible stumbles over the terminal that is gone, or is killed with it, is up to it.
    job.project.receiver.wait_for(3, deadline=60)
    assert job.project.events()[1].get("reason") in ("stopped", "killed")
    check_aborted(job, str(job.project.events()[1]["reason"]))
