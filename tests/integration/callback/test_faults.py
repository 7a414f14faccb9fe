# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the endpoint does, the run ends soon and as it would; later everything arrives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    WAITING,
    Project,
    fail,
    play,
    say,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    ansible_playbook,
)

# Ansible itself, on a machine that has other things to do.
ANSIBLE_SECONDS = 20.0
# A run that waited for the end of this would be noticed.
LONG = "120"

# The endpoint does not answer: the end of the run waits for flush_timeout and no longer.
SLOW = ["hang*inf", "slow=30*inf", "drip=0.5*inf", "drip-head=0.5*inf", "syn-dropped"]
# It answers, but not well: there is nothing to wait for.
TRANSIENT = [
    "refused", "status=500*inf", "429*inf", "retry-after=60*inf", "throttle*inf", "reset*inf",
    "html*inf", "garbage*inf", "redirect*inf",
]  # fmt: skip
PERMANENT = ["permission*inf", "signature*inf", "bad-request*inf"]


@contextmanager
def endpoint(fault: str) -> Iterator[str]:
    """Give the URL of an endpoint with a fault."""
    with ExitStack() as stack:
        if fault in ("refused", "syn-dropped"):
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            if fault == "syn-dropped":
                listener.listen(0)
                for _number in range(4):  # these fill the queue; nobody accepts
                    waiting = stack.enter_context(socket.socket())
                    waiting.setblocking(False)
                    waiting.connect_ex(listener.getsockname())
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        else:
            keys = [Credential(KEY_ID, SECRET)]
            yield stack.enter_context(Receiver(keys, faults=[fault])).url


def test_a_filled_queue_of_connections_drops_syn() -> None:
    with endpoint("syn-dropped") as url, socket.socket() as client:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", int(url.rpartition(":")[2])))


@pytest.mark.parametrize("faults", [SLOW, TRANSIENT], ids=["slow", "transient"])
def test_a_run_ends_as_it_would_and_the_next_healthy_one_delivers_everything(
    project: Project, faults: list[str]
) -> None:
    project.write("fails.yml", [play(say(), fail())])
    with ExitStack() as stack:
        urls = {fault: stack.enter_context(endpoint(fault)) for fault in faults}
        for few in (faults[:3], faults[3:6], faults[6:]):
            runs = {
                fault: project.start(
                    "fails.yml",
                    CLOUDMONITOR_ENDPOINT=urls[fault],
                    CLOUDMONITOR_DEPLOYMENT_ID=fault,
                    CLOUDMONITOR_FLUSH_TIMEOUT="1" if faults is SLOW else LONG,
                    CLOUDMONITOR_LINGER="1",
                    CLOUDMONITOR_TIMEOUT="1",
                )
                for fault in few
            }
            for fault, run in runs.items():
                ended = run.ended()
                assert ended.rc == 2, (fault, ended.output)
                assert ended.seconds < ANSIBLE_SECONDS, fault
                assert len(ended.warnings) <= 1, (fault, ended.output)
                assert "they wait in the outbox" in ended.warnings[0], fault
        project.settled()
    assert project.events() == []
    assert len(project.waiting()) == len(faults)

    ended = project.run([play(say())])

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    for fault in faults:
        names = [event["event"] for event in project.events(id=fault)]
        assert names == [START, FINISH, FAILURE], fault
    assert project.waiting() == project.dead() == []


def test_what_is_refused_is_kept_with_its_reason_and_can_be_sent_again(project: Project) -> None:
    project.write("fails.yml", [play(say(), fail())])
    with ExitStack() as stack:
        runs = [
            project.start(
                "fails.yml",
                CLOUDMONITOR_ENDPOINT=stack.enter_context(endpoint(fault)),
                CLOUDMONITOR_DEPLOYMENT_ID=fault,
                CLOUDMONITOR_FLUSH_TIMEOUT=LONG,
            )
            for fault in PERMANENT
        ]
        for run in runs:
            ended = run.ended()
            assert ended.rc == 2, ended.output
            assert ended.seconds < ANSIBLE_SECONDS
            assert len(ended.warnings) == 1, ended.output
            assert "dead letters" in ended.warnings[0]
            assert "What to do" in ended.warnings[0]
        project.settled()
    assert (project.waiting(), len(project.dead())) == ([], len(PERMANENT))

    assert project.run([play(say())], CLOUDMONITOR_DEPLOYMENT_ID="healthy").warnings == []

    assert len(project.dead()) == len(PERMANENT)  # nobody sends them again unasked
    flush = {"aliops.cloudmonitor.flush_outbox": {"dead": "retry"}, "run_once": True}
    assert project.run([play(flush)], CLOUDMONITOR_EXCLUDE_PLAYBOOKS="*").rc == 0
    for fault in PERMANENT:
        names = [event["event"] for event in project.events(id=fault)]
        assert names == [START, FINISH, FAILURE], fault
    assert project.dead() == []


def test_an_outage_in_the_middle_of_a_run_loses_and_repeats_nothing(project: Project) -> None:
    project.receiver.set_faults(["status=500", "reset", "429"])
    run = project.start([play(project.wait_task(), fail())])
    project.receiver.wait_for(1, deadline=60)

    project.release()

    ended = run.ended()
    assert (ended.rc, ended.warnings) == (2, []), ended.output
    assert [event["event"] for event in project.events()] == [START, FINISH, FAILURE]


def test_the_courier_goes_on_after_the_run_for_as_long_as_linger_says(project: Project) -> None:
    project.receiver.set_faults(["status=500*inf"])
    ended = project.run([play(say())], CLOUDMONITOR_LINGER="60")
    assert len(ended.warnings) == 1, ended.output
    assert len(project.couriers()) == 1

    project.receiver.set_faults([])

    project.settled()
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == []


def test_a_courier_that_is_told_to_leave_tries_once_more_and_leaves(project: Project) -> None:
    project.receiver.set_faults(["hang*inf"])
    ended = project.run(
        [play(say())],
        CLOUDMONITOR_LINGER="120",
        CLOUDMONITOR_TIMEOUT="60",
        CLOUDMONITOR_FLUSH_TIMEOUT="0",
    )
    assert len(ended.warnings) == 1, ended.output
    until(lambda: project.receiver.requests, "a request under way")
    (courier,) = project.couriers()
    project.receiver.set_faults([])

    os.kill(courier, signal.SIGTERM)

    project.settled(10)
    assert len(project.receiver.requests) == 2
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == []


def test_a_courier_that_is_told_to_leave_while_it_starts_tries_once_all_the_same(
    project: Project,
) -> None:
    run = project.start([play(project.wait_task())])
    until(project.couriers, "a courier")

    os.kill(project.couriers()[0], signal.SIGTERM)

    until(lambda: project.events(event=START), "the start event")
    project.release()
    assert run.ended().rc == 0


def test_who_reads_the_output_to_its_end_does_not_wait_for_the_courier(project: Project) -> None:
    project.receiver.set_faults(["hang*inf"])
    project.write("site.yml", [play(say())])
    with subprocess.Popen(
        [ansible_playbook(), "site.yml"],
        cwd=project.folder,
        env=project.environment(
            CLOUDMONITOR_LINGER=LONG, CLOUDMONITOR_TIMEOUT=LONG, CLOUDMONITOR_FLUSH_TIMEOUT="0"
        ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        output, errors = run.communicate(timeout=60)

    (courier,) = project.couriers()  # it is still there, and nobody waited for it
    (warning,) = quiet.judge(quiet.hear(output + errors))
    assert (run.returncode, WAITING in warning) == (0, True), output + errors
    until(lambda: project.receiver.requests, "a request under way")
    os.kill(courier, signal.SIGTERM)
    project.settled(10)
    assert len(project.waiting()) == 1
