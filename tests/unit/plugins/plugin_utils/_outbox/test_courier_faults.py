# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that one folder or one attempt raises ends the courier, nor does a step of the clock."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import courier
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier import Courier
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.orphans import adopt
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    Run,
    courier_beside,
    run_beside,
    settings_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    holder_of,
    left_behind,
    names_of,
    release,
    until,
)

START, FINISH, FAILURE = "deployment-start", "deployment-finish", "deployment-failure"
UNFORESEEN = [
    OSError(errno.EIO, "Input/output error"), OverflowError(), KeyError("at"), TypeError(),
    ValueError("year is out of range"), RecursionError(), MemoryError(), AssertionError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), AttributeError(),
]  # fmt: skip


def _courier(run: Run, url: str, parent: int | None = None, **parts: Any) -> Courier:
    return courier_beside(run, settings_for(url, **parts), parent=parent)


@pytest.fixture
def run(outbox: Outbox) -> Iterator[Run]:
    made = Run(outbox, settings_for("http://127.0.0.1:9"))
    yield made
    made.writer.discard()


@pytest.mark.parametrize("unforeseen", UNFORESEEN, ids=lambda exc: type(exc).__name__)
def test_what_one_folder_raises_touches_no_other_deployment(
    outbox: Outbox,
    receiver: Receiver,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    unforeseen: Exception,
) -> None:
    for name in ("bad-to-adopt", "bad-to-send", "good"):
        left_behind(outbox, name, finished=True)
    step, beat = Delivery.step, Folder.beat

    def adopt_or_fail(outbox: Outbox, folder: Folder, *rest: Any) -> Any:
        if folder.name == "bad-to-adopt":
            raise unforeseen
        return adopt(outbox, folder, *rest)

    def step_or_fail(delivery: Delivery, send: Any, *, once: bool) -> Any:
        if delivery.folder.name == "bad-to-send":
            raise unforeseen
        return step(delivery, send, once=once)

    def beat_or_fail(folder: Folder, host: str | None = None) -> None:
        if host is None:
            raise unforeseen
        beat(folder, host)

    monkeypatch.setattr(courier, "adopt", adopt_or_fail)
    monkeypatch.setattr(Delivery, "step", step_or_fail)
    monkeypatch.setattr(Folder, "beat", beat_or_fail)
    run.finish()

    _courier(run, receiver.url).run()

    ids = [json.loads(event["content"])["id"] for event in receiver.events]
    assert sorted(ids) == ["d1", "d1", "good", "good"]
    assert sorted(folder.name for folder in outbox.folders()) == ["bad-to-adopt", "bad-to-send"]
    for folder in outbox.folders():
        lock = folder.lock()
        assert lock is not None, "a later run can have it"
        os.close(lock)


@pytest.mark.parametrize("unforeseen", UNFORESEEN, ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("place", ["refresh", "step"])
def test_what_the_own_folder_raises_is_reported_and_tried_again(
    receiver: Receiver,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    unforeseen: Exception,
) -> None:
    real = getattr(Delivery, place)
    reported: list[dict[str, Any]] = []

    def fail_twice(delivery: Delivery, *arguments: Any, **named: Any) -> Any:
        if len(reported) < 2:
            reported.append(run.folder.status())
            raise unforeseen
        reported.append(run.folder.status())
        return real(delivery, *arguments, **named)

    monkeypatch.setattr(Delivery, place, fail_twice)
    run.finish()

    _courier(run, receiver.url).run()

    assert names_of(receiver.events) == [START, FINISH]
    assert (reported[2]["outcome"], reported[2]["kind"]) == ("outage", "outbox")
    assert "the outbox cannot be read or written" in reported[2]["text"]


def test_a_run_that_was_killed_on_a_full_disk_gets_its_finish_later(
    receiver: Receiver, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = Folder.append, []

    def full_twice(folder: Folder, *records: dict[str, Any]) -> None:
        tries.append(len(records))
        if len(tries) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(folder, *records)

    monkeypatch.setattr(Folder, "append", full_twice)
    _courier(run, receiver.url, parent=-1).run()

    assert names_of(receiver.events) == [START, FINISH, FAILURE]


@pytest.mark.parametrize("step", [-3600.0, -1e9, 0.0, 3600.0])
def test_a_step_of_the_clock_does_not_date_the_end_before_the_start(
    receiver: Receiver, run: Run, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    beside = _courier(run, receiver.url, parent=-1, ttl=1e9)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + step)
    beside.run()

    [finish] = [
        json.loads(event["content"]) for event in receiver.events if event["name"] == FINISH
    ]
    assert finish["reason"] == "killed"
    assert finish["finished_at"] >= finish["started_at"]


def test_a_courier_that_cannot_make_its_next_attempt_leaves_early(
    receiver: Receiver, run: Run
) -> None:
    receiver.set_faults(["retry-after=300*inf"])
    begin = time.monotonic()
    _courier(run, receiver.url, parent=-1, linger=60.0).run()

    assert time.monotonic() - begin < 20
    assert len(receiver.requests) == 1
    assert run.folder.exists(), "the rest is left to the next run"


@pytest.mark.parametrize("epoch", [253_402_300_801, 4_000_000_000_000, -1, 0])
def test_a_heartbeat_of_an_impossible_time_ends_no_courier(
    outbox: Outbox, receiver: Receiver, run: Run, epoch: int
) -> None:
    bad = left_behind(outbox, "bad")
    try:
        os.utime(bad.path / "heartbeat", (epoch, epoch))
    except OSError:
        pytest.skip("this file system has no such times")
    left_behind(outbox, "good", finished=True)
    run.finish()

    _courier(run, receiver.url).run()

    finishes = [
        json.loads(one["content"])["id"] for one in receiver.events if one["name"] == FINISH
    ]
    assert {"d1", "good"} <= set(finishes)


@pytest.mark.parametrize("fault", ["permission*inf", "bad-request*inf"])
def test_sigterm_ends_a_courier_that_waits_for_the_lock_of_the_dead_letters(
    outbox: Outbox, receiver: Receiver, fault: str
) -> None:
    (outbox.dead / ".lock").touch()
    (outbox.dead / "lock").hardlink_to(outbox.dead / ".lock")
    holder = holder_of(Folder(outbox.dead))  # holds the file "lock"
    receiver.set_faults([fault])
    try:
        with run_beside(outbox, settings_for(receiver.url)) as beside:
            beside.finish()
            until(lambda: receiver.requests)
            begin = time.monotonic()
            os.kill(beside.courier.pid, signal.SIGTERM)
            beside.courier.wait(15)
            assert time.monotonic() - begin < 6
    finally:
        release(holder)
