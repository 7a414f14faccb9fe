# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Emptying the outbox as far as possible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._flush import (
    SHOWN_LETTERS,
    Flush,
    count,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    alive,
    holder_of,
    left_behind,
    new_outbox,
    release,
    start_record,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.test__delivery import (
    Service,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


def _flush(outbox: Outbox, service: Service, destination: str = DESTINATION) -> Flush:
    return Flush(outbox, destination, service.send)


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


def test_what_is_alive_held_or_meant_for_others_is_left_and_counted(outbox: Outbox) -> None:
    left_behind(outbox, "alive", **alive())
    left_behind(outbox, "theirs", finished=True, destination="key:Other")
    holder = holder_of(left_behind(outbox, "held"))
    service = Service()
    flushed = _flush(outbox, service).run("keep")
    release(holder)

    assert (flushed.delivered, flushed.pending, flushed.changed) == (0, 4, False)
    assert service.requests == []


def test_trouble_stops_at_the_first_request_and_keeps_all(outbox: Outbox) -> None:
    for name in ("a", "b", "c"):
        left_behind(outbox, name, finished=True)
    service = Service(["keep"] * 9)
    flushed = _flush(outbox, service).run("keep")

    assert len(service.requests) == 1
    assert flushed.pending == 6
    assert flushed.error is not None


def test_a_refused_key_does_not_turn_the_whole_outbox_into_dead_letters(outbox: Outbox) -> None:
    for name in ("a", "b", "c"):
        left_behind(outbox, name, finished=True)
    flushed = _flush(outbox, Service(["refused"] * 9)).run("keep")

    assert (flushed.pending, flushed.delivered) == (4, 0)
    assert flushed.dead_count == 2
    assert flushed.error is not None


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
    outbox.bury("mine", _letter())
    outbox.bury("theirs", _letter("key:Other"))
    assert _flush(outbox, Service()).run("keep").dead_count == 2

    service = Service()
    flushed = _flush(outbox, service).run("retry")
    assert (flushed.delivered, flushed.dead_count, flushed.changed) == (1, 1, True)
    assert flushed.dead[0]["deployment"] == "theirs"

    assert _flush(outbox, Service()).run("drop").dead_count == 0


def test_a_dead_letter_that_is_refused_again_stays_one(outbox: Outbox) -> None:
    for name in ("a", "b"):
        outbox.bury(name, _letter())
    service = Service(["refused"] * 9)
    flushed = _flush(outbox, service).run("retry")

    assert (flushed.delivered, flushed.dead_count) == (0, 2)
    assert len(service.requests) == 1


def test_counting_changes_nothing(outbox: Outbox) -> None:
    left_behind(outbox, finished=True)
    for _number in range(SHOWN_LETTERS + 5):
        outbox.bury("d1", _letter())
    before = sorted(path.stat().st_mtime_ns for path in outbox.root.rglob("*"))
    counted = count(outbox)

    assert (counted.pending, counted.dead_count, len(counted.dead)) == (2, 105, 100)
    assert counted.dead[0]["reason"] == "refused"
    assert sorted(path.stat().st_mtime_ns for path in outbox.root.rglob("*")) == before
