# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the body of a request for events: JSON, limits, and every member of every event."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from .types import Event, Refused

#: The service says 500 KB without saying which kind; the smaller reading is the safe one.
MAX_BODY_BYTES = 500000
MAX_EVENTS = 100

_WIRE_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})\.[0-9]{3}"
    r"[+-]([0-9]{2})([0-9]{2})\Z"
)
#: 1973 to 5138: what is shorter was meant as seconds.
_EPOCH_MILLISECONDS = re.compile(r"[1-9][0-9]{11,13}\Z")
_LONG = 2**63
_MAX_OFFSET = timedelta(hours=18)


def check_events(body: bytes) -> tuple[Event, ...]:
    """Return the events of a body, as parsed.

    :raises Refused: (400) the body is too big, is no UTF-8 JSON array of 1 to 100 objects, or an
        event has a member of a wrong form; the text names its index, from 0, and the member.
    """
    if len(body) > MAX_BODY_BYTES:
        raise _syntax(f"the body has {len(body)} bytes, over the limit of {MAX_BODY_BYTES}")
    events = _parse(body)
    if not isinstance(events, list):
        raise _syntax("the body is not a JSON array")
    if not 1 <= len(events) <= MAX_EVENTS:
        raise _syntax(f"the body has {len(events)} events, not 1 to {MAX_EVENTS}")
    for index, event in enumerate(events):
        wrong = _wrong_member(event)
        if wrong:
            raise _syntax(f"event {index}: {wrong}")
    return tuple(events)


def _parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _syntax(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
        # An escaped half of a surrogate pair parses, but it is no text that anybody could store.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _syntax("the body has a lone surrogate in its text") from None
    except json.JSONDecodeError as error:
        raise _syntax(f"the body is not JSON: {error.msg} at {error.pos}") from None
    except (ValueError, RecursionError):
        raise _syntax("the body is not JSON that can be read") from None
    return value


def _no_constant(name: str) -> None:
    raise _syntax(f"the body has {name}, which JSON does not know")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _syntax("the body has an object with the same member twice")
    return members


def _wrong_member(event: Any) -> str:
    """Return what is wrong with one event, or nothing."""
    if not isinstance(event, dict):
        return "it is not an object"
    name, content, group_id = event.get("name"), event.get("content"), event.get("groupId", 0)
    if not isinstance(name, str) or not name.strip():
        return "name is not a string with something in it"
    if not isinstance(content, str):
        return "content is not a string"
    # bool is a kind of int in Python, but true is no Long.
    if isinstance(group_id, bool) or not isinstance(group_id, int):
        return "groupId is not an integer"
    if not -_LONG <= group_id < _LONG:
        return "groupId does not fit a Long"
    if "time" in event and not _is_time(event["time"]):
        return "time is neither like 20171023T144439.948+0800 nor epoch milliseconds, in a string"
    return ""


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    if _EPOCH_MILLISECONDS.match(value):
        return True
    parts = _WIRE_TIME.match(value)
    if parts is None:
        return False
    year, month, day, hour, minute, second, off_hour, off_minute = map(int, parts.groups())
    try:
        datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return False
    return off_minute < 60 and timedelta(hours=off_hour, minutes=off_minute) <= _MAX_OFFSET


def _syntax(what: str) -> Refused:
    return Refused(400, "syntax error: " + what)
