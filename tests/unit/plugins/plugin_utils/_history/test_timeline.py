# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline shows every deployment of a period exactly once, in a bounded number of marks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.timeline import (
    COLUMNS,
    MAX_LANES,
    Point,
    first_zoom,
    zooms,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import (
    report_samples as samples,
)

NOW, DAY = samples.NOW, 86_400.0
STATES = ("succeeded", "failed", "aborted", "empty", "running", "overdue")


def point(days: float, state: str = "succeeded", lane: str | None = "production") -> Point:
    return Point(NOW - days * DAY, lane, state, "shop 1.4.2", "d0")


points = st.lists(
    st.builds(
        point,
        st.floats(-1, 100),
        st.sampled_from(STATES),
        st.none() | st.text(max_size=2) | st.integers(0, 30).map(str),
    ),
    max_size=80,
)


@given(points)
def test_every_deployment_of_a_period_is_in_exactly_one_mark(some: list[Point]) -> None:
    for zoom, days in zip(zooms(some, NOW - 90 * DAY, NOW), (1, 7, 30, 90), strict=True):
        inside = [one for one in some if one.at >= NOW - days * DAY]
        marks = [mark for lane in zoom.lanes for mark in lane.marks]

        assert sum(mark.count for mark in marks) == len(inside) == zoom.total
        assert len(zoom.lanes) <= MAX_LANES
        assert all(len(lane.marks) <= 2 * COLUMNS for lane in zoom.lanes)
        assert all(0 < mark.x < 100 for mark in marks)
        # A mark that hides a problem would be misleading.
        troubles = [one for one in inside if one.state in ("overdue", "failed", "aborted")]
        assert sum(mark.count for mark in marks if mark.raised) == len(troubles)


def test_a_mark_shows_its_deployments_in_words() -> None:
    near = [point(0.495), point(0.4951, "failed"), point(0.4952, "aborted"), point(20)]
    day, _week, month = zooms(near, NOW - 30 * DAY, NOW)[:3]

    assert [mark.state for mark in day.lanes[0].marks] == ["succeeded", "failed"]
    single, double = day.lanes[0].marks
    assert single.lines == ("shop 1.4.2", "succeeded, 2026-11-25 12:07 UTC")
    assert double.lines[0] == "2 deployments: 1 aborted, 1 failed"
    assert month.lanes[0].summary == "4 deployments: 1 aborted, 1 failed, 2 succeeded"


def test_zooms_are_shorter_than_the_period_and_begin_with_what_shows_most() -> None:
    keys = [one.key for one in zooms([point(1)], NOW - 7 * DAY, NOW)]

    assert keys == ["day", "period"]
    assert first_zoom(zooms([point(0.5)], NOW - 90 * DAY, NOW)) == "day"
    assert first_zoom(zooms([point(3)], NOW - 90 * DAY, NOW)) == "week"
    assert first_zoom(zooms([point(80)], NOW - 90 * DAY, NOW)) == "month"
    assert first_zoom(zooms([point(6)], NOW - 7 * DAY, NOW)) == "period"


@given(st.floats(1, 4000 * DAY))
def test_the_axis_has_a_few_lines_at_round_times(length: float) -> None:
    ticks = zooms([], NOW - length, NOW)[-1].ticks

    assert len(ticks) <= 9
    assert ticks or length < 3 * 3600
    assert all(0 <= tick.x <= 100.01 for tick in ticks)
    assert [tick.x for tick in ticks] == sorted({tick.x for tick in ticks})


def test_further_environments_share_a_lane() -> None:
    some = [point(1, lane=f"env-{number:02}") for number in range(20)]
    *lanes, rest = zooms(some, NOW - 90 * DAY, NOW)[-1].lanes

    assert [lane.name for lane in lanes] == [f"env-{number:02}" for number in range(7)]
    assert rest.others == 13
    assert sum(mark.count for mark in rest.marks) == 13
