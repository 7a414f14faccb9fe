# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, durations, counts and links as people read them. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from ...module_utils._api.redact import without_userinfo
from ...module_utils._api.timestamp import InvalidTime, parse_epoch
from .._outbox.terminal import clean, counted

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
# Characters that no page, table or spreadsheet may contain, and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_WEB_URL = re.compile(r"https?://(?P<host>[^\s/?#\\]+)(?:[/?#]\S*)?")
_ISOLATE, _POP = "\u2068", "\u2069"


def text_from(value: Any) -> str:
    """Return a value of a deployment as text without control characters, "" for None."""
    if value is None:
        return ""
    text = str(value)
    return text if text.isprintable() else _CONTROL.sub("\ufffd", text)


def isolated(value: Any) -> str:
    """Return a value for a text without markup, so that its direction affects only itself."""
    text = clean(text_from(value))
    return text if text.isascii() else f"{_ISOLATE}{text}{_POP}"


def cut(text: str, characters: int) -> str:
    """Return the text, shortened to that many characters with an ellipsis at its end."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def epoch_from(value: Any) -> float | None:
    """Return the epoch seconds of a time in the content of an event, None without a usable one."""
    try:
        return None if value is None else parse_epoch(value)
    except InvalidTime:
        return None


def moment(epoch: float) -> datetime:
    """Return epoch seconds as a date-time in UTC."""
    return _EPOCH + timedelta(seconds=epoch)


def time_words(epoch: float | None) -> str:
    """Return a time in UTC to the minute: ``2026-11-26 00:14``. "" for None."""
    return "" if epoch is None else f"{moment(epoch):%Y-%m-%d %H:%M}"


def date_words(epoch: float) -> str:
    """Return a day in UTC: ``26 Nov 2026``."""
    day = moment(epoch)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def tick_words(epoch: float, seconds: int) -> str:
    """Return the label of a line of the timeline; ``seconds`` lie between two lines."""
    day = moment(epoch)
    if seconds < _DAY:
        return f"{day:%H:%M}"
    date = f"{day.day} {_MONTHS[day.month - 1]}"
    return f"{_DAYS[day.weekday()]} {date}" if seconds == _DAY else date


def duration_words(seconds: float | None) -> str:
    """Return a duration in its two largest units: ``0.4 s``, ``4 min 10 s``, ``3 days 4 h``."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_units(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two_units(whole, _HOUR, "h", _MINUTE, "min")
    days = "day" if whole < 2 * _DAY else "days"
    return _two_units(whole, _DAY, days, _HOUR, "h")


def _two_units(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large} {large_name}" + (f" {rest} {small_name}" if rest else "")


def age_words(seconds: float | None) -> str:
    """Return how long ago something was, in one unit: ``just now``, ``3 days ago``."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return "just now"
    for unit, name, below in (
        (_MINUTE, "minute", _HOUR),
        (_HOUR, "hour", 2 * _DAY),
        (_DAY, "day", 60 * _DAY),
        (30 * _DAY, "month", 730 * _DAY),
    ):
        if seconds < below:
            return f"{counted(int(seconds // unit), name)} ago"
    return f"{int(seconds // (365 * _DAY))} years ago"


def web_link(value: Any) -> str | None:
    """Return a URL that a page may link to, without user information; None for anything else.

    Only http and https URLs with a host are links: ``javascript:`` and its like never become one.
    """
    url = text_from(value)
    found = _WEB_URL.fullmatch(url)
    if found is None:
        return None
    return without_userinfo(url) if "@" in found["host"] else url
