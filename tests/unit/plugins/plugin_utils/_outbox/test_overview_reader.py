# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an outbox for its overview."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overview import (
    Overview,
    State,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overview_reader import (
    read_overview,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import (
    overdue_record,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
    OutboxError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.full_outbox import (
    DOWN,
    fill,
    snapshot,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    alive,
    finish_record,
    holder_of,
    in_place_of,
    left_behind,
    new_outbox,
    release,
    run_of,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


def read(outbox: Outbox, later: float = 0.0) -> Overview:
    return read_overview(outbox, time.time() + later)


def test_everything_in_the_outbox_is_shown_with_its_state(outbox: Outbox) -> None:
    fill(outbox)
    found = read(outbox)

    states = {one.id: (one.name, one.environment, one.state) for one in found.deployments}
    assert states == {
        "running": ("shop", "live", State.RUNNING),
        "waiting": ("shop", None, State.WAITING),
        "lost": ("shop", None, State.WAITING),
    }
    by_id = {one.id: one for one in found.deployments}
    assert (by_id["running"].pid, by_id["running"].problem) == (os.getpid(), None)
    assert (by_id["waiting"].events, by_id["waiting"].problem) == (2, "It is down.")
    assert 0 < (by_id["waiting"].next_attempt_in or 0) <= 42
    assert by_id["lost"].problem == "the run ended without a finish"
    (queue,) = found.queued
    assert (queue.label, queue.events, queue.problem) == ("export", 3, str(DOWN))
    (dead,) = found.dead
    assert (dead.name, dead.letters, dead.events, dead.reason) == ("shop", 2, 4, "second")
    assert [(Path(one.path).name, one.moved) for one in found.damaged] == [("old", True)]
    assert [(one.name, one.events) for one in found.deliveries] == [("site", 2)]
    assert found.totals() == {
        "overdue": 0, "waiting": 2, "running": 1, "queued": 1, "events": 7, "dead_letters": 2,
        "dead_events": 4, "damaged": 1, "unread": 0,
    }  # fmt: skip


def test_reading_changes_nothing_and_locks_nothing(outbox: Outbox) -> None:
    fill(outbox)
    holder = holder_of(left_behind(outbox, "held"))
    before = snapshot(outbox.root)
    found = read(outbox)

    assert snapshot(outbox.root) == before
    assert len(found.deployments) == 4
    lock = outbox.folders()[0].lock()
    assert lock is not None, "nobody keeps the lock"
    os.close(lock)
    release(holder)


def test_a_missing_outbox_is_not_made_and_an_empty_one_is_empty(tmp_path: Path) -> None:
    assert not read(Outbox(tmp_path / "none" / "outbox")).exists
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir(mode=0o700)

    assert read(Outbox(tmp_path / "empty")) == Overview(str(tmp_path / "empty"), exists=True)
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "link", "file in its path"])
def test_an_outbox_that_is_no_directory_is_an_error_that_names_it(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "outbox"
    path.symlink_to(tmp_path) if kind == "link" else path.touch()
    root = path / "below" if kind == "file in its path" else path

    with pytest.raises(OutboxError) as caught:
        read(Outbox(root))
    assert str(root) in caught.value.problem
    assert "name another directory" in str(caught.value)


def test_the_outbox_of_another_user_is_an_error_that_says_so(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with pytest.raises(
        OutboxError, match=r"belongs to another user.*Run this as the user that owns"
    ):
        read(outbox)


def test_an_outbox_without_permission_is_an_error_that_says_so(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(OutboxError, match="Permission denied"):
        read(outbox)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["journal", "status", "heartbeat", "delivered", "lock"])
def test_whatever_is_in_place_of_a_file_harms_one_folder_and_blocks_nothing(
    outbox: Outbox, name: str, kind: str
) -> None:
    folder = left_behind(outbox, "bad", finished=True, host="another host")
    left_behind(outbox, "good", finished=True)
    with in_place_of(folder.path / name, kind):
        found = read(outbox)

    ids = {one.id for one in found.deployments}
    assert ids == ({"good"} if name == "journal" else {"bad", "good"})
    assert [Path(one.path).name for one in found.damaged] == (["bad"] if name == "journal" else [])
    assert not any(one.moved for one in found.damaged)


@pytest.mark.parametrize(
    "head",
    ["no JSON", "{}", '{"record":"run"}', '{"record":"queue","label":1}',
     '{"record":"run","deployment":{"id":"x"},"host":"h","pid":"many","mark":1}'],
)  # fmt: skip
def test_a_folder_whose_first_line_cannot_be_used_is_damaged(outbox: Outbox, head: str) -> None:
    (outbox.create("bad").path / "journal").write_text(head + "\n")

    (bad,) = read(outbox).damaged
    assert (Path(bad.path).name, bad.moved, bad.problem is not None) == ("bad", False, True)


def test_a_folder_that_vanishes_or_is_just_being_made_is_left_out(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.create("new")
    (outbox.create("half").path / "journal").write_text('{"record":"ru')
    gone = left_behind(outbox, "gone")
    left_behind(outbox, "stays")
    monkeypatch.setattr(Folder, "delivered", _vanishing(gone))

    found = read(outbox)
    assert ([one.id for one in found.deployments], found.damaged) == (["stays"], [])


def _vanishing(gone: Folder) -> Any:
    delivered = Folder.delivered

    def remove_first(folder: Folder) -> int:
        if folder.name == gone.name:
            gone.remove()
        return delivered(folder)

    return remove_first


@pytest.mark.parametrize(
    ("later", "state"), [(0.0, State.RUNNING), (130.0, State.WAITING)], ids=["fresh", "silent"]
)
def test_a_run_of_another_host_runs_as_long_as_its_heartbeat_is_fresh(
    outbox: Outbox, later: float, state: State
) -> None:
    left_behind(outbox, "far", host="another host")

    (entry,) = read(outbox, later).deployments
    assert (entry.state, entry.pid) == (state, None)


def test_a_run_that_was_reported_as_overdue_comes_first_until_it_ends(outbox: Outbox) -> None:
    for name in ("early", "late", "ended"):
        folder = left_behind(outbox, name, **alive())
        if name != "early":
            folder.append(overdue_record(run_of(name), 60.0, time.time()))
    folder.append(finish_record("ended"))

    found = read(outbox)
    assert [(one.id, one.state) for one in found.deployments] == [
        ("late", State.OVERDUE),
        ("ended", State.WAITING),
        ("early", State.RUNNING),
    ]
    assert found.next_steps()[0].command == f"ps -fp {os.getpid()}"


def test_what_cannot_be_read_in_time_is_counted(outbox: Outbox) -> None:
    for number in range(5):
        left_behind(outbox, f"d{number}")
    outbox.dead_letters.add("dead", {"reason": "refused"})
    ticks = iter(range(100))
    found = read_overview(outbox, time.time(), lambda: float(next(ticks)), seconds=2.0)

    assert len(found.deployments) == 2
    assert found.unread == 4


def test_the_result_is_limited_and_the_totals_are_not(outbox: Outbox) -> None:
    for number in range(3):
        left_behind(outbox, f"d{number}", finished=True)
    result = read(outbox).as_result(limit=1)

    assert len(result["deployments"]) == 1
    assert result["totals"]["waiting"] == 3
    (entry,) = result["deployments"]
    assert entry["started_at"] == "2025-11-22T08:26:40.250Z"
    assert (entry["state"], entry["events"]) == ("waiting", 2)
    assert entry["age_s"] > 0
    assert stat.S_ISDIR(Path(entry["path"]).stat().st_mode)
