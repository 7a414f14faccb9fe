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
