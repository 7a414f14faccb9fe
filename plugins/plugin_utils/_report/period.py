# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of the period of a report. Pure."""

from __future__ import annotations

import re

from ...module_utils._api.errors import ConfigurationError
from ...module_utils._api.timestamp import InvalidTime, parse_epoch

_DAYS = re.compile(r"(\d{1,5}(?:\.\d+)?)(?: ?d(?:ays?)?)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DAY_SECONDS = 86_400.0


def parse_since(value: str, now: float) -> float:
    """Return the beginning of the period in epoch seconds.

    ``value``: a number of days before ``now`` (``90``, ``90d``), a date, which begins at midnight
    UTC, or a time in any form of timestamp.py. Raises ConfigurationError.
    """
    text = value.strip()
    days = _DAYS.fullmatch(text)
    if days:
        since = now - float(days[1]) * _DAY_SECONDS
    else:
        try:
            since = parse_epoch(text + "T00:00" if _DATE.fullmatch(text) else text)
        except InvalidTime as exc:
            raise ConfigurationError(
                f"is {text[:60]!r}, which is neither a number of days nor a time",
                option="since",
                advice="Use for example 90, or 2026-11-01.",
            ) from exc
    if since >= now:
        raise ConfigurationError(
            f"is {text[:60]!r}, so the period is empty",
            option="since",
            advice="Use a time in the past, or a number of days above 0.",
        )
    return max(0.0, since)
