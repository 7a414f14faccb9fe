# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of a period: a moment, or a span of time before now. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import Any

from ...module_utils._api.errors import InvalidInput
from ...module_utils._api.timestamp import InvalidTime, parse_epoch

_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?([mhdw])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DAYS = re.compile(r"(\d{1,5}(?:\.\d{1,3})?)(?: ?days?)?")


def parse_start(value: str, option: str, now: float) -> float:
    """Return the start of a period that ends now, in epoch seconds.

    ``value``: a number of days, or a moment as in ``parse_moment``. Raises InvalidInput, which
    names ``option``.
    """
    days = _DAYS.fullmatch(value.strip())
    start = parse_moment(f"{days[1]}d" if days else value.strip(), option, now)
    if start is None or start >= now:
        raise InvalidInput(
            f"is {value.strip()[:60]!r}, so the period is empty",
            option=option,
            advice="Use a time in the past, or a number of days above 0.",
        )
    return start


def parse_moment(value: Any, option: str, now: float) -> float | None:
    """Return a moment in epoch seconds, None for an empty value.

    ``value``: a span before ``now`` such as ``90m``, ``12h``, ``7d`` or ``2w``; a date, which
    begins at midnight UTC; or a time in any form of timestamp.py. Raises InvalidInput, which names
    ``option``.
    """
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    span = _SPAN.fullmatch(text)
    if span:
        return max(0.0, now - float(span[1]) * _SECONDS[span[2]])
    try:
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=timezone.utc).timestamp()
        return parse_epoch(text + "T00:00" if _DATE.fullmatch(text) else value)
    except InvalidTime as exc:
        raise InvalidInput(
            f"is {text[:60]!r}, which is neither a time nor a span before now",
            option=option,
            advice="Use a span such as 12h, 7d or 2w, a date such as 2026-11-01, or a time such as "
            "2026-11-01T08:00:00+08:00.",
        ) from exc
