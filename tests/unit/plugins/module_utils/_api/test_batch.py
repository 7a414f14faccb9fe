# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting events into requests: nothing lost, nothing doubled, no limit passed."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api import batch as module
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.batch import (
    MAX_EVENTS,
    MAX_REQUEST_BYTES,
    Batch,
    batches,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidEvent
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event


def event_of(content: str, number: int = 0) -> Event:
    return Event("n", content, number, "20171023T064439.948+0000")


def of_size(size: int, number: int = 0) -> Event:
    """Return an event that has just that many bytes as JSON."""
    event = event_of("x" * (size - len(event_of("", number).encode())), number)
    assert len(event.encode()) == size
    return event


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (100, [100]),
        (101, [100, 1]),
        (250, [100, 100, 50]),
        (10_000, [100] * 100),
    ],
)
def test_a_request_carries_at_most_a_hundred_events(count: int, sizes: list[int]) -> None:
    events = [event_of("c", number) for number in range(count)]

    assert [len(batch.events) for batch in batches(events)] == sizes


def test_the_body_is_a_json_array_even_of_one_event() -> None:
    event = event_of("部署 🚀")

    assert batches([event]) == [Batch((event,), b"[" + event.encode() + b"]")]


def test_a_request_may_have_just_the_bytes_that_are_allowed() -> None:
    half = MAX_REQUEST_BYTES // 2
    fitting = [of_size(half - 2), of_size(half - 1)]

    assert [len(batch.body) for batch in batches(fitting)] == [MAX_REQUEST_BYTES]
    assert len(batches([*fitting[:1], of_size(half)])) == 2


def test_an_event_may_fill_a_request_but_not_burst_it() -> None:
    assert [len(batch.body) for batch in batches([of_size(MAX_REQUEST_BYTES - 2)])] == [
        MAX_REQUEST_BYTES
    ]

    with pytest.raises(InvalidEvent) as caught:
        batches([event_of("c"), of_size(MAX_REQUEST_BYTES - 1)])

    assert (caught.value.index, caught.value.field) == (1, "content")
    assert "499999 bytes as JSON, a request may have 499998" in str(caught.value)


def test_an_event_that_stood_by_itself_is_named_without_an_index() -> None:
    with pytest.raises(InvalidEvent, match=r"^content: the event has"):
        batches([of_size(MAX_REQUEST_BYTES - 1)], single=True)


def test_bytes_are_counted_and_not_characters() -> None:
    chinese = event_of("云" * (MAX_REQUEST_BYTES // 3))

    assert len(chinese.content) < MAX_REQUEST_BYTES < len(chinese.encode())
    with pytest.raises(InvalidEvent):
        batches([chinese])


def test_the_limits_are_the_documented_ones() -> None:
    assert (MAX_EVENTS, MAX_REQUEST_BYTES) == (100, 500_000)


# With limits this small, a few events already make several requests.
SMALL_COUNT, SMALL_BYTES = 4, 400
EVENTS = st.lists(st.text('a部🚀"\\\n', max_size=90).map(event_of), max_size=30)


def cut(events: list[Event]) -> list[Batch]:
    with (
        mock.patch.object(module, "MAX_EVENTS", SMALL_COUNT),
        mock.patch.object(module, "MAX_REQUEST_BYTES", SMALL_BYTES),
    ):
        return batches(events)


@pytest.mark.parametrize(
    ("sizes", "counts"),
    [
        ([132, 132, 132], [3]),
        ([132, 132, 133], [2, 1]),
        ([398, 198, 199], [1, 2]),
        ([398, 198, 200], [1, 1, 1]),
        ([398, 132, 132, 132], [1, 3]),
        ([398, 132, 132, 133], [1, 2, 1]),
    ],
)
def test_commas_and_brackets_count_in_every_request(sizes: list[int], counts: list[int]) -> None:
    done = cut([of_size(size) for size in sizes])

    assert [len(batch.events) for batch in done] == counts


def test_a_batch_cannot_be_changed_after_it_was_signed() -> None:
    (batch,) = batches([event_of("c")])

    with pytest.raises(FrozenInstanceError):
        setattr(batch, "body", b"")  # noqa: B010


@given(events=EVENTS)
def test_every_event_goes_once_and_in_order(events: list[Event]) -> None:
    assert [event for batch in cut(events) for event in batch.events] == events


@given(events=EVENTS)
def test_the_body_holds_the_events_of_its_batch_and_nothing_else(events: list[Event]) -> None:
    for batch in cut(events):
        sent: list[Any] = json.loads(batch.body)
        assert sent == [json.loads(event.encode()) for event in batch.events]


@given(events=EVENTS)
def test_no_request_is_empty_or_passes_a_limit(events: list[Event]) -> None:
    for batch in cut(events):
        assert 1 <= len(batch.events) <= SMALL_COUNT
        assert len(batch.body) <= SMALL_BYTES


@given(events=EVENTS)
def test_a_request_is_closed_only_when_the_next_event_does_not_fit(events: list[Event]) -> None:
    cuts = cut(events)
    for batch, following in pairwise(cuts):
        full = len(batch.events) == SMALL_COUNT
        next_one = following.events[0].encode()
        assert full or len(batch.body) + 1 + len(next_one) > SMALL_BYTES
