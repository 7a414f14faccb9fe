# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of the period."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._report.period import parse_since

NOW = 1_795_651_200.0  # 2026-11-26 00:00 UTC
DAY = 86_400.0


@pytest.mark.parametrize(
    ("value", "since"),
    [
        ("90", NOW - 90 * DAY),
        ("0.5", NOW - DAY / 2),
        (" 7d ", NOW - 7 * DAY),
        ("1 day", NOW - DAY),
        ("2026-11-25", NOW - DAY),
        ("2026-11-25T08:00:00+08:00", NOW - DAY),
        ("99999", 0.0),
    ],
)
def test_the_period_begins_some_days_ago_or_at_a_time(value: str, since: float) -> None:
    assert parse_since(value, NOW) == since


@pytest.mark.parametrize("value", ["", "0", "-7", "yesterday", "2026-13-01", "2026-11-26"])
def test_a_period_that_is_empty_or_unknown_is_an_error(value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_since(value, NOW)
    assert caught.value.option == "since"
