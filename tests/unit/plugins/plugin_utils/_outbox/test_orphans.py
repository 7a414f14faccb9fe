# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose run is over for certain, and who may take it on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import orphans
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import (
    Account,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    Uptime,
    host_identity,
    is_running,
    process_mark,
    uptime,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.orphans import (
    adopt,
    request_handover,
    set_aside_damaged,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    DamagedFolder,
    Folder,
    Outbox,
    is_handover_requested,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    KINDS,
    alive,
    all_letters,
    finish_record,
    holder_of,
    in_place_of,
    left_behind,
    names_of,
    new_outbox,
    open_locks,
    release,
    run_of,
    start_record,
)

ACCOUNT = Account.of_given(DESTINATION)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


def _adopted(outbox: Outbox, folder: Folder, destination: str = DESTINATION) -> Delivery | None:
    found = adopt(outbox, folder, Account.of_given(destination), 3600.0)
    if found is None:
        return None
    os.close(found[1])
    return found[0]


def _later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the host have been up for longer than it was."""
    now = uptime()
    up = Uptime(now.boot, now.seconds + seconds)
    monkeypatch.setattr(Delivery.__init__, "__defaults__", (lambda: up,))


def _beat(folder: Folder, seconds_ago: float, host: str | None = None) -> None:
    folder.beat(host)
    moment = time.time() - seconds_ago
    os.utime(folder.path / "heartbeat", (moment, moment))


def test_a_run_whose_process_is_gone_is_ended_as_lost(outbox: Outbox) -> None:
    folder = left_behind(outbox)
    _beat(folder, 3000)
    beat = folder.heartbeat()[1]
    delivery = _adopted(outbox, folder)

    assert delivery is not None
    assert delivery.ended
    events = (folder.entries()[-1].record or {})["events"]
    content = json.loads(events[0]["content"])
    assert (content["status"], content["reason"]) == ("aborted", "lost")
    assert (folder.entries()[-1].record or {})["at"] == pytest.approx(beat), "when it was last seen"
    assert [event["name"] for event in events] == ["deployment-finish", "deployment-failure"]


def test_a_run_that_has_finished_gets_no_second_finish(outbox: Outbox) -> None:
    folder = left_behind(outbox, finished=True)
    before = folder.size()

    assert _adopted(outbox, folder) is not None
    assert folder.size() == before


def test_a_living_run_of_this_host_is_left_alone_however_old_its_beat(outbox: Outbox) -> None:
    folder = left_behind(outbox, **alive())
    _beat(folder, 1e6)
    before = folder.size()

    assert _adopted(outbox, folder) is None
    assert folder.size() == before


def test_a_later_process_of_the_same_pid_is_not_the_run(outbox: Outbox) -> None:
    assert _adopted(outbox, left_behind(outbox, pid=os.getpid(), mark="12345")) is not None


def test_a_dead_process_is_known_by_its_pid(outbox: Outbox) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    folder = left_behind(outbox, pid=process.pid, mark=process_mark(process.pid))
    assert _adopted(outbox, folder) is None
    process.communicate(timeout=10)
    assert _adopted(outbox, folder) is not None


@pytest.mark.parametrize(("seconds", "taken"), [(60.0, False), (119.0, False), (121.0, True)])
def test_a_run_of_another_host_is_taken_on_after_two_minutes_of_silence(
    outbox: Outbox, seconds: float, taken: bool
) -> None:
    folder = left_behind(outbox, host="other boot pid:[1]")
    _beat(folder, seconds, "other boot pid:[1]")

    assert (_adopted(outbox, folder) is not None) is taken
    if taken:
        assert folder.heartbeat()[0] == host_identity(), "so that a third host leaves it alone"


def test_what_somebody_else_delivers_is_left_to_it(outbox: Outbox) -> None:
    folder = left_behind(outbox)
    holder = holder_of(folder)
    assert _adopted(outbox, folder) is None
    release(holder)
    assert _adopted(outbox, folder) is not None


def test_a_handover_is_requested_when_the_run_is_over_and_the_folder_is_for_us(
    outbox: Outbox,
) -> None:
    over = left_behind(outbox, "over")
    living = left_behind(outbox, "living", **alive())
    empty = outbox.create("empty")
    lock = over.lock()
    assert lock is not None

    assert not request_handover(outbox, over, Account.of_given("key:SomebodyElse"))
    assert not request_handover(outbox, living, ACCOUNT)
    assert not request_handover(outbox, empty, ACCOUNT)
    assert not is_handover_requested(lock)
    assert request_handover(outbox, over, ACCOUNT)
    assert is_handover_requested(lock)
    os.close(lock)


def test_events_for_another_destination_wait(outbox: Outbox) -> None:
    folder = left_behind(outbox)
    before = folder.size()

    assert _adopted(outbox, folder, "key:SomebodyElse") is None
    assert folder.size() == before
    lock = folder.lock()
    assert lock is not None, "and their lock is free again"
    os.close(lock)


@pytest.mark.parametrize("finished", [True, False])
def test_what_is_too_old_is_given_up_whatever_it_is_meant_for(
    outbox: Outbox, finished: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox, finished=finished, destination="key:Gone")
    assert _adopted(outbox, folder) is None
    _beat(folder, 3700)
    _later(monkeypatch, 3500)
    assert _adopted(outbox, folder) is None, "it has waited for less than an hour"
    assert folder.exists()

    _later(monkeypatch, 3700)
    assert _adopted(outbox, folder) is None
    assert not folder.exists()
    [(path, letters)] = all_letters(outbox)
    assert path.stem == "d1"
    assert {letter["destination"] for letter in letters} == {"key:Gone"}
    names = [name for letter in letters for name in names_of(letter["events"])]
    failure = [] if finished else ["deployment-failure"]
    assert names == ["deployment-start", "deployment-finish", *failure]
    assert all("not delivered within 1 hours" in letter["reason"] for letter in letters)


def test_what_others_are_still_to_deliver_is_not_given_up(outbox: Outbox) -> None:
    folder = left_behind(outbox, destination="key:Away")
    _beat(folder, 3700)

    assert _adopted(outbox, folder) is None
    assert [entry.record for entry in folder.entries()][1] is not None
    assert all_letters(outbox) == [], "its events are of just now"


def test_a_damaged_folder_is_set_aside_and_never_deleted(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    (folder.path / "journal").write_bytes(b"\x00\xffgarbage\n")
    assert _adopted(outbox, folder) is None
    assert folder.exists(), "somebody may be writing it right now"
    folder.beat(host_identity())
    _beat(folder, 200)
    assert _adopted(outbox, folder) is None

    assert not folder.exists()
    assert (outbox.damaged / "d1" / "journal").read_bytes() == b"\x00\xffgarbage\n"


def test_a_damaged_folder_without_a_heartbeat_is_not_touched_before_it_is_set_aside(
    outbox: Outbox,
) -> None:
    folder = outbox.create("d1")
    (folder.path / "journal").write_bytes(b"{}\n")
    (folder.path / "lock").touch()
    moment = time.time() - 200
    os.utime(folder.path, (moment, moment))

    assert _adopted(outbox, folder) is None
    assert not folder.exists()


def test_a_run_killed_before_it_wrote_anything_leaves_nothing(outbox: Outbox) -> None:
    fresh, old = outbox.create("fresh"), outbox.create("old")
    moment = time.time() - 200
    lock = old.lock()
    assert lock is not None
    os.close(lock)
    os.utime(old.path, (moment, moment))

    assert _adopted(outbox, fresh) is None
    assert _adopted(outbox, old) is None
    assert (fresh.exists(), old.exists()) == (True, False)


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(28, "No space left on device"),
        OverflowError("timestamp out of range"),
        KeyError("x"),
        RecursionError(),
        MemoryError(),
        UnicodeEncodeError("utf-8", "x", 0, 1, "surrogates not allowed"),
        DamagedFolder("damaged"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
@pytest.mark.parametrize("where", ["append", "beat", "entries", "heartbeat", "lock", "delivered"])
def test_whatever_a_folder_raises_harms_this_folder_only(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, where: str, trouble: Exception
) -> None:
    folder, other = left_behind(outbox), left_behind(outbox, "other")

    def fail(*_args: object) -> None:
        raise trouble

    with monkeypatch.context() as patch:
        patch.setattr(Folder, where, fail)
        assert adopt(outbox, folder, ACCOUNT, 3600.0) is None
        request_handover(outbox, folder, ACCOUNT)
        set_aside_damaged(outbox, folder)
    assert open_locks(outbox) == []
    assert _adopted(outbox, folder) is not None
    assert _adopted(outbox, other) is not None


# A run writes its finish at the last moment


def _statuses(outbox: Outbox, folder: Folder) -> list[str]:
    """The statuses of all finishes and failure events in a journal and its dead letters."""
    events = [
        event for _path, found in all_letters(outbox) for one in found for event in one["events"]
    ]
    if folder.exists():
        events += [
            event for entry in folder.entries() for event in (entry.record or {}).get("events", [])
        ]
    contents = [json.loads(event["content"]) for event in events]
    return [content["status"] for content in contents if content["phase"] == "finish"]


@pytest.mark.parametrize("destination", [DESTINATION, "key:SomebodyElse"])
def test_a_finish_written_just_before_the_process_ends_is_the_only_one(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, destination: str
) -> None:
    folder = left_behind(outbox)

    def ends_now(_pid: int, _mark: str) -> bool:
        folder.append(finish_record())
        return False

    monkeypatch.setattr(orphans, "is_running", ends_now)
    _later(monkeypatch, 4000 if destination != DESTINATION else 0)
    adopt(outbox, folder, Account.of_given(destination), 3600.0)

    assert set(_statuses(outbox, folder)) == {"succeeded"}


@pytest.mark.parametrize("moment", ["heartbeat", "present"])
@pytest.mark.parametrize("finished_before", [True, False])
def test_a_finish_written_on_another_host_just_before_two_minutes_are_over_is_the_only_one(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, moment: str, finished_before: bool
) -> None:
    """The finish comes while the evidence of the run's end is looked at, or not at all."""
    folder = left_behind(outbox, host="other boot pid:[1]")
    _beat(folder, 130, "other boot pid:[1]")
    owner: type = Folder if moment == "heartbeat" else Outbox
    real = getattr(owner, moment)
    written = [] if finished_before else [True]

    def at_this_moment(self: Any) -> Any:
        if not written:
            written.append(True)
            folder.append(finish_record())
        return real(self)

    monkeypatch.setattr(owner, moment, at_this_moment)
    assert _adopted(outbox, folder) is not None

    statuses = ["succeeded"] if finished_before else ["aborted", "aborted"]
    assert _statuses(outbox, folder) == statuses


@pytest.mark.parametrize("content", [b"", b'{"record":"run"'])
def test_a_folder_that_gets_its_first_record_at_the_last_moment_is_kept(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    folder = outbox.create("d1")
    (folder.path / "journal").write_bytes(content)
    folder.beat("other boot pid:[1]")
    _beat(folder, 130)
    real = Outbox.present

    def present(self: Outbox) -> float:
        folder.append(run_of(**alive()).dump(), start_record())
        return real(self)

    monkeypatch.setattr(Outbox, "present", present)
    assert _adopted(outbox, folder) is None

    assert folder.exists()
    assert list(outbox.damaged.iterdir()) == []


# Damaged folders


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["journal", "lock"])
def test_a_folder_with_something_else_in_place_of_a_file_is_set_aside_when_its_run_is_over(
    outbox: Outbox, name: str, kind: str
) -> None:
    folder = left_behind(outbox)
    with in_place_of(folder.path / name, kind):
        _beat(folder, 60)
        assert _adopted(outbox, folder) is None
        assert folder.exists(), "its run may be alive"
        _beat(folder, 130)
        assert _adopted(outbox, folder) is None

    assert not folder.exists()
    assert os.path.lexists(outbox.damaged / "d1" / name)
    assert outbox.waiting() == 0
    assert outbox.newly_damaged() == 1


def test_the_damaged_folder_of_a_run_that_is_alive_stays(outbox: Outbox) -> None:
    folder = left_behind(outbox, **alive())
    (folder.path / "lock").mkdir()
    _beat(folder, 1e6)

    assert _adopted(outbox, folder) is None
    assert folder.exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["delivered", "status", "waited", "reserve"])
def test_a_folder_is_adopted_whatever_is_in_place_of_its_other_files(
    outbox: Outbox, name: str, kind: str
) -> None:
    folder = left_behind(outbox)
    with in_place_of(folder.path / name, kind):
        assert _adopted(outbox, folder) is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", [None, "other boot pid:[1]"])
def test_a_heartbeat_that_is_something_else_counts_from_the_folder_s_time(
    outbox: Outbox, kind: str, host: str | None
) -> None:
    folder = left_behind(outbox, host=host or host_identity())
    (folder.path / "lock").touch()
    with in_place_of(folder.path / "heartbeat", kind):
        assert _adopted(outbox, folder) is None
        moment = time.time() - 200
        os.utime(folder.path, (moment, moment))
        assert _adopted(outbox, folder) is not None
    assert folder.heartbeat()[0] == host_identity()


@pytest.mark.parametrize("beat", [1e12, 2.6e11, 4e9, -1e9, 0.0])
@pytest.mark.parametrize("host", [None, "other boot pid:[1]"])
def test_a_heartbeat_at_an_impossible_time_delays_for_two_minutes_at_most(
    outbox: Outbox, beat: float, host: str | None
) -> None:
    folder = left_behind(outbox, host=host or host_identity())
    folder.beat(host or host_identity())
    os.utime(folder.path / "heartbeat", (beat, beat))
    found = _adopted(outbox, folder)
    if found is None:
        assert host is not None
        assert beat > time.time()
        assert folder.heartbeat()[1] <= time.time() + 1
        _beat(folder, 130)
        found = _adopted(outbox, folder)

    assert found is not None
    content = json.loads((folder.entries()[-1].record or {})["events"][0]["content"])
    assert content["finished_at"] >= content["started_at"]
    assert content["finished_at"] < "2100"


def test_a_run_of_this_host_is_alive_whatever_its_heartbeat_says(outbox: Outbox) -> None:
    folder = left_behind(outbox, **alive())
    _beat(folder, 1e6, "damaged")

    assert _adopted(outbox, folder) is None


def test_what_was_adopted_on_this_host_is_adopted_again_at_once(outbox: Outbox) -> None:
    folder = left_behind(outbox, host="other boot pid:[1]", pid=os.getpid())
    folder.beat(host_identity())

    assert _adopted(outbox, folder) is not None


def test_a_process_that_cannot_be_looked_at_may_be_alive(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox)

    def too_many(*_args: object, **_named: object) -> str:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Path, "read_text", too_many)
    assert is_running(os.getpid(), "any")
    monkeypatch.undo()
    assert _adopted(outbox, folder) is not None


# The account of the default chain

UNDECIDED = "chain:ecs_ram_role:"
FOUND = Account("key:LTAI-found", frozenset({"key:LTAI-found", UNDECIDED}))


def test_an_undecided_folder_belongs_to_the_first_account_that_adopts_it(outbox: Outbox) -> None:
    folder = left_behind(outbox, destination=UNDECIDED)
    other = Account("key:LTAI-other", frozenset({"key:LTAI-other", UNDECIDED}))

    assert _adopted(outbox, folder) is None
    found = adopt(outbox, folder, FOUND, 3600.0)
    assert found is not None
    assert found[0].destination == FOUND.destination
    os.close(found[1])
    assert adopt(outbox, folder, other, 3600.0) is None
    assert not request_handover(outbox, folder, other)


def test_a_folder_is_that_of_the_account_that_its_chain_has_found(outbox: Outbox) -> None:
    folder = left_behind(outbox, destination=UNDECIDED)
    folder.set_destination(DESTINATION)

    assert adopt(outbox, folder, FOUND, 3600.0) is None
    assert _adopted(outbox, folder) is not None


@pytest.mark.parametrize("damage", ["empty", "folder", "fifo", "link"])
def test_a_destination_that_cannot_be_read_waits(outbox: Outbox, damage: str) -> None:
    folder = left_behind(outbox, destination=UNDECIDED)
    decided = left_behind(outbox, "decided")
    for path in (folder.path / "destination", decided.path / "destination"):
        if damage == "folder":
            path.mkdir()
        elif damage == "fifo":
            os.mkfifo(path)
        elif damage == "link":
            path.symlink_to(folder.path / "journal")
        else:
            path.touch()

    assert adopt(outbox, folder, FOUND, 3600.0) is None
    assert _adopted(outbox, decided) is not None, "the journal names it, so the file is not read"
