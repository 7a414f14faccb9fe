# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next attempt is made: one courier, and whole fleets in simulated time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import Outcome
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.pace import (
    BACKOFF_MAX,
    ORPHAN_SECONDS,
    RETRY_AFTER_MAX,
    OrphanPace,
    Pace,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils._outbox.fleet import (
    OldPace,
    simulate,
    table,
)

GUIDE = Path(__file__).resolve().parents[5] / "docs" / "operations.md"
LATER = Outcome.OUTAGE, Outcome.THROTTLED, Outcome.REFUSED_FOR_NOW
CHANCES = st.floats(0, 1)


def _waits(pace: Pace, outcome: Outcome, number: int, chance: float = 1.0) -> list[float]:
    """The waits after this many attempts in a row that end so."""
    now, found = 100.0, []
    for _number in range(number):
        pace = pace.after_failure(outcome, now, chance)
        found.append(pace.next_at - now)
        now = pace.next_at
    return found


def test_the_first_attempt_is_made_at_once() -> None:
    assert Pace().is_due(-1e9)


def test_while_ansible_waits_attempts_follow_each_other_quickly() -> None:
    waits = _waits(Pace().expect_finish(100.0, 5.0), Outcome.THROTTLED, 8)

    assert waits[:7] == pytest.approx([0.1, 0.25, 0.5, 1.0, 1.0, 1.0, 1.0])
    assert waits[7] == 128, "the next would come after Ansible has stopped waiting"


@pytest.mark.parametrize("outcome", [Outcome.OUTAGE, Outcome.THROTTLED])
def test_the_finish_is_sent_at_once_whatever_came_before(outcome: Outcome) -> None:
    pace = Pace()
    for _number in range(20):
        pace = pace.after_failure(outcome, 100.0, 1.0)
    assert not pace.is_due(101.0)

    assert pace.expect_finish(101.0, 5.0).is_due(101.0)
    assert _waits(pace.expect_finish(100.0, 5.0), outcome, 1)[0] < 0.2


@given(asked=st.floats(0, 1e9), outcome=st.sampled_from(LATER), chance=CHANCES)
def test_nothing_is_sent_before_the_time_that_the_service_asked_for(
    asked: float, outcome: Outcome, chance: float
) -> None:
    failed = Pace().expect_finish(0.0, 5.0).after_failure(outcome, 0.0, chance, asked)

    for pace in (failed, failed.expect_finish(1.0, 60.0)):
        assert pace.next_at >= min(asked, RETRY_AFTER_MAX)
        assert not pace.is_due(min(asked, RETRY_AFTER_MAX) - 0.001)


def test_after_throttling_the_longest_wait_doubles_up_to_300_s() -> None:
    assert _waits(Pace(), Outcome.THROTTLED, 11) == pytest.approx(
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    )
    assert _waits(Pace(), Outcome.THROTTLED, 3, chance=0.0) == [0, 0, 0], "full jitter"


def test_one_acceptance_halves_the_backoff() -> None:
    pace = Pace()
    for _number in range(7):
        pace = pace.after_failure(Outcome.THROTTLED, 100.0, 1.0)
    assert pace.throttled_max == 64

    accepted = pace.after_acceptance()
    assert accepted.is_due(100.0)
    assert accepted.after_failure(Outcome.THROTTLED, 100.0, 1.0).throttled_max == 64
    for expected in (32, 16, 8, 4, 2, 1, 0, 0):
        pace = pace.after_acceptance()
        assert pace.throttled_max == expected


def test_an_outage_is_tried_again_within_eight_seconds_and_keeps_what_throttling_taught() -> None:
    pace = Pace(throttled_max=64.0)

    assert _waits(pace, Outcome.OUTAGE, 7) == pytest.approx([0.5, 1, 2, 4, 8, 8, 8])
    failed = pace.after_failure(Outcome.OUTAGE, 100.0, 1.0)
    assert failed.after_failure(Outcome.THROTTLED, 100.0, 1.0).throttled_max == 128


def test_a_refusal_that_can_pass_is_tried_a_few_times_per_linger() -> None:
    waits = _waits(Pace().expect_finish(100.0, 15.0), Outcome.REFUSED_FOR_NOW, 6)

    assert waits == pytest.approx([20, 40, 80, 160, 300, 300])
    assert _waits(Pace(), Outcome.REFUSED_FOR_NOW, 2, chance=0.0) == pytest.approx([10, 20])


def test_a_final_refusal_shows_that_the_service_is_within_reach() -> None:
    failed = Pace().after_failure(Outcome.OUTAGE, 100.0, 1.0).after_refusal()

    assert failed.is_due(100.0)
    assert _waits(failed, Outcome.OUTAGE, 1) == [0.5]


@given(st.lists(st.tuples(st.sampled_from(LATER), CHANCES), max_size=60), st.floats(0, 1e6))
def test_no_wait_is_negative_or_longer_than_the_longest(
    attempts: list[tuple[Outcome, float]], begin: float
) -> None:
    pace, now = Pace(), begin
    for outcome, chance in attempts:
        pace = pace.after_failure(outcome, now, chance)
        assert now <= pace.next_at <= now + BACKOFF_MAX + 0.001
        now = pace.next_at


def test_orphans_get_at_most_ten_requests_a_second_beside_a_run() -> None:
    assert OrphanPace().is_due(-1e9)
    pace, now, sent = OrphanPace(), 100.0, 0
    while now < 101.0:
        if pace.is_due(now):
            pace, sent = OrphanPace.after_request(now), sent + 1
        now += 0.001

    assert sent == 1 / ORPHAN_SECONDS == 10
    assert OrphanPace.after_search(100.0).next_at < 100.0 + ORPHAN_SECONDS / 10


@pytest.mark.parametrize("hosts", [200, 1000])
@pytest.mark.parametrize("refused_count", [True, False])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_fleet_delivers_everything(hosts: int, refused_count: bool, seed: int) -> None:
    result = simulate(hosts, refused_count, Pace(), seed)

    assert result.delivered == result.requests
    assert result.seconds < (120 if hosts == 200 else 720)


def test_the_old_rule_keeps_a_fleet_above_its_limit() -> None:
    assert simulate(1000, True, OldPace()).delivered < 100


@pytest.mark.slow
def test_the_guide_has_the_table_of_the_simulation() -> None:
    assert f"\n\n{table()}\n\n" in GUIDE.read_text(encoding="utf-8"), f"use:\n{table()}"
