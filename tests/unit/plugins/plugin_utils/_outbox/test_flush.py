# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emptying the outbox as far as possible."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.progress import Progress
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.dead_letters import (
    DeadLetters,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import (
    Account,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush import (
    SHOWN_LETTERS,
    Flush,
    FlushProgress,
    count,
    count_waiting,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    host_identity,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    KINDS,
    Service,
    alive,
    holder_of,
    in_place_of,
    left_behind,
    new_outbox,
    release,
    start_record,
)

PATIENCE = 6.5


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


class Clock:
    """Time that passes in sleep only, and what happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.now = 100.0
        self.meanwhile = meanwhile

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()


def _flush(
    outbox: Outbox, service: Service, destination: str = DESTINATION, clock: Clock | None = None
) -> Flush:
    clock = clock or Clock()
    return Flush(
        outbox, Account.of_given(destination), service.send, PATIENCE, clock.monotonic, clock.sleep
    )


def _letter(destination: str = DESTINATION) -> dict[str, object]:
    events = start_record()["events"]
    return {"reason": "refused", "destination": destination, "events": events}


def test_an_empty_outbox_stays_as_it_is(outbox: Outbox) -> None:
    flushed = _flush(outbox, Service()).run("keep")

    assert (flushed.changed, flushed.delivered, flushed.pending, flushed.dead) == (False, 0, 0, [])


def test_everything_that_nobody_looks_after_is_delivered(outbox: Outbox) -> None:
    left_behind(outbox, "done", finished=True)
    left_behind(outbox, "lost")
    service = Service()
    flushed = _flush(outbox, service).run("keep")

    assert flushed.delivered == 5
    assert (flushed.changed, flushed.pending, flushed.error) == (True, 0, None)
    assert outbox.folders() == []


def test_what_is_alive_kept_or_meant_for_others_is_left_and_counted(outbox: Outbox) -> None:
    left_behind(outbox, "alive", **alive())
    left_behind(outbox, "theirs", finished=True, destination="key:Other")
    holder = holder_of(left_behind(outbox, "kept"))
    service, clock = Service(), Clock()
    flushed = _flush(outbox, service, clock=clock).run("keep")
    release(holder)

    assert (flushed.delivered, flushed.pending, flushed.changed) == (0, 4, False)
    assert service.requests == []
    assert PATIENCE <= clock.now - 100 < PATIENCE + 0.1, "it waits for its courier, and not longer"


def test_what_a_courier_hands_over_when_it_is_asked_is_delivered(outbox: Outbox) -> None:
    folders = [left_behind(outbox, name, finished=True) for name in ("a", "b")]
    holders = [holder_of(folder) for folder in folders]

    def one_more() -> None:
        assert all((folder.path / "lock").stat().st_size for folder in folders[-len(holders) :])
        release(holders.pop(0))

    clock = Clock(one_more)
    flushed = _flush(outbox, Service(), clock=clock).run("keep")

    assert (flushed.delivered, flushed.pending, flushed.changed) == (4, 0, True)
    assert holders == []
    assert clock.now < 101, "and it does not wait any longer"


def test_what_a_courier_delivers_after_all_is_not_waited_for(outbox: Outbox) -> None:
    folder = left_behind(outbox, finished=True)
    holder = holder_of(folder)
    clock = Clock(folder.remove)
    flushed = _flush(outbox, Service(), clock=clock).run("keep")
    release(holder)

    assert (flushed.delivered, flushed.pending, flushed.error) == (0, 0, None)
    assert clock.now < 101


def test_a_courier_that_kept_a_folder_too_long_may_keep_it(outbox: Outbox) -> None:
    folder = left_behind(outbox, finished=True)
    holder = holder_of(folder)
    _flush(outbox, Service(["keep"] * 9)).run("keep")

    assert (folder.path / "lock").read_bytes() == b"", "or it would part with it later"
    release(holder)


def test_what_is_handed_over_while_another_is_delivered_is_not_forgotten(outbox: Outbox) -> None:
    first, second = (left_behind(outbox, name, finished=True) for name in ("a", "b"))
    holders = [holder_of(first), holder_of(second)]
    clock = Clock(lambda: release(holders.pop(0)) if len(holders) == 2 else None)

    class Slow(Service):
        def send(self, events: Sequence[Event]) -> DeliveryError | None:
            clock.now += 2 * PATIENCE
            while holders:
                release(holders.pop())
            return super().send(events)

    flushed = _flush(outbox, Slow(), clock=clock).run("keep")

    assert (flushed.delivered, flushed.pending) == (4, 0)


@pytest.mark.parametrize(
    "run",
    [alive(), {"destination": "key:Other"}, {"host": "another host"}],
    ids=["alive", "for others", "of another host"],
)
def test_no_handover_is_requested_of_what_a_courier_must_keep(
    outbox: Outbox, run: dict[str, Any]
) -> None:
    folder = left_behind(outbox, **run)
    folder.beat(str(run.get("host", host_identity())))
    holder = holder_of(folder)
    clock = Clock()
    _flush(outbox, Service(), clock=clock).run("keep")
    release(holder)

    assert (folder.path / "lock").read_bytes() == b""
    assert clock.now == 100


def test_in_an_outage_no_courier_is_handover_requested_more(outbox: Outbox) -> None:
    left_behind(outbox, "free", finished=True)
    folder = left_behind(outbox, "held", finished=True)
    holder = holder_of(folder)
    flushed = _flush(outbox, Service(["keep"] * 9)).run("keep")
    release(holder)

    assert flushed.pending == 4
    assert (folder.path / "lock").read_bytes() == b""


def test_after_a_handed_over_folder_shows_an_outage_nothing_more_is_tried(outbox: Outbox) -> None:
    folders = [left_behind(outbox, name, finished=True) for name in ("a", "b")]
    holders = [holder_of(folder) for folder in folders]

    def all_at_once() -> None:
        while holders:
            release(holders.pop())

    service = Service(["keep"] * 9)
    flushed = _flush(outbox, service, clock=Clock(all_at_once)).run("keep")

    assert len(service.requests) == 1
    assert (flushed.pending, flushed.error is not None) == (4, True)
    assert all((folder.path / "lock").read_bytes() == b"" for folder in folders)


def test_trouble_stops_at_the_first_request_and_keeps_all(outbox: Outbox) -> None:
    for name in ("a", "b", "c"):
        left_behind(outbox, name, finished=True)
    service = Service(["keep"] * 9)
    flushed = _flush(outbox, service).run("keep")

    assert len(service.requests) == 1
    assert flushed.pending == 6
    assert flushed.error is not None
    assert not flushed.changed, "nothing was delivered or dropped"


def test_a_refused_key_does_not_turn_the_whole_outbox_into_dead_letters(outbox: Outbox) -> None:
    for name in ("a", "b", "c"):
        left_behind(outbox, name, finished=True)
    flushed = _flush(outbox, Service(["refused"] * 9)).run("keep")

    assert (flushed.pending, flushed.delivered) == (4, 0)
    assert flushed.dead_count == 2
    assert flushed.error is not None
    assert flushed.changed, "two events became dead letters"


def test_one_wrong_event_does_not_keep_the_others(outbox: Outbox) -> None:
    for name in ("a", "b"):
        left_behind(outbox, name, finished=True)
    flushed = _flush(outbox, Service(bad=["deployment-start"])).run("keep")

    assert (flushed.delivered, flushed.pending, flushed.dead_count) == (2, 0, 2)


def test_one_damaged_deployment_does_not_keep_the_others(outbox: Outbox, tmp_path: Path) -> None:
    bad = left_behind(outbox, "a")
    (bad.path / "journal").unlink()
    (bad.path / "journal").symlink_to(tmp_path / "elsewhere")
    os.utime(bad.path, (0, 0))
    worse = left_behind(outbox, "b")
    (worse.path / "lock").mkdir()
    left_behind(outbox, "c", finished=True)

    assert _flush(outbox, Service()).run("keep").delivered == 2


def test_dead_letters_are_kept_sent_again_or_dropped(outbox: Outbox) -> None:
    outbox.dead_letters.add("mine", _letter())
    outbox.dead_letters.add("theirs", _letter("key:Other"))
    assert _flush(outbox, Service()).run("keep").dead_count == 2

    service = Service()
    flushed = _flush(outbox, service).run("retry")
    assert (flushed.delivered, flushed.dead_count, flushed.changed) == (1, 1, True)
    assert flushed.dead[0]["deployment"] == "theirs"

    assert _flush(outbox, Service()).run("drop").dead_count == 0


def test_a_dead_letter_that_is_refused_again_stays_one(outbox: Outbox) -> None:
    for name in ("a", "b"):
        outbox.dead_letters.add(name, _letter())
    service = Service(["refused"] * 9)
    flushed = _flush(outbox, service).run("retry")

    assert (flushed.delivered, flushed.dead_count) == (0, 2)
    assert len(service.requests) == 1


def test_counting_changes_nothing(outbox: Outbox) -> None:
    left_behind(outbox, finished=True)
    for _number in range(SHOWN_LETTERS + 5):
        outbox.dead_letters.add("d1", _letter())
    before = sorted(path.stat().st_mtime_ns for path in outbox.root.rglob("*"))
    counted = count(outbox)

    assert (counted.pending, counted.dead_count, len(counted.dead)) == (2, 105, 100)
    assert counted.dead[0]["reason"] == "refused"
    assert sorted(path.stat().st_mtime_ns for path in outbox.root.rglob("*")) == before


def test_a_full_disk_is_told_with_what_was_delivered_before(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(outbox, "a", finished=True)
    left_behind(outbox, "b", finished=True)

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DeadLetters, "add", full)
    flushed = _flush(outbox, Service(["delivered", "refused"])).run("keep")

    assert (flushed.delivered, flushed.pending, flushed.changed) == (2, 2, True)
    assert flushed.error is not None
    assert (flushed.error.kind, "No space left" in str(flushed.error)) == ("outbox", True)


def test_dead_letters_that_stay_are_no_change(outbox: Outbox) -> None:
    outbox.dead_letters.add("mine", _letter())
    outbox.dead_letters.add("theirs", _letter("key:Other"))

    assert not _flush(outbox, Service(["refused"])).run("retry").changed
    assert _flush(outbox, Service()).run("drop").changed
    assert not _flush(outbox, Service()).run("drop").changed


def test_a_refusal_that_can_pass_keeps_everything_and_ends_the_flush(outbox: Outbox) -> None:
    left_behind(outbox, "a", finished=True)
    left_behind(outbox, "b", finished=True)
    outbox.dead_letters.add("mine", _letter())
    service = Service(["later"])
    flushed = _flush(outbox, service).run("keep")

    assert (flushed.delivered, flushed.pending, flushed.dead_count) == (0, 4, 1)
    assert flushed.error is not None
    assert flushed.error.outcome is Outcome.REFUSED_FOR_NOW
    assert len(service.requests) == 1, "the other folder would fare the same"
    assert _flush(outbox, Service()).run("keep").delivered == 4


def test_dead_letters_of_the_time_when_the_clock_was_wrong_can_be_sent_again(
    outbox: Outbox,
) -> None:
    outbox.dead_letters.add("mine", {**_letter(), "reason": "the clock is off by 1200 s"})
    assert _flush(outbox, Service(["later"])).run("retry").dead_count == 1
    flushed = _flush(outbox, Service()).run("retry")

    assert (flushed.delivered, flushed.dead_count, flushed.error) == (1, 0, None)


def test_dead_letters_are_not_locked_while_they_are_sent(outbox: Outbox) -> None:
    outbox.dead_letters.add("mine", _letter())

    class Busy(Service):
        def send(self, events: Sequence[Event]) -> DeliveryError | None:
            outbox.dead_letters.add("mine", {"reason": "added meanwhile"})
            return super().send(events)

    begin = time.monotonic()
    flushed = _flush(outbox, Busy()).run("retry")

    assert time.monotonic() - begin < 1.5
    assert (flushed.delivered, flushed.dead_count) == (1, 1)
    assert flushed.dead[0]["reason"] == "added meanwhile"


def test_letters_that_another_process_is_sending_are_left_to_it(outbox: Outbox) -> None:
    outbox.dead_letters.add("mine", _letter())
    left_behind(outbox, finished=True)
    with outbox.dead_letters.retrying():
        flushed = _flush(outbox, Service()).run("retry")

    assert (flushed.delivered, flushed.dead_count) == (2, 1)
    assert flushed.error is not None
    assert "another process" in str(flushed.error)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["journal", "lock", "delivered", "heartbeat", "waited"])
def test_a_damaged_folder_stops_no_other(outbox: Outbox, name: str, kind: str) -> None:
    folder = left_behind(outbox, "a", finished=True)
    left_behind(outbox, "b", finished=True)
    (folder.path / "lock").touch()
    with in_place_of(folder.path / name, kind):
        for path in (folder.path / "heartbeat", folder.path):
            os.utime(path, (1e9, 1e9), follow_symlinks=False)
        flushed = _flush(outbox, Service()).run("keep")

    assert flushed.delivered in (2, 4)
    assert (flushed.pending, flushed.error) == (0, None)
    assert outbox.folders() == []
    assert len(list(outbox.damaged.iterdir())) == (name in ("journal", "lock"))


@pytest.mark.parametrize("kind", KINDS)
def test_something_else_in_place_of_dead_letters_is_moved_out_of_the_way(
    outbox: Outbox, kind: str
) -> None:
    outbox.dead_letters.add("b", _letter())
    with in_place_of(outbox.dead / "a.jsonl", kind):
        flushed = _flush(outbox, Service()).run("retry")

    assert (flushed.delivered, flushed.dead_count, flushed.error) == (1, 0, None)
    assert [path.name for path in outbox.damaged.iterdir()] == (
        [] if "link" in kind else ["a.jsonl"]
    )


def test_a_long_flush_shows_how_many_of_the_account_s_events_are_delivered(outbox: Outbox) -> None:
    for number in range(3):
        left_behind(outbox, f"mine{number}", finished=True)
    left_behind(outbox, "theirs", finished=True, destination="key:Other")
    clock, lines = Clock(), list[str]()
    account = Account.of_given(DESTINATION)
    progress = FlushProgress(
        Progress(lines.append, clock.monotonic), lambda: count_waiting(outbox, account)
    )

    class Slow(Service):
        def send(self, events: Sequence[Event]) -> DeliveryError | None:
            clock.now += 4
            progress.update()
            clock.now += 3
            return super().send(events)

    flush = Flush(outbox, account, Slow().send, PATIENCE, clock.monotonic, progress=progress)

    assert flush.run("keep").delivered == 6
    assert lines == [f"{number} of 6 events delivered" for number in (2, 4, 6)]
