# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline: deployments as marks in one lane per environment, for several periods. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil

from ...module_utils._api.frozen import frozen
from .._outbox.terminal import counted
from .words import tick_words, time_words

# A mark and its neighbour do not overlap on a wide screen.
COLUMNS = 60
# Further environments share one lane.
MAX_LANES = 8
_DAY = 86400
# A zoom and its width in days; the whole period comes last.
_ZOOMS = (("day", "Day", 1), ("week", "Week", 7), ("month", "Month", 30))
WHOLE_PERIOD = "period"
# From the most to the least important: the shape of a mark is that of the first one in it.
_TROUBLE = ("overdue", "failed", "aborted")
_STEPS = (3 * 3600, _DAY)
_MAX_TICKS = 8


@frozen
class Point:
    """One deployment: when (epoch seconds), where, its state, a short text, and its anchor.

    ``state``: a status of the content, or ``overdue``. ``anchor``: the id of its row in the table
    of deployments, None if it is not in the table.
    """

    at: float
    lane: str | None
    state: str
    text: str
    anchor: str | None


@frozen
class Mark:
    """One or more deployments at the same place.

    ``x``: the position in percent. ``state``: the shape. ``count``: the number of deployments.
    ``lines``: the text of the mark, from the newest deployment. ``side``: the side of the mark on
    which there is room for the text, as in SVG (``start``: to its right).
    """

    x: float
    state: str
    count: int
    lines: tuple[str, ...]
    anchor: str | None
    side: str

    @property
    def raised(self) -> bool:
        """Whether the mark is above the others, because it shows a problem."""
        return self.state in _TROUBLE


@frozen
class Lane:
    """The marks of one environment, or of all ``others``; ``summary`` counts them in words."""

    name: str | None
    others: int
    summary: str
    marks: tuple[Mark, ...]


@frozen
class Tick:
    """A line of the time axis: its position in percent and its label."""

    x: float
    label: str


@frozen
class Zoom:
    """The timeline of one period, which ends now."""

    key: str
    label: str
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    total: int


def zooms(points: Sequence[Point], since: float, now: float) -> tuple[Zoom, ...]:
    """Return the timelines of the last day, week and month, and of the whole period.

    Only those that are shorter than the whole period are there.
    """
    found = []
    for key, label, days in _ZOOMS:
        if days * _DAY < 0.95 * (now - since):
            found.append(_zoom(key, label, points, now - days * _DAY, now))
    found.append(_zoom(WHOLE_PERIOD, "Whole period", points, since, now))
    return tuple(found)


def first_zoom(found: Sequence[Zoom]) -> str:
    """Return the key of the zoom to begin with: the shortest one with everything, or the month."""
    total = found[-1].total
    keys = [one.key for one in found if one.total == total or one.key == "month"]
    return keys[0] if keys else found[-1].key


def _zoom(key: str, label: str, points: Sequence[Point], since: float, now: float) -> Zoom:
    # A running clock and a clock that was set back: what is later than now is shown at its end.
    shown = [point for point in points if point.at >= since]
    kept = _lane_names(points)
    lanes = []
    for name in sorted(kept, key=lambda one: (one is None, (one or "").casefold(), one)):
        lanes.append(_lane(name, 0, [one for one in shown if one.lane == name], since, now))
    others = {point.lane for point in points} - kept
    if others:
        rest = [point for point in shown if point.lane in others]
        lanes.append(_lane(None, len(others), rest, since, now))
    return Zoom(key, label, tuple(lanes), _ticks(since, now), len(shown))


def _lane_names(points: Iterable[Point]) -> set[str | None]:
    """Return the environments with a lane: those with the most deployments in the period."""
    numbers = Counter(point.lane for point in points)
    order = sorted(numbers, key=lambda one: (-numbers[one], one is None, one or ""))
    return set(order if len(order) <= MAX_LANES else order[: MAX_LANES - 1])


def _lane(name: str | None, others: int, points: Sequence[Point], since: float, now: float) -> Lane:
    cells: dict[tuple[int, bool], list[Point]] = {}
    for point in points:
        part = (point.at - since) / max(1.0, now - since)
        column = min(COLUMNS - 1, max(0, int(part * COLUMNS)))
        cells.setdefault((column, point.state in _TROUBLE), []).append(point)
    marks = [_mark(column, cells[column, raised]) for column, raised in sorted(cells)]
    return Lane(name, others, _summary(points), tuple(marks))


def _mark(column: int, points: Sequence[Point]) -> Mark:
    newest = max(points, key=lambda point: point.at)
    numbers = Counter(point.state for point in points)
    order = (*_TROUBLE, "running", "succeeded", "empty")
    state = next((one for one in order if numbers[one]), newest.state)
    if len(points) == 1:
        lines: tuple[str, ...] = (newest.text, f"{newest.state}, {time_words(newest.at)} UTC")
    else:
        first = min(point.at for point in points)
        times = f"{time_words(first)} to {time_words(newest.at)[-5:]} UTC"
        if time_words(first)[:10] != time_words(newest.at)[:10]:
            times = f"{time_words(first)} to {time_words(newest.at)}"
        lines = (_summary(points), times, f"newest: {newest.text}")
    side = "start" if column < 0.35 * COLUMNS else "end" if column > 0.65 * COLUMNS else "middle"
    x = round((column + 0.5) * 100 / COLUMNS, 2)
    return Mark(x, state, len(points), lines, newest.anchor, side)


def _summary(points: Sequence[Point]) -> str:
    numbers = Counter(point.state for point in points)
    parts = [f"{number:,} {state}" for state, number in sorted(numbers.items())]
    if not parts:
        return "no deployments"
    if len(parts) == 1 and len(points) > 1:
        return f"{counted(len(points), 'deployment')}, all {next(iter(numbers))}"
    return f"{counted(len(points), 'deployment')}: {', '.join(parts)}"


def _ticks(since: float, now: float) -> tuple[Tick, ...]:
    """Return lines at round times in UTC, at most 9."""
    length = max(1.0, now - since)
    step = next((one for one in _STEPS if length / one <= _MAX_TICKS), 0)
    step = step or 7 * _DAY * ceil(length / _MAX_TICKS / (7 * _DAY))
    newest = int(now // min(step, _DAY)) * min(step, _DAY)
    times = [newest - number * step for number in range(_MAX_TICKS + 1)]
    return tuple(
        Tick(round((at - since) * 100 / length, 2), tick_words(at, step))
        for at in reversed(times)
        if at >= since
    )
