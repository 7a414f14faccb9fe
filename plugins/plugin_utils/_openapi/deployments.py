# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments from the events that Cloud Monitor has, in the form of the history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._history.outbox_state import OutboxState
from .._history.query import Answer, Filters, compose
from .._outbox.history import HistoryLines
from .events import Pages, Query, StoredEvent, parsed_content, read_events

SCHEMA = "deployment/1"
# Events of any name may be about deployments. Their content has these words.
_KEYWORDS = "schema and deployment and phase"
# A report of so many events would be unreadable.
MOST_EVENTS = 100_000
# A start without a finish is of a deployment that runs, or whose finish was never reported.
_RUNNING_MS = 24 * 3600 * 1000


def read_deployments(api: Pages, filters: Filters, now: float) -> tuple[Answer, bool]:
    """Return the answer of query.py, and whether there were more than MOST_EVENTS events.

    ``filters.since`` is set. ``now``: epoch seconds. Raises ServiceError.
    """
    query = Query(int((filters.since or 0) * 1000), keywords=_KEYWORDS, limit=MOST_EVENTS)
    events, truncated = read_events(api, query, now)
    history, state = history_from_events(events, now)
    return compose(history, state, filters, now), truncated


def history_from_events(
    events: Iterable[StoredEvent], now: float
) -> tuple[HistoryLines, OutboxState]:
    """Return the lines of finishes and the deployments that run. Pure. ``now``: epoch seconds.

    The content of an event does not say who reported it, so the lines have no ``by``.
    """
    lines: list[dict[str, Any]] = []
    starts: dict[str, dict[str, Any]] = {}
    overdue: set[str] = set()
    unknown = 0
    for event in sorted(events, key=lambda one: one.time):
        content = parsed_content(event.content)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            continue
        if not _has_texts(content, "id", "name", "status"):
            unknown += 1
        elif content.get("phase") == "start":
            if event.time > now * 1000 - _RUNNING_MS:
                starts[content["id"]] = content
        elif content.get("phase") == "overdue":
            overdue.add(content["id"])
        elif content.get("phase") == "finish" and _has_texts(content, "finished_at"):
            lines.append(content)
        else:
            unknown += 1
    ended = {line["id"] for line in lines}
    running = [
        {**start, "overdue": deployment_id in overdue}
        for deployment_id, start in starts.items()
        if deployment_id not in ended
    ]
    return HistoryLines(lines, unknown=unknown), OutboxState(running)


def _has_texts(content: dict[str, Any], *names: str) -> bool:
    """Return whether these members are texts, and the optional ones are texts or missing."""
    optional = (content.get(name) for name in ("environment", "parent"))
    return all(isinstance(content.get(name), str) for name in names) and all(
        isinstance(value, (str, type(None))) for value in optional
    )
