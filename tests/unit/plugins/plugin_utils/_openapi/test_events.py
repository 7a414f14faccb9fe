# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events are read completely and once, however the service treats times, names and pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    InvalidInput,
    ServiceError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.events import (
    DAY_MS,
    Query,
    StoredEvent,
    duplicates,
    has_keywords,
    parse_entry,
    parse_query,
    parsed_content,
    read_events,
    slices,
    wait_for_events,
)

NOW = 1795623300.25
NOW_MS = 1795623300250


class Service:
    """A service that stores times of events, in one of the ways that the documentation leaves open.

    ``visible_from``: how many looks an event stays invisible.
    """

    def __init__(
        self,
        times: list[int],
        *,
        end_inclusive: bool = False,
        whole_seconds: bool = False,
        page_size: int = 50,
        visible_from: int = 0,
    ) -> None:
        self.entries = [
            {"Id": str(n), "Name": "n", "GroupId": "7", "Time": str(at), "Content": "c"}
            for n, at in enumerate(times)
        ]
        self.end_inclusive = end_inclusive
        self.unit = 1000 if whole_seconds else 1
        self.page_size = page_size
        self.visible_from = visible_from
        self.queries: list[Mapping[str, Any]] = []
        self.now = NOW
        self.pauses: list[float] = []

    def pages(
        self, _action: str, parameters: Mapping[str, Any], *_path: str
    ) -> Iterator[list[Any]]:
        self.queries.append(parameters)
        start, end = parameters["StartTime"], parameters["EndTime"]
        assert end - start <= 3 * DAY_MS
        last = end // self.unit * self.unit - (0 if self.end_inclusive else 1)
        found = [entry for entry in self.entries if start <= int(entry["Time"]) <= last]
        if len(self.queries) <= self.visible_from:
            found = []
        for at in range(0, len(found), self.page_size):
            # The page has moved by one entry since the one before.
            yield found[max(0, at - 1) : at + self.page_size]

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


SPANS = st.integers(0, 40 * DAY_MS)
STEPS = st.sampled_from([0, 1, 249, 250, 999, 1000]) | st.integers(0, DAY_MS)


@given(
    since=SPANS,
    length=SPANS,
    offsets=st.lists(SPANS | STEPS, max_size=30),
    end_inclusive=st.booleans(),
    whole_seconds=st.booleans(),
)
def test_slices_lose_and_repeat_nothing_whatever_an_end_means(
    since: int, length: int, offsets: list[int], end_inclusive: bool, whole_seconds: bool
) -> None:
    since += NOW_MS - 80 * DAY_MS
    until = since + length
    edges = [edge for start, end in slices(since, until) for edge in (start - 1, start, end)]
    times = [*(since + offset for offset in offsets), since - 1, since, until, until + 1, *edges]
    service = Service(times, end_inclusive=end_inclusive, whole_seconds=whole_seconds, page_size=7)

    events, truncated = read_events(service, Query(since, until, limit=1000), NOW)

    assert [event.time for event in events] == sorted(
        (at for at in times if since <= at <= until), reverse=True
    )
    assert not truncated


def test_a_month_is_read_in_slices_from_the_newest_and_ends_at_the_limit() -> None:
    service = Service([NOW_MS - day * DAY_MS for day in range(31)])

    events, truncated = read_events(service, Query(NOW_MS - 31 * DAY_MS, limit=5), NOW)

    assert [event.time for event in events] == [NOW_MS - day * DAY_MS for day in range(5)]
    assert (truncated, len(service.queries)) == (True, 2)
    everything, _truncated = read_events(service, Query(NOW_MS - 31 * DAY_MS), NOW)
    assert (len(everything), len(service.queries)) == (31, 2 + 11)


def test_the_answer_is_compared_again_with_name_group_and_keywords() -> None:
    service = Service([NOW_MS] * 4)
    changes: list[dict[str, Any]] = [{}, {"Name": "na"}, {"GroupId": 70}, {"Content": "x"}]
    for entry, change in zip(service.entries, changes, strict=True):
        entry.update(change)

    query = Query(NOW_MS, name="n", group_id=7, keywords="C")
    events, _truncated = read_events(service, query, NOW)

    assert [event.id for event in events] == ["0"]
    (sent,) = service.queries
    assert (sent["Name"], sent["GroupId"], sent["SearchKeywords"]) == ("n", 7, "C")


@pytest.mark.parametrize(
    ("keywords", "found"),
    [
        ("d-1", True),
        ("D-1 and failed", True),
        ("d-1 failed", True),
        ("d-1 and nothing", False),
        ("nothing or failed", True),
        ("nothing or d-1 and no", False),
        ("部署", True),
    ],
)
def test_keywords_are_words_joined_by_and_or_or(keywords: str, found: bool) -> None:
    assert has_keywords('{"id":"d-1","status":"Failed","n":"部署"}', keywords) is found


@pytest.mark.parametrize(
    ("content", "parsed"),
    [
        ('{"a":1}', {"a": 1}),
        (" [1]", [1]),
        ("2026", "2026"),
        ("true", "true"),
        ('{"a":NaN}', '{"a":NaN}'),
        ("{a}", "{a}"),
        ("", ""),
    ],
)
def test_objects_and_lists_are_parsed_and_other_text_is_unchanged(
    content: str, parsed: Any
) -> None:
    assert parsed_content(content) == parsed


def stored(phase: str | None, name: str = "finish", **content: Any) -> StoredEvent:
    text = json.dumps({"id": "d-1", "phase": phase, **content}) if phase else "text"
    return StoredEvent("", name, 0, NOW_MS, text)


def test_a_deployment_event_that_came_again_is_marked_and_its_failure_event_is_not() -> None:
    events = [
        stored("finish"),
        stored("finish", "failure"),
        stored("start"),
        stored("finish", id="d-2"),
        stored("finish"),
        stored(None),
        stored(None),
    ]

    assert duplicates(events) == [0]


def test_a_number_may_be_a_text_and_an_unreadable_event_is_an_error() -> None:
    entry = {"Name": "n", "GroupId": 7, "Time": NOW_MS, "Content": None}
    assert parse_entry(entry) == StoredEvent("", "n", 7, NOW_MS, "")
    assert parse_entry(entry).as_option() == {
        "name": "n",
        "content": "",
        "group_id": 7,
        "time": "20261125T161500.250+0000",
    }
    for wrong in ({**entry, "Time": "soon"}, {"Name": "n"}, None):
        with pytest.raises(ServiceError, match="cannot be read"):
            parse_entry(wrong)


@pytest.mark.parametrize(
    ("visible_from", "wait", "looks", "count"), [(0, 0, 1, 2), (3, 30, 4, 2), (99, 30, 7, 0)]
)
def test_events_are_awaited_until_they_are_visible_or_the_time_is_over(
    visible_from: int, wait: float, looks: int, count: int
) -> None:
    service = Service([NOW_MS + 500, NOW_MS - 1], visible_from=visible_from)
    service.now = NOW + 1

    look = wait_for_events(
        service,
        Query(NOW_MS - 1000),
        2,
        wait,
        clock=lambda: service.now,
        monotonic=lambda: service.now,
        sleep=service.sleep,
    )

    assert (len(service.queries), look.count) == (looks, count)
    assert sum(service.pauses) == look.seconds
    assert service.pauses == [1, 2, 4, 8, 10, 5][: looks - 1]


PARAMS = {"limit": 100}


def test_without_times_the_last_24_hours_are_read() -> None:
    query = parse_query(PARAMS, NOW)

    assert (query.since, query.until) == (NOW_MS - DAY_MS, None)
    until = parse_query({**PARAMS, "until": "2026-11-25T16:15:00Z"}, NOW)
    assert (until.since, until.until) == (1795623300000 - DAY_MS, 1795623300000)


@pytest.mark.parametrize(
    ("params", "option"),
    [
        ({"since": "yesterday"}, "since: "),
        ({"until": "2026-13-01T00:00:00Z"}, "until: "),
        ({"since": NOW + 1}, "since: is after"),
        ({"since": 20, "until": 10}, "since: is after"),
        ({"limit": 0}, "limit: "),
        ({"group_id": -1}, "group_id: "),
    ],
)
def test_a_wrong_option_is_named(params: dict[str, Any], option: str) -> None:
    with pytest.raises(InvalidInput, match=option):
        parse_query({**PARAMS, **params}, NOW)
