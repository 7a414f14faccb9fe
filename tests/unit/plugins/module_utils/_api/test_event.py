# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event: what users may give, what is sent, and what they are told when it cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import date, datetime, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    InvalidEvent,
    InvalidInput,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import (
    Event,
    content_text,
    parse_event,
    parse_events,
)

NOW = 1508741079.948
NOW_WIRE = "20171023T064439.948+0000"


class Text(str):
    """Stands for the subclasses of str that Ansible marks values with."""

    __slots__ = ()


def parsed(**raw: Any) -> Event:
    return parse_event({"name": "n", "content": "c", **raw}, NOW)


def refusal(**raw: Any) -> InvalidEvent:
    with pytest.raises(InvalidEvent) as caught:
        parsed(**raw)
    return caught.value


def test_an_event_is_sent_as_compact_json_in_utf_8() -> None:
    event = parsed(name="部署", content="完成 🚀", group_id=7)

    assert event.encode().decode("utf-8") == (
        '{"name":"部署","content":"完成 🚀","groupId":7,"time":"' + NOW_WIRE + '"}'
    )


def test_an_event_needs_name_and_content_only() -> None:
    assert parsed() == Event("n", "c", 0, NOW_WIRE)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        (" spaces stay ", " spaces stay "),
        ('{"already": "json"}', '{"already": "json"}'),
        ("42", "42"),
        (Text("marked"), "marked"),
        ({"b": 1, "a": [True, None]}, '{"b":1,"a":[true,null]}'),
        ({"城市": "杭州"}, '{"城市":"杭州"}'),
        (MappingProxyType({"a": MappingProxyType({"b": 1})}), '{"a":{"b":1}}'),
        ([1, "two"], '[1,"two"]'),
        ({}, "{}"),
        (42, "42"),
        (1.5, "1.5"),
        (0, "0"),
        (False, "false"),
        (date(2017, 10, 23), '"2017-10-23"'),
        ({"at": datetime(2017, 10, 23, tzinfo=timezone.utc)}, '{"at":"2017-10-23T00:00:00+00:00"}'),
    ],
)
def test_text_stays_text_and_anything_else_becomes_compact_json(content: Any, text: str) -> None:
    assert parsed(content=content).content == text
    assert parsed(content=content).content.__class__ is str


@pytest.mark.parametrize(
    "content",
    [float("nan"), float("inf"), {"a": {1, 2}}, b"bytes", {("a", "b"): 1}, object(), 10**5000],
    ids=["nan", "infinity", "set", "bytes", "tuple as key", "object", "huge number"],
)
def test_content_without_a_json_form_is_refused(content: Any) -> None:
    if content == 10**5000 and not hasattr(__import__("sys"), "set_int_max_str_digits"):
        pytest.skip("this Python writes integers of any length")
    error = refusal(content=content)

    assert error.field == "content"
    assert "cannot be written as JSON" in str(error)


def test_content_that_holds_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)

    assert refusal(content=circle).field == "content"


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        ({"name": None}, "name", "is missing"),
        ({"name": ""}, "name", "is empty"),
        ({"name": " \n"}, "name", "is empty"),
        ({"name": True}, "name", "must be text and is a boolean"),
        ({"name": ["a"]}, "name", "must be text and is a list"),
        ({"name": {"a": 1}}, "name", "must be text and is a mapping"),
        ({"name": date(2017, 1, 1)}, "name", "must be text and is a date"),
        ({"name": b"n"}, "name", "must be text"),
        ({"name": object()}, "name", "must be text and is a value of type object; quote it"),
        ({"name": "a\ud83d"}, "name", r"character 1 is half of a surrogate pair (\ud83d)"),
        ({"content": None}, "content", "is missing"),
        ({"content": ""}, "content", "is empty"),
        ({"content": "\udc00"}, "content", r"character 0 is half of a surrogate pair (\udc00)"),
        ({"content": {"a": "\udc00"}}, "content", "surrogate"),
        ({"content": {1, 2}}, "content", "(a value of type set has no JSON form)"),
        ({"group_id": "x"}, "group_id", "'x'"),
        ({"group_id": "x" * 99}, "group_id", "'" + "x" * 60 + "'"),
        ({"group_id": ""}, "group_id", "application group"),
        ({"group_id": -1}, "group_id", "'-1'"),
        ({"group_id": 2**63}, "group_id", "application group"),
        ({"group_id": 10**5000}, "group_id", "application group"),
        ({"group_id": 1.5}, "group_id", "application group"),
        ({"group_id": True}, "group_id", "application group"),
        ({"group_id": [1]}, "group_id", "application group"),
        ({"group_id": "٣"}, "group_id", "application group"),
        ({"time": "yesterday"}, "time", "'yesterday'"),
        ({"time": "2017-10-23"}, "time", "is not a time"),
        ({"nmae": "n"}, "nmae", "is not a key of an event; the keys are name, content, group_id"),
        ({1: "n"}, "1", "is not a key of an event"),
        ({"zone": 1, "level": 2}, "level", "is not a key of an event"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_wrong(
    raw: dict[Any, Any], field: str, words: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse_event({"name": "n", "content": "c", **raw}, NOW)

    assert caught.value.field == field
    assert caught.value.index is None
    assert str(caught.value).startswith(field + ": ")
    assert words in str(caught.value)
    assert str(caught.value).endswith("No event was sent.")


@pytest.mark.parametrize(("name", "text"), [(42, "42"), (1.5, "1.5"), (Text("n"), "n")])
def test_a_number_as_a_name_becomes_text_as_everywhere_in_ansible(name: Any, text: str) -> None:
    assert parsed(name=name).name == text
    assert parsed(name=name).name.__class__ is str


def test_a_name_of_very_many_digits_is_refused_and_not_a_crash() -> None:
    if not hasattr(__import__("sys"), "set_int_max_str_digits"):
        pytest.skip("this Python writes integers of any length")
    assert "too many digits" in str(refusal(name=10**5000))


@pytest.mark.parametrize(
    ("group", "number"), [(0, 0), ("101", 101), (" 7 ", 7), (2**63 - 1, 2**63 - 1), (None, 0)]
)
def test_a_group_may_be_a_number_or_the_text_that_jinja_made_of_it(group: Any, number: int) -> None:
    assert parsed(group_id=group).group_id == number


@pytest.mark.parametrize("empty", [None, ""])
def test_an_event_without_a_time_happened_now(empty: Any) -> None:
    assert parsed(time=empty).time == NOW_WIRE


@pytest.mark.parametrize("given_time", [1508741079.948, "1508741079948", NOW_WIRE])
def test_an_event_keeps_the_time_it_is_given(given_time: Any) -> None:
    event = parse_event({"name": "n", "content": "c", "time": given_time}, NOW + 1e6)

    assert event.time == NOW_WIRE


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(parsed(), "content", "d")  # noqa: B010


def test_an_event_of_a_list_belongs_to_no_group_unless_it_says_so() -> None:
    (event,) = parse_events([{"name": "n", "content": "c"}], NOW)

    assert event.group_id == 0


def test_the_default_group_is_for_events_without_their_own() -> None:
    events = parse_events(
        [{"name": "a", "content": "1"}, {"name": "b", "content": "2", "group_id": 0}], NOW, "42"
    )

    assert [event.group_id for event in events] == [42, 0]


def test_one_wrong_event_among_ten_thousand_is_named_by_its_index_from_zero() -> None:
    raw: list[Any] = [{"name": "n", "content": "c"} for _unused in range(10_000)]
    raw[7321] = {"name": "n", "content": ""}

    with pytest.raises(InvalidEvent) as caught:
        parse_events(raw, NOW)

    assert (caught.value.index, caught.value.field) == (7321, "content")
    assert str(caught.value).startswith("events[7321].content: ")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("text", "must be a list of events, each with name and content, and is text"),
        ({"name": "n"}, "and is a mapping"),
        (42, "and is a number"),
        (b"bytes", "must be a list"),
        ([], "must have at least one event"),
        (["text"], "events[0]: must be a mapping with name and content, and is text"),
        ([{"name": "n", "content": "c"}, None], "events[1]: must be a mapping"),
        ([[]], "and is a list"),
    ],
)
def test_events_that_are_no_list_of_mappings_are_refused(raw: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_events(raw, NOW)

    assert words in str(caught.value)
    assert str(caught.value).endswith("No event was sent.")


def test_a_wrong_default_group_is_no_fault_of_the_first_event() -> None:
    with pytest.raises(InvalidEvent) as caught:
        parse_events([{"name": "n", "content": "c"}], NOW, "x")

    assert caught.value.index is None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NAME = TEXT.filter(lambda text: bool(text.strip()))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
GROUP = st.integers(0, 2**63 - 1)


@given(name=NAME, content=TEXT, group_id=GROUP)
def test_what_is_sent_reads_back_as_what_was_given(name: str, content: str, group_id: int) -> None:
    event = parse_event({"name": name, "content": content, "group_id": group_id}, NOW)

    assert json.loads(event.encode()) == {
        "name": name,
        "content": content,
        "groupId": group_id,
        "time": NOW_WIRE,
    }


@given(name=NAME, content=TEXT, group_id=GROUP)
def test_an_event_given_again_is_the_same_event(name: str, content: str, group_id: int) -> None:
    event = parse_event({"name": name, "content": content, "group_id": group_id}, NOW)

    assert parse_events([event.as_option()], NOW + 1e6) == [event]


@given(value=JSON.filter(lambda value: not isinstance(value, str)))
def test_json_in_the_content_keeps_its_meaning(value: Any) -> None:
    assert json.loads(content_text(value)) == value


ANYTHING = st.one_of(
    st.none(),
    st.text(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.binary(),
    st.dates(),
    st.datetimes(),
    st.just("2017-10-23T14:44:39Z"),
    st.dictionaries(st.text() | st.integers(), st.text() | st.floats()),
    st.lists(st.text() | st.binary()),
    st.sets(st.integers()),
)
RAW = st.dictionaries(
    st.sampled_from(["name", "content", "group_id", "time"]) | st.text(), ANYTHING, max_size=5
)


@given(raw=RAW)
def test_anything_is_an_event_that_can_be_sent_or_an_invalid_event(raw: Mapping[str, Any]) -> None:
    try:
        event = parse_event(raw, NOW, index=3)
    except InvalidEvent as exc:
        assert exc.index == 3  # noqa: PT017
        assert str(exc).startswith(f"events[3].{exc.field}: ")  # noqa: PT017
    else:
        assert event.name.strip()
        assert event.content
        assert json.loads(event.encode())["groupId"] == event.group_id >= 0
