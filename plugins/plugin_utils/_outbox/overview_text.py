# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overview of an outbox as a table for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from ...module_utils._api.frozen import frozen
from .log import short_attempt
from .overview import DeploymentEntry, Overview, State
from .terminal import WIDTH, clean, counted, cut, width, wrap

ROWS = 20
_GAP = "  "
_NOTE_LINES = 5
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def overview_lines(overview: Overview, rows: int = ROWS, named: bool = False) -> list[str]:
    """Return the lines of the table. Each section has at most ``rows`` entries.

    ``named``: the user has named this outbox, so that the next commands must name it.
    """
    lines = [f"Outbox: {clean(overview.outbox)}", *wrap(summary(overview), WIDTH, _NOTE_LINES)]
    if overview.exists:
        notes = _Notes()
        for section in (_deployments, _queued, _dead, _damaged):
            lines += section(overview, rows, notes)
        lines += [*notes.lines(), *_deliveries(overview, rows)]
    if steps := overview.next_steps():
        lines += ["", "NEXT STEPS"]
        if named:
            lines += ["Use this outbox:", f"  export CLOUDMONITOR_OUTBOX={quote(overview.outbox)}"]
        for step in steps:
            lines += [f"{cut(clean(step.problem), WIDTH - 1)}:", f"  {step.command}"]
    return lines


def summary(overview: Overview) -> str:
    """Return the numbers in one sentence."""
    if not overview.exists:
        return "The outbox does not exist. No run has used it yet."
    totals = overview.totals()
    if not any(totals.values()):
        return "Nothing runs or waits, and nothing was refused."
    found = [
        counted(totals["running"] + totals["overdue"], "deployment")
        + " running"
        + (f" ({totals['overdue']:,} overdue)" if totals["overdue"] else ""),
        f"{totals['waiting']:,} waiting",
        f"{totals['queued']:,} queued by tasks" if totals["queued"] else "",
        f"{counted(totals['events'], 'event')} to deliver",
        counted(totals["dead_letters"], "dead letter"),
        f"{totals['damaged']:,} damaged" if totals["damaged"] else "",
        f"{totals['unread']:,} not read, because there are so many" if totals["unread"] else "",
    ]
    return ", ".join(part for part in found if part) + "."


class _Notes:
    """Texts that are too long for a column. Equal texts share a number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def add(self, text: str | None) -> str:
        """Return the reference to a text, an empty text for None."""
        if text is None:
            return ""
        return f"[{self._numbers.setdefault(clean(text), len(self._numbers) + 1)}]"

    def lines(self) -> list[str]:
        """Return the section with the numbered texts, empty without any."""
        found = ["", "PROBLEMS"] if self._numbers else []
        for text, number in self._numbers.items():
            head = f"[{number}] "
            first, *rest = wrap(text, WIDTH - len(head), _NOTE_LINES)
            found += [head + first, *(" " * len(head) + line for line in rest)]
        return found


@frozen
class _Column:
    """A column of a table. ``limit``: its largest width, None for the rest of the line."""

    title: str
    limit: int | None
    right: bool = False


_NAME, _ENVIRONMENT = _Column("NAME", 24), _Column("ENVIRONMENT", 14)
_AGE, _EVENTS = _Column("AGE", 8), _Column("EVENTS", 7, right=True)


def _deployments(overview: Overview, rows: int, notes: _Notes) -> list[str]:
    columns = (
        _NAME,
        _ENVIRONMENT,
        _Column("STATE", 7),
        _AGE,
        _EVENTS,
        _Column("NEXT TRY", 9),
        _Column("PROBLEM", 7),
    )
    found = [
        (
            one.name,
            one.environment or "",
            one.state.value,
            shown_age(one.age),
            f"{one.events:,}",
            _next_try(one),
            notes.add(one.problem),
        )
        for one in overview.deployments[:rows]
    ]
    return _section("DEPLOYMENTS", columns, found, len(overview.deployments))


def _next_try(entry: DeploymentEntry) -> str:
    if entry.next_attempt_in is not None:
        return f"in {shown_age(entry.next_attempt_in)}"
    return "next run" if entry.state is State.WAITING else ""


def _queued(overview: Overview, rows: int, notes: _Notes) -> list[str]:
    columns = (_Column("REPORTED BY TASKS", 50), _AGE, _EVENTS, _Column("PROBLEM", 7))
    found = [
        (one.label, shown_age(one.age), f"{one.events:,}", notes.add(one.problem))
        for one in overview.queued[:rows]
    ]
    return _section("QUEUED EVENTS", columns, found, len(overview.queued))


def _dead(overview: Overview, rows: int, notes: _Notes) -> list[str]:
    columns = (_NAME, _ENVIRONMENT, _Column("KIND", 10), _AGE, _EVENTS, _Column("REASON", 7))
    found = [
        (
            one.name,
            one.environment or "",
            one.kind,
            shown_age(one.age),
            f"{one.events:,}",
            notes.add(one.reason),
        )
        for one in overview.dead[:rows]
    ]
    return _section("DEAD LETTERS", columns, found, len(overview.dead))


def _damaged(overview: Overview, rows: int, notes: _Notes) -> list[str]:
    columns = (_Column("FOLDER", 60), _AGE, _Column("PROBLEM", 7))
    prefix = overview.outbox.rstrip("/") + "/"
    found = [
        (one.path.removeprefix(prefix), shown_age(one.age), notes.add(one.problem))
        for one in overview.damaged[:rows]
    ]
    return _section("DAMAGED", columns, found, len(overview.damaged))


def _deliveries(overview: Overview, rows: int) -> list[str]:
    columns = (_NAME, _ENVIRONMENT, _AGE, _Column("DETAILS", None))
    found = [
        (one.name, one.environment or "", shown_age(one.age), short_attempt(one.text))
        for one in overview.deliveries[:rows]
    ]
    return _section("LAST DELIVERIES", columns, found, len(found))


def _section(
    title: str, columns: Sequence[_Column], rows: Sequence[tuple[str, ...]], total: int
) -> list[str]:
    """Return a section with its title, empty if there is nothing to show.

    Columns without any content are left out.
    """
    if not total:
        return []
    lines = ["", title]
    used = [number for number in range(len(columns)) if any(row[number] for row in rows)]
    table = [tuple(column.title for column in columns), *rows]
    texts: list[list[str]] = []
    widths: list[int] = []
    for number in used:
        limit = columns[number].limit
        if limit is None:
            limit = WIDTH - sum(widths) - len(_GAP) * len(widths)
        texts.append([cut(clean(row[number]), limit) for row in table])
        widths.append(max(width(text) for text in texts[-1]))
    for line in zip(*texts, strict=True):
        padded = (
            _padded(text, size, columns[number].right)
            for text, size, number in zip(line, widths, used, strict=True)
        )
        lines.append(_GAP.join(padded).rstrip())
    if total > len(rows):
        lines.append(f"and {total - len(rows):,} more")
    return lines


def _padded(text: str, size: int, right: bool) -> str:
    space = " " * (size - width(text))
    return space + text if right else text + space


def shown_age(seconds: float | None) -> str:
    """Return a time span in one unit, for example ``3 min`` or ``2 days``."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return counted(whole // _HOUR, "hour")
    return f"{whole // _DAY} days"
