# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier beside a run that lives, ends or is killed, against the receiver.

It is a process wherever its process, its signals or its files matter, otherwise a thread.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.log import Attempt
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.pace import (
    ORPHAN_SECONDS,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.sender import Sender
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    SECRET,
    Parent,
    Run,
    courier_beside,
    is_alive,
    run_beside,
    settings_for,
    text_of,
    thread_beside,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    alive,
    all_letters,
    holder_of,
    left_behind,
    names_of,
    release,
    start_record,
    until,
)

START, FINISH, FAILURE = "deployment-start", "deployment-finish", "deployment-failure"

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")


def _contents(receiver: Receiver, name: str = FINISH) -> list[dict[str, Any]]:
    return [json.loads(event["content"]) for event in receiver.events if event["name"] == name]


def _ids(receiver: Receiver, name: str) -> list[str]:
    return [content["id"] for content in _contents(receiver, name)]


def test_start_and_finish_arrive_and_nothing_stays_behind(
    outbox: Outbox, receiver: Receiver
) -> None:
    with run_beside(outbox, settings_for(receiver.url)) as run:
        receiver.wait_for(1)
        run.finish()
        assert run.writer.wait(10) is None
        assert run.courier.wait(10) == 0

    assert names_of(receiver.events) == [START, FINISH]
    assert outbox.folders() == []
    kept = {
        path.name for path in outbox.root.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert kept - {path.name for path in outbox.history.files()} == {
        "courier.log",
        "current.json",
        ".lock",
    }


def test_the_log_has_a_line_for_every_attempt_and_decision(
    outbox: Outbox, receiver: Receiver
) -> None:
    left_behind(outbox, "earlier")
    receiver.set_faults(["status=503*1"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        receiver.wait_for(1)
        run.finish()
        assert run.writer.wait(10) is None
        courier.join()

    own, earlier = list(outbox.log.lines("d1")), list(outbox.log.lines("earlier"))
    words = [line.decision.value for line in own]
    assert words == ["started", "retry", "accepted", "accepted", "ended"]
    assert [line.decision.value for line in earlier] == ["aborted", "adopted", "accepted"]
    assert [line.events for line in earlier] == [None, 3, 3]
    assert "server_error (HTTP 503, code 503); next attempt in 0." in own[1].text
    accepted = own[2].text
    assert accepted.startswith(f"1 event, {receiver.url}, 0.")
    assert ", attempt 2, request " in accepted
    assert ", attempt 1, request " in own[3].text  # counted from the last accepted one
    text = outbox.log.path.read_text()
    assert "shop" not in text
    assert SECRET not in text


def test_a_new_event_is_sent_at_once(outbox: Outbox, receiver: Receiver) -> None:
    with run_beside(outbox, settings_for(receiver.url)) as run:
        receiver.wait_for(1)
        until(lambda: run.folder.status().get("accepted"))
        waits = []
        for number in range(5):
            begin = time.monotonic()
            run.writer.write({**start_record(f"x{number}"), "final": False})
            receiver.wait_for(number + 2)
            waits.append(time.monotonic() - begin)

    assert min(waits) < 0.3, "the signal ends the wait of half a second"


def test_a_killed_run_is_reported_as_killed(outbox: Outbox, receiver: Receiver) -> None:
    parent = Parent(outbox, receiver.url)
    receiver.wait_for(1)
    parent.kill()
    receiver.wait_for(3)
    until(lambda: not is_alive(parent.courier))

    [finish] = _contents(receiver)
    assert (finish["status"], finish["reason"]) == ("aborted", "killed")
    assert _ids(receiver, FAILURE) == ["d1"]
    assert outbox.folders() == []


def test_a_run_that_succeeds_has_one_finish_and_waits_for_no_courier(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["slow=1*1"])
    parent = Parent(outbox, receiver.url)
    parent.end()  # returns at the end of its output: nobody else holds that open
    until(lambda: not is_alive(parent.courier))

    assert [content["status"] for content in _contents(receiver)] == ["succeeded"]
    assert FAILURE not in names_of(receiver.events)


def test_nothing_of_the_caller_is_held_open(outbox: Outbox, receiver: Receiver) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        with run_beside(outbox, settings_for(receiver.url)) as run:
            receiver.wait_for(1)
            folder = Path(f"/proc/{run.courier.pid}/fd")
            held = [os.readlink(path) for path in folder.iterdir()]
            session = os.getsid(run.courier.pid)
            cwd = os.readlink(f"/proc/{run.courier.pid}/cwd")
    finally:
        os.close(read)
        os.close(write)

    kinds = {name.partition(":")[0] for name in held}
    files = {name for name in held if name.startswith("/") and name != os.devnull}
    assert files == {str(run.folder.path / "lock")}
    assert os.devnull in held
    assert sum(name.startswith("pipe:") for name in held) == 2, (
        "its own pipe, which signals write to"
    )
    assert kinds <= {os.devnull, *files, "pipe", "socket", "anon_inode"}
    assert session == run.courier.pid
    assert cwd == "/"


def test_it_ends_when_linger_is_over_and_keeps_undelivered_events(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["status=503*inf"])
    parent = Parent(outbox, receiver.url, linger=1.5)
    until(lambda: len(receiver.requests) > 0)
    parent.kill()
    begin = time.monotonic()
    until(lambda: not is_alive(parent.courier), 20)

    assert time.monotonic() - begin < 12
    [folder] = outbox.folders()
    finals = [entry for entry in folder.entries() if (entry.record or {}).get("final")]
    assert len(finals) == 1, "its finish waits in the outbox"
    assert not list(outbox.dead.glob("*.jsonl"))


def test_after_the_run_it_hands_over_its_folder_on_request(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["status=503*inf"])
    settings = settings_for(receiver.url, linger=600.0)
    with thread_beside(outbox, settings, parent=-1) as (run, courier):
        until(lambda: any((entry.record or {}).get("final") for entry in run.folder.entries()))
        run.folder.request_handover()
        courier.join()

    lock = run.folder.lock()
    assert lock is not None
    os.close(lock)
    assert len(run.folder.entries()) == 3, "run, start and finish wait for the flush"


def test_during_the_run_it_hands_over_orphans_and_keeps_its_own_folder(
    outbox: Outbox, receiver: Receiver
) -> None:
    earlier = left_behind(outbox, "earlier", finished=True)
    receiver.set_faults(["ok*1", "status=503*inf"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        until(lambda: len(receiver.requests) > 1)
        run.folder.request_handover()
        earlier.request_handover()
        lock = until(earlier.lock)
        receiver.set_faults([])
        run.finish()
        courier.join()
    os.close(lock)

    assert _ids(receiver, FINISH) == ["d1"]
    assert [folder.name for folder in outbox.folders()] == ["earlier"], "left to the flush"


def test_after_the_run_it_leaves_the_whole_outbox_to_a_flush(
    outbox: Outbox, receiver: Receiver
) -> None:
    earlier = left_behind(outbox, "earlier", finished=True)
    left_behind(outbox, "later", finished=True)
    receiver.set_faults(["ok*1", "status=503*inf"])
    parent = Parent(outbox, receiver.url, linger=600.0)
    until(lambda: len(receiver.requests) > 1)
    parent.kill()
    own = Folder(outbox.runs / "d1")
    until(lambda: any((entry.record or {}).get("final") for entry in own.entries()))
    own.request_handover()
    earlier.request_handover()
    until(lambda: not is_alive(parent.courier))

    assert {folder.name for folder in outbox.folders()} == {"d1", "earlier", "later"}


def test_sigterm_allows_one_last_attempt_of_two_seconds(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["hang*inf"])
    with run_beside(outbox, settings_for(receiver.url, timeout=30.0)) as run:
        until(lambda: receiver.requests)
        begin = time.monotonic()
        os.kill(run.courier.pid, signal.SIGTERM)
        run.courier.wait(10)

    assert time.monotonic() - begin < 4
    assert len(receiver.requests) == 2
    assert len(run.folder.entries()) == 2, "the events stay"


def test_sigterm_between_two_attempts_sends_the_waiting_events(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["retry-after=300*1"])
    with run_beside(outbox, settings_for(receiver.url)) as run:
        until(lambda: run.folder.status().get("outcome"))
        os.kill(run.courier.pid, signal.SIGTERM)
        receiver.wait_for(1)
        run.courier.wait(10)

    assert names_of(receiver.events) == [START]


def test_when_all_are_terminated_together_the_end_is_still_reported(
    outbox: Outbox, receiver: Receiver
) -> None:
    parent = Parent(outbox, receiver.url)
    receiver.wait_for(1)
    os.kill(parent.courier, signal.SIGTERM)  # first the courier, as bad luck will have it
    parent.kill(signal.SIGTERM)
    receiver.wait_for(3)

    assert _contents(receiver)[0]["reason"] == "killed"
    until(lambda: not is_alive(parent.courier))


def test_refused_events_become_dead_letters_and_the_run_reports_it(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["signature*inf"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        until(lambda: run.folder.status().get("outcome") == "refused")
        run.finish()
        text = text_of(run.writer.wait(10))
        courier.join()

    assert "refused" in text
    assert "dead: retry" in text
    [(path, letters)] = all_letters(outbox)
    assert (path.stem, len(letters)) == ("d1", 2)
    assert "access_key_secret" in letters[0]["reason"]


def test_a_refused_key_does_not_touch_orphans(outbox: Outbox, receiver: Receiver) -> None:
    left_behind(outbox, "earlier")
    receiver.set_faults(["signature*inf"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        run.finish()
        courier.join()

    assert [folder.name for folder in outbox.folders()] == ["earlier"]
    assert [path.stem for path, _letters in all_letters(outbox)] == ["d1"]


def test_orphans_are_delivered_and_lost_runs_get_a_finish(
    outbox: Outbox, receiver: Receiver
) -> None:
    left_behind(outbox, "done", finished=True)
    left_behind(outbox, "lost")
    left_behind(outbox, "living", **alive())
    left_behind(outbox, "other", destination="key:Other")
    holder = holder_of(left_behind(outbox, "held"))
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        run.finish()
        receiver.wait_for(7)
        courier.join()
    release(holder)

    assert sorted(_ids(receiver, FINISH)) == ["d1", "done", "lost"]
    reasons = {content["id"]: content.get("reason") for content in _contents(receiver)}
    assert reasons == {"d1": None, "done": None, "lost": "lost"}
    assert {folder.name for folder in outbox.folders()} == {"living", "other", "held"}


def test_the_run_has_priority_over_orphans(outbox: Outbox, receiver: Receiver) -> None:
    for number in range(30):
        left_behind(outbox, f"earlier{number}", finished=True)
    receiver.set_faults(["ok*1", "slow=0.3*inf"])
    with run_beside(outbox, settings_for(receiver.url)) as run:
        receiver.wait_for(3)
        begin = time.monotonic()
        run.finish()
        receiver.wait_for(lambda heard: "d1" in _ids(heard, FINISH))
        assert time.monotonic() - begin < 3
        held = list(Path(f"/proc/{run.courier.pid}/fd").iterdir())
        assert len(held) < 15, "it holds one of them at a time"


_WRONG = DeliveryError("wrong", "bad_request", Outcome.REFUSED)
_BUSY = DeliveryError("busy", "throttled", Outcome.THROTTLED)


@pytest.mark.parametrize("answer", [None, _WRONG, _BUSY], ids=["accepted", "refused", "throttled"])
def test_a_finish_waits_at_most_for_the_one_request_of_an_orphan_that_is_under_way(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, answer: DeliveryError | None
) -> None:
    for number in range(4):
        left_behind(outbox, f"earlier{number}", finished=True)
    settings = settings_for("http://127.0.0.1:9")
    run = Run(outbox, settings)
    sent: list[tuple[str, bool, float]] = []

    def send(sender: Sender, events: Sequence[Event], *, at_once: bool) -> DeliveryError | None:
        sent.append((json.loads(events[0].content)["id"], at_once, time.monotonic()))
        sender.last_attempt = Attempt(len(events), "here", 0.0, None, None)
        if len(sent) == 3:
            run.finish()
            return answer
        return None

    monkeypatch.setattr(Sender, "send", send)
    courier_beside(run, settings).run()

    assert [(name[:7], at_once) for name, at_once, _at in sent[:4]] == [
        ("d1", True), ("earlier", False), ("earlier", False), ("d1", True)
    ]  # fmt: skip
    assert {name for name, _at_once, _at in sent} == {"d1", *(f"earlier{n}" for n in range(4))}
    times = [at for _name, _at_once, at in sent]
    assert all(later - at >= ORPHAN_SECONDS for at, later in pairwise(times[:3]))
    assert outbox.folders() == []


def test_a_damaged_deployment_is_set_aside_and_harms_no_other(
    outbox: Outbox, receiver: Receiver
) -> None:
    bad = outbox.create("bad")
    (bad.path / "journal").write_bytes(b"\0\0\0\n")
    bad.beat("")
    os.utime(bad.path / "heartbeat", (1000, 1000))
    left_behind(outbox, "good", finished=True)
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        run.finish()
        receiver.wait_for(4)
        courier.join()

    assert outbox.folders() == []
    assert [path.name for path in outbox.damaged.iterdir()] == ["bad"]


def test_two_couriers_never_send_the_same_events(outbox: Outbox, receiver: Receiver) -> None:
    for number in range(12):
        left_behind(outbox, f"e{number}", finished=True)
    with (
        run_beside(outbox, settings_for(receiver.url), "one") as one,
        run_beside(outbox, settings_for(receiver.url), "two") as two,
    ):
        one.finish()
        two.finish()
        receiver.wait_for(28, 30)
        one.courier.wait(10)
        two.courier.wait(10)

    ids = _ids(receiver, FINISH)
    assert sorted(ids) == sorted({*ids})
    assert len(ids) == 14
    assert outbox.folders() == []


def test_no_more_than_twenty_requests_a_second(outbox: Outbox, receiver: Receiver) -> None:
    for number in range(30):
        left_behind(outbox, f"e{number}", finished=True)
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        run.finish()
        receiver.wait_for(62, 30)
        courier.join()
    times = [request["arrived_monotonic"] for request in receiver.requests]

    assert len(times) >= 31
    assert max(sum(at <= other < at + 1 for other in times) for at in times) <= 21


def test_a_folder_that_somebody_deletes_does_no_harm(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["status=503*2"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        until(lambda: len(receiver.requests) >= 1)
        run.folder.path.rename(outbox.root / "gone")  # at once: the courier writes into it
        receiver.wait_for(1)
        assert courier.is_alive


def test_the_secret_is_only_in_the_memory_of_the_courier(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-in-environment")
    monkeypatch.setenv("SOME_PASSWORD", "canary-in-environment")
    receiver.set_faults(["status=500*inf"])
    secret = b"canary-"
    with run_beside(outbox, settings_for(receiver.url)) as run:
        until(run.folder.status)
        process = Path(f"/proc/{run.courier.pid}")
        argv, environ = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        files = [path for path in outbox.root.rglob("*") if path.is_file()]
        texts = [path.read_bytes() for path in files]

    assert len(files) >= 4
    for text in [argv, environ, *texts]:
        assert secret not in text
    assert argv.count(b"\0") == 2, "the interpreter and the script"
    names = {entry.partition(b"=")[0].decode() for entry in environ.split(b"\0") if entry}
    assert not {name for name in names if "KEY" in name or "SECRET" in name or "SOME" in name}
