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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    DEADLINE,
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

# What a whole run meets, and its flush_timeout. Without an answer, and while the account is over
# its limit, the end of the run waits that long and no longer. It waits neither for a known outage
# nor for the end of a refusal that can pass: a clock is wrong.
FAULTS = {"syn-dropped": "1", "throttle-200*inf": "1", "refused": LONG, "clock": LONG}


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
            how = {"clock_offset": 1200} if fault == "clock" else {"faults": [fault]}
            yield stack.enter_context(Receiver(keys, **how)).url


def test_a_filled_queue_of_connections_drops_syn() -> None:
    with endpoint("syn-dropped") as url, socket.socket() as client:
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", int(url.rpartition(":")[2])))


def test_a_run_keeps_its_status_and_the_next_healthy_run_delivers_everything(
    project: Project,
) -> None:
    project.write("fails.yml", [play(say(), fail(), hosts="h1")])
    warnings = {}
    with ExitStack() as stack:
        runs = {
            fault: project.start(
                "fails.yml",
                CLOUDMONITOR_ENDPOINT=stack.enter_context(endpoint(fault)),
                CLOUDMONITOR_DEPLOYMENT_ID=fault,
                CLOUDMONITOR_FLUSH_TIMEOUT=seconds,
                CLOUDMONITOR_LINGER="1",
                CLOUDMONITOR_TIMEOUT="1",
            )
            for fault, seconds in FAULTS.items()
        }
        for fault, run in runs.items():
            ended = run.ended()
            assert ended.rc == 2, (fault, ended.output)
            assert ended.seconds < ANSIBLE_SECONDS, fault
            assert len(ended.warnings) == 1, (fault, ended.output)
            (warnings[fault],) = ended.warnings
            assert WAITING in warnings[fault], fault
        project.settled()
    assert "clock" in warnings["clock"]
    assert (project.events(), project.dead()) == ([], [])
    assert len(project.waiting()) == len(FAULTS)

    ended = project.run([play(say(), hosts="h1")])

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    for fault in FAULTS:
        names = [event["event"] for event in project.events(id=fault)]
        assert names == [START, FINISH, FAILURE], fault
    assert project.waiting() == project.dead() == []


def test_refused_events_are_kept_with_their_reason_and_can_be_sent_again(project: Project) -> None:
    project.receiver.set_faults(["permission*inf"])

    ended = project.run(
        [play(say(), fail(), hosts="h1")],
        CLOUDMONITOR_DEPLOYMENT_ID="refused",
        CLOUDMONITOR_FLUSH_TIMEOUT=LONG,
    )

    assert (ended.rc, len(ended.warnings)) == (2, 1), ended.output
    assert ended.seconds < ANSIBLE_SECONDS
    assert "dead: retry" in ended.warnings[0]
    assert ". Attach " in ended.warnings[0]  # the advice comes last
    project.settled()
    assert (project.waiting(), len(project.dead())) == ([], 1)
    project.receiver.set_faults([])
    flush = {"aliops.cloudmonitor.flush_outbox": {"dead": "retry"}}
    run = project.start(
        [play(project.wait_task(go_on="flush"), flush, hosts="h1")],
        CLOUDMONITOR_DEPLOYMENT_ID="healthy",
    )
    project.noted("healthy")
    project.under_way()
    assert project.events(id="refused") == []  # nobody sends them again unasked
    assert len(project.dead()) == 1

    project.release("flush")

    ended = run.ended()
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    names = [event["event"] for event in project.events(id="refused")]
    assert names == [START, FINISH, FAILURE]
    assert project.dead() == []


# What the requests of a playbook meet, how many of them before its end, and its events that arrive.
WAITED_FOR = {
    "throttle after an accepted start": (["ok", "throttle", "ok"], 1, [START, FINISH]),
    "with Retry-After": (["ok", "retry-after=1", "ok"], 1, [START, FINISH]),
    "no answer": (["ok", "hang", "ok"], 1, [START, FINISH]),
    "a failed attempt": (["ok", "status=500", "ok"], 1, [START, FINISH]),
    "a refused start": (["permission", "throttle", "ok"], 1, [FINISH]),
    # The last one: it depends on the moment whether one request more delivers it all, or two.
    "an outage that ends during the run": (["status=500", "status=500"], 2, [START, FINISH]),
}


def _requests(least: int) -> Callable[[Receiver], bool]:
    return lambda receiver: len(receiver.requests) >= least


@pytest.mark.skipif(not CONTAINED, reason="unshare --pid is not permitted here")
def test_each_playbook_is_waited_for_and_the_last_although_the_courier_ends_with_it(
    project: Project,
) -> None:
    project.receiver.set_faults([fault for case in WAITED_FOR.values() for fault in case[0]])
    files = [f"{number}.yml" for number in range(len(WAITED_FOR))]
    for file in files:
        project.write(file, [play(project.wait_task(f"at-{file}", f"go-{file}"), hosts="h1")])
    run = project.command(
        *IN_A_PID_NAMESPACE, ansible_playbook(), *files, CLOUDMONITOR_FLUSH_TIMEOUT="30"
    )
    before, arrived = 0, 0
    for file, (name, (faults, first, expected)) in zip(files, WAITED_FOR.items(), strict=True):
        project.under_way(f"at-{file}")
        assert project.receiver.wait_for(_requests(before + first), DEADLINE), name
        others = [event for event in project.events() if event["playbook"] != file]
        assert len(others) == arrived, f"the events before: {name}"
        project.release(f"go-{file}")
        before, arrived = before + len(faults), arrived + len(expected)

    ended = run.ended().may_warn("dead: retry")
    assert (ended.rc, len(ended.warnings)) == (0, 1), ended.output
    for file, (name, (_faults, _first, expected)) in zip(files, WAITED_FOR.items(), strict=True):
        assert [event["event"] for event in project.events(playbook=file)] == expected, name


def test_a_courier_that_is_terminated_while_it_starts_makes_one_attempt(
    project: Project,
) -> None:
    run = project.start([play(project.wait_task(), hosts="h1")])
    until(project.couriers, "a courier")

    os.kill(project.couriers()[0], signal.SIGTERM)

    until(lambda: project.events(event=START), "the start event")
    project.release()
    assert run.ended().rc == 0


def test_the_courier_delivers_after_the_run_and_no_reader_of_the_output_waits_for_it(
    project: Project,
) -> None:
    project.receiver.set_faults(["hang*inf"])
    project.write("site.yml", [play(say())])
    with subprocess.Popen(
        [ansible_playbook(), "site.yml"],
        cwd=project.folder,
        env=project.environment(CLOUDMONITOR_LINGER="60", CLOUDMONITOR_FLUSH_TIMEOUT="0"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        output, errors = run.communicate(timeout=60)

    assert len(project.couriers()) == 1  # it is still there, and nobody waited for it
    (warning,) = quiet.judge(quiet.hear(output + errors))
    assert (run.returncode, WAITING in warning) == (0, True), output + errors
    assert project.events() == []
    project.receiver.set_faults([])
    project.settled()
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == []
