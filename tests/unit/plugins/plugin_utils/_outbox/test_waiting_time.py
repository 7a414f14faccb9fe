# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event is given up only after it has really waited, whatever the clocks did."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    Uptime,
    uptime,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.waiting_time import (
    WaitingTime,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    Service,
    all_letters,
    left_behind,
    new_outbox,
)

HOUR, DAY = 3600.0, 86_400.0
TTL = 7 * DAY
NOW = 1_790_000_000.0


@dataclass
class Board:
    """A computer: its clock, and for how long it has been up. ``waited``: what really passed."""

    wall: float = NOW
    boot: str = "boot 1"
    up: float = 100.0
    waited: float = 0.0

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.up += seconds
        self.waited += seconds

    def step(self, seconds: float) -> None:
        """Set the clock."""
        self.wall += seconds

    def reboot(self, off: float = 0.0, wall: float | None = None) -> None:
        """Be off for some seconds; ``wall``: the clock afterwards."""
        self.wall = self.wall + off if wall is None else wall
        self.boot, self.up = self.boot + "'", 10.0
        self.waited += off

    def look(self, folder: Folder, outbox: Outbox, ttl: float = TTL) -> Delivery:
        """Open the folder as a courier does."""
        delivery = Delivery(
            outbox, folder, ttl, lambda: self.wall, lambda: Uptime(self.boot, self.up)
        )
        delivery.refresh()
        os.utime(folder.path / "waited", (self.wall, self.wall))
        return delivery


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Board:
    board = Board()
    monkeypatch.setattr(Outbox, "present", lambda _outbox: board.wall)
    return board


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


def given_up(delivery: Delivery, outbox: Outbox) -> bool:
    delivery.give_up()
    return bool(all_letters(outbox))


def test_an_event_is_given_up_after_its_time(outbox: Outbox, board: Board) -> None:
    delivery = board.look(left_behind(outbox), outbox)
    board.wait(TTL - 1)
    assert not given_up(delivery, outbox)
    board.wait(2)
    assert given_up(delivery, outbox)
    [(_path, [letter])] = all_letters(outbox)
    assert letter["reason"] == "not delivered within 168 hours"


def test_the_time_between_two_runs_counts(outbox: Outbox, board: Board) -> None:
    folder = left_behind(outbox)
    board.look(folder, outbox)
    board.wait(TTL - 1)
    assert not given_up(board.look(folder, outbox), outbox)
    board.wait(2)
    assert given_up(board.look(folder, outbox), outbox)


@pytest.mark.parametrize("start", [60.0, NOW - 400 * DAY, NOW, NOW + 400 * DAY])
@pytest.mark.parametrize("step", [-TTL, 2 * TTL, 400 * DAY, 56 * 365 * DAY])
def test_a_clock_that_jumps_during_a_run_changes_nothing(
    outbox: Outbox, board: Board, start: float, step: float
) -> None:
    board.wall = start
    delivery = board.look(left_behind(outbox), outbox)
    board.wait(HOUR)
    board.step(step)
    board.wait(HOUR)
    assert not given_up(delivery, outbox)
    board.wait(TTL)
    assert given_up(delivery, outbox)


@pytest.mark.parametrize("step", [-TTL, 2 * TTL, 400 * DAY, 56 * 365 * DAY])
def test_a_clock_that_jumps_between_two_runs_changes_nothing(
    outbox: Outbox, board: Board, step: float
) -> None:
    folder = left_behind(outbox)
    board.look(folder, outbox)
    board.step(step)
    board.wait(HOUR)
    assert not given_up(board.look(folder, outbox), outbox)
    board.wait(TTL)
    assert given_up(board.look(folder, outbox), outbox)


@pytest.mark.parametrize("boots", [2, 6, 20])
def test_a_board_that_starts_in_1970_again_and_again_gives_nothing_up_early(
    outbox: Outbox, board: Board, boots: int
) -> None:
    folder = left_behind(outbox)
    for _number in range(boots):
        board.reboot(wall=30.0)
        board.look(folder, outbox)
        board.wait(60)
        board.wall = NOW  # the network is there
        delivery = board.look(folder, outbox)
        board.wait(60)
        assert not given_up(delivery, outbox)
    board.wait(TTL)
    assert given_up(board.look(folder, outbox), outbox)


def test_a_clock_that_was_behind_before_a_reboot_gives_nothing_up_by_itself(
    outbox: Outbox, board: Board
) -> None:
    folder = left_behind(outbox)
    board.look(folder, outbox)
    board.reboot(wall=NOW + 100 * DAY)
    assert not given_up(board.look(folder, outbox), outbox)


def test_days_without_power_count_in_the_end(outbox: Outbox, board: Board) -> None:
    folder = left_behind(outbox)
    board.look(folder, outbox)
    for _number in range(4):
        board.reboot(off=2 * DAY)
        delivery = board.look(folder, outbox)
    assert given_up(delivery, outbox)


def test_an_event_dated_in_the_future_does_not_wait_for_ever(outbox: Outbox, board: Board) -> None:
    board.wall = NOW + 1000 * DAY
    folder = left_behind(outbox)
    delivery = board.look(folder, outbox)
    board.wall = NOW
    board.wait(TTL + 1)
    assert given_up(delivery, outbox)


def test_the_finish_of_a_run_of_many_days_is_new(outbox: Outbox, board: Board) -> None:
    folder = left_behind(outbox)
    delivery = board.look(folder, outbox)
    board.wait(TTL + HOUR)
    delivery.end("killed", board.wall)
    service = Service()
    delivery.step(service.send)

    assert service.accepted == ["deployment-finish", "deployment-failure"]
    [(_path, letters)] = all_letters(outbox)
    assert [event["name"] for letter in letters for event in letter["events"]] == [
        "deployment-start"
    ]


def test_a_finish_that_is_written_for_a_run_that_ended_long_ago_is_as_old(
    outbox: Outbox, board: Board
) -> None:
    folder = left_behind(outbox)
    delivery = board.look(folder, outbox)
    board.wait(TTL + HOUR)
    delivery.end("lost", NOW)
    delivery.give_up()

    assert delivery.done
    assert sum(len(letter["events"]) for _path, found in all_letters(outbox) for letter in found)


def test_a_folder_without_a_note_waits_from_now_on(outbox: Outbox, board: Board) -> None:
    folder = left_behind(outbox)
    for text in (
        "",
        "[]",
        "{}",
        '{"waited": "x"}',
        '{"waited":1e99,"boot":"b","uptime":1,"seen":7}',
    ):
        (folder.path / "waited").write_text(text)
        assert not given_up(board.look(folder, outbox), outbox)


def test_a_flush_gives_nothing_up_and_notes_nothing(outbox: Outbox) -> None:
    folder = left_behind(outbox)
    delivery = Delivery(outbox, folder, float("inf"), lambda: NOW)
    delivery.refresh()
    assert not (folder.path / "waited").exists()


_SEEN = st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1e9)), max_size=5)


@given(waited=st.floats(0, 1e9), seen=_SEEN, at=st.integers(0, 10**6))
def test_a_note_can_be_read_again_and_ages_are_never_negative(
    waited: float, seen: Sequence[tuple[int, float]], at: int
) -> None:
    times = WaitingTime(0.0, Uptime("b", 0.0))
    for end, moment in seen:
        times = WaitingTime(max(times.waited, moment), times.uptime, times.seen).with_lines(end)
    assert WaitingTime.read(times.dump()) == times
    assert 0 <= times.age(at) <= times.waited


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(key=st.sampled_from(["waited", "boot", "uptime", "seen"]), to=_JSON)
def test_a_damaged_note_is_none_or_gives_nothing_up(key: str, to: Any) -> None:
    times = WaitingTime(5.0, Uptime("b", 1.0), ((10, 2.0),))
    found = WaitingTime.read(json.dumps({**json.loads(times.dump()), key: to}))

    assert found is None or 0 <= found.age(10) <= found.waited


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["wait", "step", "reboot"]),
            st.floats(0, 30 * DAY),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_nothing_is_given_up_before_its_time_while_the_host_is_up(
    steps: list[tuple[str, float, bool]],
) -> None:
    """One reboot with a wrong clock proves at most half of the time."""
    board = Board()
    times = WaitingTime(0.0, Uptime(board.boot, board.up)).with_lines(10)
    noted_at, rebooted = board.wall, 0
    for kind, seconds, back in steps:
        if kind == "wait":
            board.wait(seconds)
        elif kind == "step":
            board.step(-seconds if back else seconds)
        else:
            board.reboot(wall=board.wall + seconds)
            rebooted += 1
        times = times.until(Uptime(board.boot, board.up), noted_at, lambda: board.wall, TTL)
        noted_at = board.wall
        assert times.age(10) <= board.waited + rebooted * (TTL / 2) + 1e-3
        assert times.age(10) >= 0


def test_the_time_since_the_boot_goes_on(tmp_path: Path) -> None:
    first, second = uptime(), uptime()
    assert first.boot == second.boot
    assert 0 < first.seconds <= second.seconds
