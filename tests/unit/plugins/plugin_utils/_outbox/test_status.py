# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the courier reports to the callback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.status import (
    DeliveryStatus,
)

STATUSES = st.builds(DeliveryStatus, outcome=st.none() | st.sampled_from(Outcome))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)
NAMES = ("accepted", "outages", "finish_attempts", "outcome", "kind", "brief", "text")


@given(STATUSES)
def test_it_survives_the_way_through_the_file(status: DeliveryStatus) -> None:
    assert DeliveryStatus.parse(json.loads(json.dumps(status.dump()))) == status


@given(st.dictionaries(st.sampled_from(NAMES), JSON) | st.dictionaries(st.text(), JSON))
def test_a_file_that_holds_anything_else_is_no_error(raw: dict[str, Any]) -> None:
    status = DeliveryStatus.parse(raw)

    counts = (status.accepted, status.outages, status.finish_attempts)
    assert not any(isinstance(count, bool) or not isinstance(count, int) for count in counts)
    assert status.outcome is None or isinstance(status.outcome, Outcome)


@pytest.mark.parametrize(
    "raw", [{}, {"accepted": True}, {"accepted": "1"}, {"outcome": ["outage"]}]
)
def test_an_unusable_value_counts_as_not_known(raw: dict[str, Any]) -> None:
    assert DeliveryStatus.parse(raw) == DeliveryStatus()


def test_it_counts_attempts() -> None:
    outage = DeliveryError("Connection refused", "connection", Outcome.OUTAGE)
    throttled = DeliveryError("too many requests", "throttled", Outcome.THROTTLED)
    status = DeliveryStatus().after_attempt(outage, False).after_attempt(outage, True)

    expected = (Outcome.OUTAGE, "connection", "Cloud Monitor cannot be reached.")
    assert status == DeliveryStatus(0, 2, 1, *expected, "Connection refused")
    status = status.after_attempt(throttled, True)
    assert (status.outages, status.finish_attempts, status.kind) == (0, 2, "throttled")
    assert status.after_attempt(None, True) == DeliveryStatus(accepted=1, finish_attempts=3)
