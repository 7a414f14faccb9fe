# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short table of the report, for a terminal. Pure."""

from __future__ import annotations

from .._history.query import Answer
from .._outbox.terminal import clean, counted
from .table import text_table
from .views import NO_VERSION, Attempt, Cell, matrix, totals
from .words import cut, date_words

MAX_ROWS = 20
_HEADING = ("deployment", "environment", "version", "deployed", "commit", "newer deployment")


def summary(answer: Answer, now: float) -> list[str]:
    """Return what runs where and the totals, as lines of at most 88 columns."""
    rows = [
        _row(name, cell)
        for name, cells in matrix(answer, now).rows
        for cell in cells
        if cell.current or cell.latest or cell.running
    ]
    lines = text_table(_HEADING, rows[:MAX_ROWS]) if rows else []
    if len(rows) > MAX_ROWS:
        lines.append(f"... and {len(rows) - MAX_ROWS:,} more")
    return [*lines, *([""] if lines else []), _totals(answer)]


def _row(name: str, cell: Cell) -> tuple[str, ...]:
    current = cell.current
    newer = [_words(one) for one in (cell.latest, cell.running) if one]
    return tuple(
        clean(cut(text, 200))
        for text in (
            name,
            cell.environment,
            current.version.text if current else "none",
            current.when if current else "",
            current.commit.text if current and current.commit else "",
            ", ".join(newer),
        )
    )


def _words(one: Attempt) -> str:
    version = "" if one.version.text == NO_VERSION else f"{one.version.text} "
    return f"{version}{one.state} {one.when}"


def _totals(answer: Answer) -> str:
    numbers = {one.name: one for one in totals(answer)}
    period = "" if answer.since is None else f" since {date_words(answer.since)}"
    number = int(numbers["Deployments"].value.replace(",", ""))
    parts = [f"{numbers['Failed or aborted'].value} failed or aborted"]
    running = numbers["Running now"]
    if answer.running:
        parts.append(f"{running.value} running ({running.remark})")
    return f"{counted(number, 'deployment')}{period}: {', '.join(parts)}"
