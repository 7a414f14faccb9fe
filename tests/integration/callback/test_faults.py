# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the endpoint does, a run ends soon with its own status; later all events arrive."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
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

# The courier is killed when Ansible, the first process of the namespace, ends: a container.
IN_A_PID_NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")
CONTAINED = (
    shutil.which("unshare") is not None
    and subprocess.run([*IN_A_PID_NAMESPACE, "true"], capture_output=True, check=False).returncode
    == 0
)

# Ansible itself, on a machine that has other things to do.
ANSIBLE_SECONDS = 20.0
# A run that waited for the end of this would be noticed.
LONG = "120"

# The endpoint does not answer: the end of the run waits for flush_timeout and no longer.
SLOW = ["hang*inf", "drip=0.5*inf", "syn-dropped"]
# The account is over its limit: that is waited for just as long.
THROTTLED = ["retry-after=60*inf", "throttle-200*inf"]
# It fails at once, each time: a known outage, which the end of the run does not wait for.
OUTAGES = ["refused", "status=500*inf", "reset*inf", "html*inf"]
PERMANENT = ["permission*inf", "signature*inf"]


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


@pytest.mark.parametrize("faults", [SLOW, THROTTLED, OUTAGES], ids=["slow", "throttled", "outages"])
def test_a_run_keeps_its_status_and_the_next_healthy_run_delivers_everything(
    project: Project, faults: list[str]
) -> None:
    project.write("fails.yml", [play(say(), fail())])
    with ExitStack() as stack:
        urls = {fault: stack.enter_context(endpoint(fault)) for fault in faults}
        for few in (faults[:2], faults[2:]):
            runs = {
                fault: project.start(
                    "fails.yml",
                    CLOUDMONITOR_ENDPOINT=urls[fault],
                    CLOUDMONITOR_DEPLOYMENT_ID=fault,
                    CLOUDMONITOR_FLUSH_TIMEOUT=LONG if faults is OUTAGES else "1",
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
                assert WAITING in ended.warnings[0], fault
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


def test_refused_events_are_kept_with_their_reason_and_can_be_sent_again(project: Project) -> None:
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
            assert "dead: retry" in ended.warnings[0]
            # The advice comes last.
            assert any(verb in ended.warnings[0] for verb in (". Attach ", ". Check "))
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


# What the requests of a run meet, and the events that have arrived when Ansible has ended.
WAITED_FOR = {
    "throttle after an accepted start": (["ok", "throttle"], [START, FINISH]),
    "with Retry-After": (["ok", "retry-after=2"], [START, FINISH]),
    "no answer": (["ok", "hang"], [START, FINISH]),
    "an outage that ends during the run": (["status=500*2"], [START, FINISH]),
    "a refused start": (["permission", "throttle"], [FINISH]),
}


@pytest.mark.skipif(not CONTAINED, reason="unshare --pid is not permitted here")
@pytest.mark.parametrize("name", WAITED_FOR)
def test_the_finish_is_delivered_although_the_courier_ends_with_the_run(
    project: Project, name: str
) -> None:
    faults, expected = WAITED_FOR[name]
    project.receiver.set_faults(faults)
    project.write("site.yml", [play(project.wait_task(), hosts="h1")])
    run = project.command(
        *IN_A_PID_NAMESPACE, ansible_playbook(), "site.yml", CLOUDMONITOR_FLUSH_TIMEOUT="30"
    )
    project.under_way()
    first = 2 if name == "an outage that ends during the run" else 1
    until(lambda: len(project.receiver.requests) >= first, "the first requests")

    project.release()

    ended = run.ended().may_warn("dead: retry")
    assert (ended.rc, len(ended.warnings)) == (0, START not in expected), ended.output
    assert [event["event"] for event in project.events()] == expected


@pytest.mark.skipif(not CONTAINED, reason="unshare --pid is not permitted here")
def test_each_playbook_of_a_command_line_is_waited_for(project: Project) -> None:
    project.receiver.set_faults(["ok", "throttle*2", "ok*2", "status=500"])
    project.write("one.yml", [play(say(), hosts="h1")])

    ended = project.command(
        *IN_A_PID_NAMESPACE, ansible_playbook(), "one.yml", "one.yml",
        CLOUDMONITOR_FLUSH_TIMEOUT="30",
    ).ended()  # fmt: skip

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert [event["event"] for event in project.events()] == [START, FINISH] * 2


def test_throttling_is_waited_for_until_flush_timeout_and_no_longer(project: Project) -> None:
    project.receiver.set_faults(["ok", "throttle*inf"])
    run = project.start([play(project.wait_task(), hosts="h1")], CLOUDMONITOR_FLUSH_TIMEOUT="3")
    until(lambda: project.receiver.requests, "a first request")

    project.release()
    begin = time.monotonic()
    ended = run.ended()

    assert len(ended.warnings) == 1, ended.output
    assert WAITING in ended.warnings[0]
    assert 3.0 < time.monotonic() - begin < 3.0 + ANSIBLE_SECONDS / 4


def test_a_refusal_that_can_pass_keeps_the_events_for_the_next_run(project: Project) -> None:
    with Receiver([Credential(KEY_ID, SECRET)], clock_offset=1200) as ahead:
        ended = project.run(
            [play(say())],
            CLOUDMONITOR_ENDPOINT=ahead.url,
            CLOUDMONITOR_DEPLOYMENT_ID="A",
            CLOUDMONITOR_FLUSH_TIMEOUT=LONG,
            CLOUDMONITOR_LINGER="10",
        )
        assert (ended.rc, len(ended.warnings)) == (0, 1), ended.output
        assert ended.seconds < ANSIBLE_SECONDS
        assert WAITING in ended.warnings[0]
        assert "clock" in ended.warnings[0]
        project.settled()
        assert ahead.events == []
        assert 1 <= len(ahead.requests) <= 4, "it does not insist"
    assert (project.waiting(), project.dead()) == (["A"], [])

    ended = project.run([play(say())], CLOUDMONITOR_DEPLOYMENT_ID="B")

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    for name in ("A", "B"):
        assert [event["event"] for event in project.events(id=name)] == [START, FINISH]
    assert (project.waiting(), project.dead()) == ([], [])


def test_delivery_continues_after_the_run_for_linger_seconds(project: Project) -> None:
    project.receiver.set_faults(["status=500*inf"])
    ended = project.run([play(say())], CLOUDMONITOR_LINGER="60")
    assert len(ended.warnings) == 1, ended.output
    assert len(project.couriers()) == 1

    project.receiver.set_faults([])

    project.settled()
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == []


def test_a_courier_that_is_terminated_while_it_starts_makes_one_attempt(
    project: Project,
) -> None:
    run = project.start([play(project.wait_task())])
    until(project.couriers, "a courier")

    os.kill(project.couriers()[0], signal.SIGTERM)

    until(lambda: project.events(event=START), "the start event")
    project.release()
    assert run.ended().rc == 0


def test_a_reader_of_the_output_does_not_wait_for_the_courier(project: Project) -> None:
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
