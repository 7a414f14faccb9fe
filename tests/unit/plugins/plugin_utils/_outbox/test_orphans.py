# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose run is over for certain, and who may take it on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import (
    Account,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    host_identity,
    process_mark,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.orphans import (
    adopt,
    ask_for,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
    is_asked_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    alive,
    holder_of,
    left_behind,
    names_of,
    new_outbox,
    release,
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


def test_a_folder_is_asked_for_when_its_run_is_over_and_it_is_meant_for_us(outbox: Outbox) -> None:
    over = left_behind(outbox, "over")
    living = left_behind(outbox, "living", **alive())
    empty = outbox.create("empty")
    lock = over.lock()
    assert lock is not None

    assert not ask_for(outbox, over, Account.of_given("key:SomebodyElse"))
    assert not ask_for(outbox, living, ACCOUNT)
    assert not ask_for(outbox, empty, ACCOUNT)
    assert not is_asked_for(lock)
    assert ask_for(outbox, over, ACCOUNT)
    assert is_asked_for(lock)
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
    outbox: Outbox, finished: bool
) -> None:
    folder = left_behind(outbox, finished=finished, destination="key:Gone")
    old = time.time() - 4000
    text = (folder.path / "journal").read_text()
    text = re.sub(r'"at":[0-9.]+', f'"at":{old:f}', text)
    (folder.path / "journal").write_text(text)
    _beat(folder, 3500)
    assert _adopted(outbox, folder) is None, "nobody has looked at it for less than an hour"
    assert folder.exists()

    _beat(folder, 3700)
    assert _adopted(outbox, folder) is None
    assert not folder.exists()
    [(path, letters)] = outbox.letters()
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
    assert list(outbox.letters()) == [], "its events are of just now"


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


def test_a_folder_that_cannot_be_adopted_keeps_no_lock(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "append", full)
        with pytest.raises(OSError, match="No space"):
            adopt(outbox, folder, ACCOUNT, 3600.0)
    assert _adopted(outbox, folder) is not None


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
    assert not ask_for(outbox, folder, other)


def test_a_folder_is_that_of_the_account_that_its_chain_has_found(outbox: Outbox) -> None:
    folder = left_behind(outbox, destination=UNDECIDED)
    folder.set_destination(DESTINATION)

    assert adopt(outbox, folder, FOUND, 3600.0) is None
    assert _adopted(outbox, folder) is not None


@pytest.mark.parametrize("damage", ["empty", "folder", "link"])
def test_a_destination_that_cannot_be_read_waits(outbox: Outbox, damage: str) -> None:
    folder = left_behind(outbox, destination=UNDECIDED)
    decided = left_behind(outbox, "decided")
    for path in (folder.path / "destination", decided.path / "destination"):
        if damage == "folder":
            path.mkdir()
        elif damage == "link":
            path.symlink_to(folder.path / "journal")
        else:
            path.touch()

    assert adopt(outbox, folder, FOUND, 3600.0) is None
    assert _adopted(outbox, decided) is not None, "the journal names it, so the file is not read"
