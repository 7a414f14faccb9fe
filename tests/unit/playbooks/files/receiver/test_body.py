# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the receiver accepts as the body of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from receiver.body import MAX_BODY_BYTES, check_events
from receiver.types import Refused

GOOD: dict[str, Any] = {"name": "n", "content": "c"}


def refusal(body: bytes) -> str:
    with pytest.raises(Refused) as caught:
        check_events(body)
    assert caught.value.status == 400
    return caught.value.msg


def refusal_of_event(**members: Any) -> str:
    return refusal(json.dumps([GOOD, {**GOOD, **members}]).encode())


@pytest.mark.parametrize("count", [1, 100])
def test_one_to_a_hundred_events_are_accepted_in_order(count: int) -> None:
    events = [{**GOOD, "content": str(index)} for index in range(count)]
    assert list(check_events(json.dumps(events).encode())) == events


@pytest.mark.parametrize("count", [0, 101])
def test_no_event_and_more_than_a_hundred_are_refused(count: int) -> None:
    assert f"the body has {count} events" in refusal(json.dumps([GOOD] * count).encode())


def test_the_limit_of_bytes_is_500000_and_counts_utf8() -> None:
    rest = MAX_BODY_BYTES - len(json.dumps([{**GOOD, "content": ""}]))
    text = "事" * (rest // 3) + "x" * (rest % 3)
    body = json.dumps([{**GOOD, "content": text}], ensure_ascii=False).encode()
    assert len(body) == 500000
    assert check_events(body)[0]["content"] == text
    assert "500001 bytes" in refusal(body + b" ")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{}", "not a JSON array"),
        (b"[" * 100000, "not JSON"),
        (b'[{"name":"n","content":"c"}', "not JSON"),
        (b'[{"name":"n","content":"c"}]]', "not JSON"),
        (b'\xef\xbb\xbf[{"name":"n","content":"c"}]', "not JSON"),
        (b'[{"name":"\xe4\xba","content":"c"}]', "not UTF-8"),
        (b'[{"name":"\xb2\xbb","content":"c"}]', "not UTF-8 (byte 10)"),
        (b'[{"name":"n","content":"\\ud83d"}]', "lone surrogate"),
        (b'[{"name":"n","content":"a\nb"}]', "not JSON"),
        (b'[{"name":"n","content":"c","x":NaN}]', "NaN"),
        (b'[{"name":"n","content":"c","name":"m"}]', "same member twice"),
        (b"[1]", "event 0: it is not an object"),
    ],
)
def test_what_is_no_json_array_of_events_is_refused(body: bytes, words: str) -> None:
    assert words in refusal(body)


@pytest.mark.parametrize("name", ["", " \t\n", "\u3000", None, 1, ["n"]])
def test_a_name_needs_text(name: Any) -> None:
    assert "event 1: name" in refusal_of_event(name=name)


@pytest.mark.parametrize("content", [None, 1, {"a": 1}, ["c"], True])
def test_content_needs_to_be_a_string(content: Any) -> None:
    assert "event 1: content" in refusal_of_event(content=content)


@pytest.mark.parametrize("group_id", [None, "101", 1.0, True, 2**63, -(2**63) - 1])
def test_a_group_id_needs_to_be_a_long(group_id: Any) -> None:
    assert "event 1: groupId" in refusal_of_event(groupId=group_id)


@pytest.mark.parametrize("missing", ["name", "content"])
def test_name_and_content_are_required(missing: str) -> None:
    event = {key: value for key, value in GOOD.items() if key != missing}
    assert f"event 0: {missing}" in refusal(json.dumps([event]).encode())


@pytest.mark.parametrize(
    "time",
    [
        "20171023T144439.948+0800",
        "20240229T000000.000-0330",
        "20171023T235959.999+0000",
        "1761000000123",
    ],
)
def test_the_wire_form_of_a_time_and_epoch_milliseconds_are_accepted(time: str) -> None:
    assert check_events(json.dumps([{**GOOD, "time": time}]).encode())[0]["time"] == time


@pytest.mark.parametrize(
    "time",
    [
        1761000000123,
        None,
        "",
        "1761000000",
        "١٧٦١٠٠٠٠٠٠١٢٣",
        "2017-10-23T14:44:39.948+08:00",
        "20171023T144439+0800",
        "20171023T144439.948Z",
        "20171023T144439.948+0800\n",
        "20171323T144439.948+0800",
        "20170229T144439.948+0800",
        "20171023T244439.948+0800",
        "20171023T144439.948+0860",
        "20171023T144439.948+1900",
    ],
)
def test_any_other_form_of_a_time_is_refused(time: Any) -> None:
    assert "event 1: time" in refusal_of_event(time=time)


def test_unknown_members_are_accepted() -> None:
    event = {**GOOD, "regionId": "N/A", "ver": "1.0", "trace": None}
    assert check_events(json.dumps([event]).encode()) == (event,)
