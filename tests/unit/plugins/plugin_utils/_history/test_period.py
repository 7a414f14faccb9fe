# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ends of a period."""

from __future__ import annotations

from datetime import date, datetime, timezone
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.period import (
    parse_moment,
    parse_start,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import DAY

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("90m", NOW - 5400),
        ("12h", NOW - 43_200),
        ("1.5d", NOW - 1.5 * DAY),
        ("2 w", NOW - 14 * DAY),
        ("999999w", 0.0),
        ("2026-11-01", 1_793_491_200.0),
        (date(2026, 11, 1), 1_793_491_200.0),
        (datetime(2026, 11, 1, tzinfo=timezone.utc), 1_793_491_200.0),
        ("20261101T080000.000+0800", 1_793_491_200.0),
        (1_793_491_200, 1_793_491_200.0),
        ("", None),
        (None, None),
    ],
)
def test_an_end_of_a_period_is_a_span_a_date_or_a_time(value: Any, expected: float | None) -> None:
    assert parse_moment(value, "since", NOW) == expected


@pytest.mark.parametrize("value", ["7", "7y", "-7d", "d", "2026-13-01", True, ["7d"]])
def test_nothing_else_is_an_end_of_a_period(value: Any) -> None:
    if value == "7":  # epoch seconds, as everywhere in the collection
        assert parse_moment(value, "since", NOW) == 7.0
        return
    with pytest.raises(InvalidInput):
        parse_moment(value, "since", NOW)


@pytest.mark.parametrize(
    ("value", "since"),
    [
        ("90", NOW - 90 * DAY),
        ("0.5", NOW - DAY / 2),
        (" 7d ", NOW - 7 * DAY),
        ("1 day", NOW - DAY),
        ("2026-09-20", 1_789_862_400.0),
        ("2026-09-20T08:00:00+08:00", 1_789_862_400.0),
        ("99999", 0.0),
    ],
)
def test_the_period_begins_some_days_ago_or_at_a_time(value: str, since: float) -> None:
    assert parse_start(value, "since", NOW) == since


@pytest.mark.parametrize("value", ["", "0", "-7", "yesterday", "2026-13-01", "2026-11-26"])
def test_a_period_that_is_empty_or_unknown_is_an_error(value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_start(value, "since", NOW)
    assert caught.value.option == "since"
