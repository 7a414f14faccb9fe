# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One custom event: from the form that users write to the form that is sent. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Callable, Mapping, Sequence

from .errors import InvalidEvent, InvalidInput
from .frozen import frozen
from .timestamp import InvalidTime, wire_time

KEYS = ("name", "content", "group_id", "time")

# groupId is a Java Long (Cloud Monitor documentation).
_GROUP_ID_MAX = 2**63 - 1
_DIGITS = re.compile(r"[0-9]{1,19}")


@frozen
class Event:
    """A valid custom event.

    ``name`` and ``content`` are texts. ``group_id`` is the id of an application group, 0 for no
    group. ``time`` has the wire form ``yyyyMMdd'T'HHmmss.SSSZ``.
    """

    name: str
    content: str
    group_id: int
    time: str

    def with_texts(self, change: Callable[[str], str]) -> Event:
        """Return the event with ``change`` applied to its name and its content."""
        return replace(self, name=change(self.name), content=change(self.content))

    def encode(self) -> bytes:
        """Return the event as compact JSON in UTF-8: the bytes that are sent."""
        wire = {
            "name": self.name,
            "content": self.content,
            "groupId": self.group_id,
            "time": self.time,
        }
        return json.dumps(wire, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    def as_option(self) -> dict[str, Any]:
        """Return the event in the form of the ``events`` option, ready to be given again."""
        return {
            "name": self.name,
            "content": self.content,
            "group_id": self.group_id,
            "time": self.time,
        }


def parse_event(
    raw: Mapping[str, Any], now: float, group_id: int = 0, index: int | None = None
) -> Event:
    """Return the event that ``raw`` describes: name, content, group_id, time, as users write them.

    ``now`` (epoch seconds) and ``group_id`` are the defaults of an event that has none. ``index``
    is its place in the list, for errors. Raises InvalidEvent, which names the index and the field.
    """
    unknown = sorted(str(key) for key in raw if key not in KEYS)
    if unknown:
        raise InvalidEvent(
            f"is not a key of an event; the keys are {', '.join(KEYS)}", unknown[0], index
        )
    group = raw.get("group_id")
    return Event(
        name=_name(raw.get("name"), index),
        content=_content(raw.get("content"), index),
        group_id=_group_id(group_id if group is None else group, index),
        time=_time(raw.get("time"), now, index),
    )


def parse_events(raw: Any, now: float, group_id: Any = 0) -> list[Event]:
    """Return the events of the ``events`` option: a list of mappings. See parse_event."""
    if isinstance(raw, (str, bytes, Mapping)) or not isinstance(raw, Sequence):
        raise InvalidInput(
            f"must be a list of events, each with name and content, and is {_kind(raw)}",
            option="events",
            advice="No event was sent.",
        )
    if not raw:
        raise InvalidInput(
            "must have at least one event", option="events", advice="No event was sent."
        )
    default = _group_id(group_id, None)
    events = []
    for index, item in enumerate(raw):
        if not isinstance(item, Mapping):
            raise InvalidInput(
                f"must be a mapping with name and content, and is {_kind(item)}",
                option=f"events[{index}]",
                advice="No event was sent.",
            )
        events.append(parse_event(item, now, default, index))
    return events


def content_text(value: Any) -> str:
    """Return ``value`` as the text of a content: a text unchanged, anything else as compact JSON.

    Raises ValueError or TypeError if it cannot be written as JSON.
    """
    if isinstance(value, str):
        return str(value)
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_json_default
    )


def _json_default(value: Any) -> Any:
    # YAML reads an unquoted date as one of these; Ansible itself prints them like this.
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} has no JSON form")


def _name(value: Any, index: int | None) -> str:
    if value is None:
        raise InvalidEvent("is missing; give the event a name", "name", index)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = _number_text(value, index)  # as Ansible does for every option of type str
    if not isinstance(value, str):
        raise InvalidEvent(f"must be text and is {_kind(value)}; quote it", "name", index)
    if not value.strip():
        raise InvalidEvent("is empty; give the event a name", "name", index)
    return _utf8(str(value), "name", index)


def _number_text(value: Any, index: int | None) -> str:
    try:
        return str(value)
    except ValueError as exc:  # Python refuses to write an integer of more than 4,300 digits
        raise InvalidEvent("has too many digits; give the event a name", "name", index) from exc


def _content(value: Any, index: int | None) -> str:
    if value is None or value == "":
        raise InvalidEvent(
            f"is {'missing' if value is None else 'empty'}; say what happened", "content", index
        )
    try:
        text = content_text(value)
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidEvent(f"cannot be written as JSON ({exc})", "content", index) from exc
    return _utf8(text, "content", index)


def _utf8(text: str, field: str, index: int | None) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise InvalidEvent(
            f"character {exc.start} is half of a surrogate pair "
            f"(\\u{ord(text[exc.start]):04x}) and cannot be sent as UTF-8; remove it",
            field,
            index,
        ) from exc
    return text


def _group_id(value: Any, index: int | None) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        number = int(value)  # Jinja makes text of numbers
    if number is None or not 0 <= number <= _GROUP_ID_MAX:
        raise InvalidEvent(
            "must be the number of an application group (0 for none) and is "
            f"{_shown(value)[:60]!r}",
            "group_id",
            index,
        )
    return number


def _time(value: Any, now: float, index: int | None) -> str:
    try:
        return wire_time(now if value is None or value == "" else value)
    except InvalidTime as exc:
        raise InvalidEvent(str(exc), "time", index) from exc


def _shown(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write an integer of more than 4,300 digits
        return "a number with more than 4,300 digits"


def _kind(value: Any) -> str:
    """Return the type of ``value`` in the terms of a playbook."""
    if value is None:
        return "empty"
    names = (
        (bool, "a boolean"),
        (str, "text"),
        (int, "a number"),
        (float, "a number"),
        (Mapping, "a mapping"),
        (Sequence, "a list"),
        (date, "a date"),
    )
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return f"a value of type {type(value).__name__}"
