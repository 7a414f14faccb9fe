# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times: the formats that users write, and the format that the service accepts. Pure.

The wire format ``yyyyMMdd'T'HHmmss.SSSZ`` (``20171023T144439.948+0800``) is the documented
format of the ``time`` field of a custom event.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

# Numbers from here on are milliseconds, smaller ones are seconds. As seconds, this is in 5138.
_MILLISECONDS_FROM = 100_000_000_000

_DIGITS = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_ISO = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)[Tt ]"
    r"(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_FORMS = (
    "write 20171023T144439.948+0800, ISO 8601 such as 2017-10-23T14:44:39+08:00 "
    "(UTC without an offset), or epoch seconds or milliseconds"
)


class InvalidTime(ValueError):
    """A time is invalid. The text names the problem and the accepted formats."""


def wire_time(value: Any) -> str:
    """Return a time in the wire format, with milliseconds and its original UTC offset.

    ``value``: the wire format, ISO 8601 (UTC without an offset), a datetime as YAML creates it
    (UTC without a zone), or epoch time as a number or text: milliseconds from 1e11 on, seconds
    below. Raises InvalidTime.
    """
    moment = _moment(value)
    offset = moment.strftime("%z")
    if len(offset) > 5:  # the wire format has no seconds in an offset
        moment, offset = moment.astimezone(timezone.utc), "+0000"
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}{offset}"


def iso_time(epoch: float) -> str:
    """Return epoch seconds as ISO 8601 in UTC with milliseconds: ``2017-10-23T06:44:39.948Z``."""
    moment = _EPOCH + timedelta(milliseconds=round(epoch * 1000))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def parse_epoch(value: Any) -> float:
    """Return the epoch seconds of a time in a format that wire_time accepts. Raises InvalidTime."""
    return (_moment(value) - _EPOCH).total_seconds()


def _moment(value: Any) -> datetime:
    moment = _parse(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    if not 1970 <= moment.year <= 9998:
        raise InvalidTime(f"is {_shown(value)}, which is not in the years 1970 to 9998; {_FORMS}")
    return moment


def _parse(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        raise InvalidTime(f"is the date {value.isoformat()} without a time of day; {_FORMS}")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _from_epoch(value, value)
    if isinstance(value, str):
        text = value.strip()
        if _DIGITS.fullmatch(text):
            return _from_epoch(float(text) if "." in text else int(text), value)
        match = _ISO.fullmatch(text)
        if match:
            return _from_iso(match, value)
    raise InvalidTime(f"is {_shown(value)}, which is not a time; {_FORMS}")


def _from_epoch(number: int | float, value: Any) -> datetime:
    try:
        milliseconds = round(number if number >= _MILLISECONDS_FROM else number * 1000)
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError) as exc:  # not finite, or beyond the year 9999
        raise InvalidTime(f"is {_shown(value)}, which is not a time; {_FORMS}") from exc


def _from_iso(match: re.Match[str], value: Any) -> datetime:
    part = match.groupdict()
    fraction = (part["fraction"] or "").ljust(6, "0")[:6]
    try:
        return datetime(
            int(part["year"]),
            int(part["month"]),
            int(part["day"]),
            int(part["hour"]),
            int(part["minute"]),
            int(part["second"] or 0),
            int(fraction),
            tzinfo=_zone(part["zone"]),
        )
    except ValueError as exc:
        raise InvalidTime(f"is {_shown(value)}, which is not a time ({exc}); {_FORMS}") from exc


def _zone(text: Any) -> timezone:
    if not text or text in "Zz":
        return timezone.utc
    digits = text[1:].replace(":", "").ljust(4, "0")
    if int(digits[2:]) > 59:
        raise ValueError("minutes of the offset must be in 0..59")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _shown(value: Any) -> str:
    try:
        return repr(str(value)[:60])
    except ValueError:  # Python refuses to write an integer of more than 4,300 digits
        return "a number with more than 4,300 digits"
