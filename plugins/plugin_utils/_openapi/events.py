# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads events back: queries, pages, filters, duplicates, and waiting. No I/O except by the client.

Cloud Monitor does not document how it compares a name, whether a query includes its end, how it
orders events, or when an event becomes visible. Every event is therefore compared again here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from ...module_utils._api.errors import InvalidInput, Outcome, ServiceError
from ...module_utils._api.frozen import frozen
from ...module_utils._api.timestamp import InvalidTime, parse_epoch, wire_time

ACTION = "DescribeCustomEventAttribute"
DAY_MS = 24 * 3600 * 1000
# A query of the predecessor of this API covered three days at most (Alibaba Cloud's samples). A
# query is up to three seconds longer than its slice.
SLICE_MS = 3 * DAY_MS - 5000
# The first pause between two looks for events that are not visible yet, and the longest one.
_PAUSES = (1.0, 10.0)


class Pages(Protocol):
    """A client of the OpenAPI, as far as it is used here."""

    def pages(self, action: str, parameters: Mapping[str, Any], *path: str) -> Iterator[list[Any]]:
        """Yield the entries of each page of a list."""


@frozen
class Query:
    """Filters for events.

    ``since`` and ``until``: epoch milliseconds, both inclusive. Without ``until``, events until
    now are read. ``name``, ``group_id`` and ``keywords``: None for all events. ``limit``: the
    largest number of events, of which the newest are read.
    """

    since: int
    until: int | None = None
    name: str | None = None
    group_id: int | None = None
    keywords: str | None = None
    limit: int = 100


@frozen
class StoredEvent:
    """An event as Cloud Monitor has stored it. ``time``: epoch milliseconds."""

    id: str
    name: str
    group_id: int
    time: int
    content: str

    def as_option(self) -> dict[str, Any]:
        """Return the event in the form of custom_event's options, with parsed content."""
        return {
            "name": self.name,
            "content": parsed_content(self.content),
            "group_id": self.group_id,
            "time": wire_time(self.time / 1000),
        }


def parse_query(params: Mapping[str, Any], now: float) -> Query:
    """Return the query of validated task options. ``now``: epoch seconds. Raises InvalidInput."""
    until = _milliseconds(params, "until")
    since = _milliseconds(params, "since")
    end = math.ceil(now * 1000) if until is None else until
    if since is None:
        since = end - DAY_MS
    if since > end:
        raise InvalidInput(
            "is after the end of the period",
            option="since",
            advice="Set a time before until, or before now.",
        )
    limit, group_id = params["limit"], params.get("group_id")
    if limit < 1:
        raise InvalidInput(f"must be 1 or more and is {limit}", option="limit")
    if group_id is not None and group_id < 0:
        raise InvalidInput(
            f"must be the number of an application group and is {group_id}", option="group_id"
        )
    return Query(
        since, until, params.get("name") or None, group_id, params.get("keywords") or None, limit
    )


def _milliseconds(params: Mapping[str, Any], option: str) -> int | None:
    value = params.get(option)
    if value is None or value == "":
        return None
    try:
        return round(parse_epoch(value) * 1000)
    except InvalidTime as exc:
        raise InvalidInput(str(exc), option=option) from exc


def slices(since: int, until: int) -> Iterator[tuple[int, int]]:
    """Yield the slices of a period, the newest first: the first millisecond and the one after.

    Each event belongs to exactly one slice. ``since`` and ``until`` are inclusive.
    """
    end = until + 1
    while end > since:
        start = max(since, end - SLICE_MS)
        yield start, end
        end = start


def parameters(query: Query, start: int, end: int) -> dict[str, Any]:
    """Return the parameters of the request for one slice.

    The request is longer than the slice, by whole seconds: an event at the edge is then in the
    answer even if the service excludes the end or rounds it down.
    """
    return {
        "Name": query.name,
        "GroupId": query.group_id,
        "SearchKeywords": query.keywords,
        "StartTime": start // 1000 * 1000,
        "EndTime": (-(-end // 1000) + 1) * 1000,
    }


def read_events(api: Pages, query: Query, now: float) -> tuple[list[StoredEvent], bool]:
    """Return the events of a query, the newest first, and whether there are more than its limit.

    ``now``: epoch seconds, the end of a query without one. Raises ServiceError.
    """
    until = math.ceil(now * 1000) if query.until is None else query.until
    found: list[StoredEvent] = []
    for start, end in slices(query.since, until):
        # A page can move while it is read, so that an entry is on two of them.
        inside = {
            event
            for page in api.pages(
                ACTION, parameters(query, start, end), "CustomEvents", "CustomEvent"
            )
            for event in map(parse_entry, page)
            if start <= event.time < end and _is_wanted(event, query)
        }
        found += sorted(inside, key=lambda event: (-event.time, event.name, event.id))
        if len(found) > query.limit:
            break
    return found[: query.limit], len(found) > query.limit


def parse_entry(entry: Any) -> StoredEvent:
    """Return an event of an answer; numbers may be texts. Raises ServiceError."""
    try:
        return StoredEvent(
            id=str(entry.get("Id") or ""),
            name=str(entry["Name"]),
            group_id=int(entry.get("GroupId") or 0),
            time=int(entry["Time"]),
            content=str(entry.get("Content") or ""),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise ServiceError(
            f"{ACTION} returned an event that cannot be read ({type(exc).__name__}: {exc})",
            "not_the_service",
            Outcome.OUTAGE,
            advice="Check api_endpoint. If it is correct, report a bug.",
        ) from exc


def _is_wanted(event: StoredEvent, query: Query) -> bool:
    return (
        (query.name is None or event.name == query.name)
        and (query.group_id is None or event.group_id == query.group_id)
        and (query.keywords is None or has_keywords(event.content, query.keywords))
    )


def has_keywords(content: str, keywords: str) -> bool:
    """Return whether a content has the keywords: ``a``, ``a and b``, ``a or b``, in any case."""
    text = content.casefold()
    return any(
        all(word in text for word in re.split(r"\s+and\s+|\s+", choice.strip()))
        for choice in re.split(r"\s+or\s+", keywords.casefold())
    )


def parsed_content(content: str) -> Any:
    """Return a JSON object or list as a dictionary or list, and any other text unchanged."""
    if not content.lstrip().startswith(("{", "[")):
        return content
    try:
        return json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return content


def _no_constant(name: str) -> None:
    raise ValueError(name)


def duplicates(events: list[StoredEvent]) -> list[int]:
    """Return the indexes of events that were delivered again, of which the first one is kept.

    Two events are the same if their name, group, and the ``id`` and ``phase`` in their content
    are. ``events``: the newest first.
    """
    seen: set[tuple[str, int, str, str]] = set()
    again = []
    for index in range(len(events) - 1, -1, -1):
        event = events[index]
        content = parsed_content(event.content)
        if not isinstance(content, dict) or not content.get("id") or not content.get("phase"):
            continue
        key = (event.name, event.group_id, str(content["id"]), str(content["phase"]))
        if key in seen:
            again.append(index)
        seen.add(key)
    return sorted(again)


@frozen
class Look:
    """The events that were found last, and the seconds until then."""

    events: list[StoredEvent]
    truncated: bool
    duplicates: list[int]
    seconds: float

    @property
    def count(self) -> int:
        """The number of different events."""
        return len(self.events) - len(self.duplicates)


def wait_for_events(
    api: Pages,
    query: Query,
    at_least: int,
    wait: float,
    *,
    clock: Callable[[], float],
    monotonic: Callable[[], float],
    sleep: Callable[[float], None],
) -> Look:
    """Look until ``at_least`` different events are visible or ``wait`` seconds have passed.

    The last look is at the end of the time. Raises ServiceError.
    """
    began = monotonic()
    pause, longest = _PAUSES
    while True:
        left = wait - (monotonic() - began)
        events, truncated = read_events(api, query, clock())
        look = Look(events, truncated, duplicates(events), monotonic() - began)
        if look.count >= at_least or left <= 0:
            return look
        sleep(min(pause, left))
        pause = min(2 * pause, longest)
