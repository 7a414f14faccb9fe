# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page: no requests, a strict policy, readable without scripts. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment

from ...module_utils._api.frozen import frozen
from ...module_utils._version import VERSION
from .._history.query import Answer
from .._outbox.terminal import counted, width
from .markup import environment
from .timeline import Mark, Point, Zoom, first_zoom, zooms
from .views import (
    MEASURE_NAMES,
    Content,
    ended_at,
    matrix,
    measures,
    row,
    running_row,
    short,
    state_from,
    totals,
)
from .words import (
    cut,
    date_words,
    duration_words,
    isolated,
    text_from,
    time_words,
)

MAX_BYTES = 4_000_000
# The rest of the page is smaller than what is left, unless there are very many services.
_ROWS_BYTES = 3_600_000
# Marks that lead to no row are longer, and there are at most 4,000 of them.
_SLACK_BYTES = 60_000
MAX_METRICS = 300
MAX_RUNNING = 300
_TEMPLATES = Path(__file__).parent / "templates"
_TIP_CHARACTERS = 40
# Before the table is parsed: with scripts, most of its rows are hidden, and need no layout.
_FIRST_SCRIPT = 'document.documentElement.className = "scripts";'
# About the width of a narrow character and the height of a line in the tips, in pixels.
_COLUMN, _LINE = 6.4, 17


@frozen
class Source:
    """Where the deployments come from, as the page names it."""

    label: str
    place: str


@frozen
class Tip:
    """The box with the text of a mark, left of, right of or around it. Pixels."""

    lines: tuple[str, ...]
    x: int
    width: int
    height: int


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return environment(str(_TEMPLATES))


def render(answer: Answer, source: Source, now: float) -> str:
    """Return the page. ``now``: when the answer was found, in epoch seconds.

    It has at most 4 MB of UTF-8. If the deployments do not fit, the oldest ones are omitted, and
    the page shows how many.
    """
    style, script = _asset("page.css"), _asset("page.js")
    rows = _rows(answer.deployments)
    facts = {**_facts(answer, now), "style": style, "script": script, "version": VERSION}
    facts["first_script"] = _FIRST_SCRIPT
    facts["policy"] = _policy(style, _FIRST_SCRIPT, script)
    facts["source_label"], facts["source"] = source.label, text_from(source.place)
    template = _environment().get_template("page.html.j2")
    # The marks of the timeline link to the rows, so the number of rows has to be known first.
    number = _fitting(rows, _ROWS_BYTES)
    page = template.render(
        **facts, **_timeline(answer, now, number), **_table(answer, rows[:number])
    )
    excess = _bytes(page) - MAX_BYTES
    if excess <= 0 or not number:
        return page
    number = _fitting(rows, sum(map(_bytes, rows[:number])) - excess - _SLACK_BYTES)
    return template.render(
        **facts, **_timeline(answer, now, number), **_table(answer, rows[:number])
    )


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _fitting(rows: Sequence[str], limit: int) -> int:
    """Return how many rows, from the first one on, have at most ``limit`` bytes in total."""
    for number, one in enumerate(rows):
        limit -= _bytes(one) + 1
        if limit < 0:
            return number
    return len(rows)


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _policy(style: str, *scripts: str) -> str:
    """Return the Content-Security-Policy: only this style and these scripts, and no requests."""

    def source(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {source(style)}; "
        f"script-src {' '.join(map(source, scripts))}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _rows(deployments: Iterable[Content]) -> list[str]:
    """Return the rows of the table. The end tags are optional, see row.html.j2."""
    render_row = vars(_environment().get_template("row.html.j2").module)["row"]
    return [render_row(row(content, f"d{number}")) for number, content in enumerate(deployments)]


def _facts(answer: Answer, now: float) -> dict[str, Any]:
    """Return what the page shows besides the timeline and the table of deployments."""
    skipped = answer.damaged + answer.unknown
    return {
        "period": _period(answer),
        "created": time_words(now),
        "created_day": date_words(now),
        "is_empty": not (answer.deployments or answer.running or answer.current),
        "totals": totals(answer),
        "matrix": matrix(answer, now),
        "running": [running_row(one, now) for one in answer.running[:MAX_RUNNING]],
        "metrics": [_metric(one) for one in answer.metrics[:MAX_METRICS]],
        "more_metrics": max(0, len(answer.metrics) - MAX_METRICS),
        "measure_names": MEASURE_NAMES,
        "skipped_lines": f"{counted(skipped, 'line')} of the history could not be read."
        if skipped
        else "",
    }


def _metric(metric: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": short(metric.get("name")),
        "environment": short(metric.get("environment")),
        "measures": measures(metric),
    }


def _period(answer: Answer) -> str:
    if answer.since is None:
        return f"until {date_words(answer.until)}"
    days = round((answer.until - answer.since) / 86400)
    length = counted(days, "day") if days else duration_words(answer.until - answer.since)
    return f"{date_words(answer.since)} to {date_words(answer.until)} ({length})"


def _table(answer: Answer, rows: Sequence[str]) -> dict[str, Any]:
    number, known = len(rows), max(answer.matched, len(answer.deployments))
    shown = f"{counted(number, 'deployment')}, the newest first"
    if number < known:
        shown = f"The newest {number:,} of {known:,} deployments. The CSV format contains all"
    return {"rows": rows, "shown_rows": shown}


def _timeline(answer: Answer, now: float, rows: int) -> dict[str, Any]:
    points = list(_points(answer, rows))
    first = min((point.at for point in points), default=now)
    since = answer.since if answer.since is not None else min(first, now - 3600)
    found = zooms(points, since, now)
    return {"zooms": found, "first_zoom": first_zoom(found), "tips": _tips(found)}


def _points(answer: Answer, rows: int) -> Iterable[Point]:
    """Yield the deployments for the timeline; the first ``rows`` are in the table."""
    for number, content in enumerate([*answer.deployments, *answer.running]):
        at = ended_at(content)
        if at is None:
            continue
        parts = [content.get("name"), content.get("version")]
        words = " ".join(isolated(cut(text_from(one), _TIP_CHARACTERS)) for one in parts if one)
        seconds = content.get("duration_s")
        if isinstance(seconds, (int, float)) and seconds:
            words += f", took {duration_words(seconds)}"
        linked = number < min(rows, len(answer.deployments))
        lane = text_from(content.get("environment")) or None
        yield Point(at, lane, state_from(content), words, f"d{number}" if linked else None)


def _tips(found: Iterable[Zoom]) -> dict[tuple[tuple[str, ...], str], Tip]:
    marks = (mark for zoom in found for lane in zoom.lanes for mark in lane.marks)
    return {(mark.lines, mark.side): _tip(mark) for mark in marks}


def _tip(mark: Mark) -> Tip:
    lines = tuple(cut(line, 3 * _TIP_CHARACTERS) for line in mark.lines)
    pixels = round(_COLUMN * max(map(width, lines))) + 20
    x = {"start": -12, "middle": -pixels // 2, "end": 12 - pixels}[mark.side]
    return Tip(lines, x, pixels, _LINE * len(lines) + 8)
