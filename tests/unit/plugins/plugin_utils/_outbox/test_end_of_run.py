# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the end of a run goes on waiting: the decision, without any process."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.end_of_run import (
    Decision,
    decide,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.status import (
    DeliveryStatus,
)

LIMIT = 5.0
OUTCOMES = {"outage": Outcome.OUTAGE, "throttled": Outcome.THROTTLED, "refused": Outcome.REFUSED,
            "for now": Outcome.REFUSED_FOR_NOW}  # fmt: skip


def _error(outcome: Outcome) -> DeliveryError:
    return DeliveryError("what happened", outcome.value, outcome)


def _status(before: str, since: str = "") -> DeliveryStatus:
    """The status after attempts before the courier has read the finish, and since then."""
    status = DeliveryStatus()
    for known, names in ((False, before), (True, since)):
        for name in filter(None, names.split(", ")):
            error = None if name == "ok" else _error(OUTCOMES[name])
            status = status.after_attempt(error, known)
    return status


def _decide(status: DeliveryStatus, waited: float, **parts: Any) -> Decision:
    facts = {"delivered": False, "courier_is_alive": True, "limit": LIMIT, **parts}
    return decide(status, waited=waited, **facts)


@pytest.mark.parametrize(
    ("before", "since", "expected"),
    [
        ("", "", Decision.KEEP_WAITING),
        ("ok", "", Decision.KEEP_WAITING),
        # One failed attempt is no outage.
        ("outage", "", Decision.KEEP_WAITING),
        ("", "outage", Decision.KEEP_WAITING),
        ("outage", "outage", Decision.OUTAGE),
        ("", "outage, outage", Decision.OUTAGE),
        ("outage, outage, outage", "outage", Decision.OUTAGE),
        # A request of this run was accepted.
        ("ok", "outage, outage, outage", Decision.KEEP_WAITING),
        ("outage, outage, ok", "outage, outage", Decision.KEEP_WAITING),
        # The service is within reach.
        ("throttled", "throttled, throttled", Decision.KEEP_WAITING),
        ("ok", "throttled", Decision.KEEP_WAITING),
        ("outage, throttled", "outage", Decision.KEEP_WAITING),
        ("outage, outage", "throttled", Decision.KEEP_WAITING),
        ("outage", "throttled, outage, outage", Decision.OUTAGE),
        # A refusal that can pass is as final for this run as any other.
        ("", "for now", Decision.REFUSED_FOR_NOW),
        ("ok", "for now", Decision.REFUSED_FOR_NOW),
        ("for now", "for now", Decision.REFUSED_FOR_NOW),
        ("for now", "ok", Decision.KEEP_WAITING),
        ("refused", "ok", Decision.KEEP_WAITING),
        ("refused", "throttled", Decision.KEEP_WAITING),
        ("refused", "outage", Decision.KEEP_WAITING),
    ],
)
@pytest.mark.parametrize("waited", [0.0, 0.19, 4.9])
def test_it_leaves_early_only_when_waiting_is_useless(
    before: str, since: str, expected: Decision, waited: float
) -> None:
    assert _decide(_status(before, since), waited) is expected
    if expected is Decision.KEEP_WAITING:
        assert _decide(_status(before, since), LIMIT) is Decision.TIMEOUT
        assert _decide(_status(before, since), waited, limit=0.0) in (
            Decision.TIMEOUT, Decision.REFUSED,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "expected"),
    [("outage, outage", Decision.OUTAGE), ("for now", Decision.REFUSED_FOR_NOW)],
)
def test_a_known_outage_gets_one_more_attempt_for_the_finish(
    before: str, expected: Decision
) -> None:
    status = _status(before)

    assert _decide(status, 0.1) is Decision.KEEP_WAITING
    assert _decide(status, 0.21) is expected, "but not for long"
    assert _decide(status, 0.0, limit=0.0) is expected


def test_the_refusal_of_the_finish_is_waited_for_a_moment() -> None:
    assert _decide(_status("refused"), 0.2) is Decision.KEEP_WAITING
    assert _decide(_status("refused"), 0.31) is Decision.REFUSED
    assert _decide(_status("refused"), 0.0, limit=0.0) is Decision.REFUSED


@given(
    st.builds(
        DeliveryStatus,
        accepted=st.integers(0, 3),
        outages=st.integers(0, 3),
        finish_attempts=st.integers(0, 3),
        outcome=st.none() | st.sampled_from(Outcome),
    ),
    st.booleans(),
    st.floats(0, 10),
    st.floats(0, 10),
)
def test_it_ends_in_any_case(
    status: DeliveryStatus, courier_is_alive: bool, waited: float, limit: float
) -> None:
    def decision(delivered: bool, waited: float) -> Decision:
        return decide(
            status, delivered=delivered, courier_is_alive=courier_is_alive, waited=waited,
            limit=limit,
        )  # fmt: skip

    assert decision(True, waited) is Decision.DELIVERED
    assert decision(False, max(waited, limit)) is not Decision.KEEP_WAITING
    early = decision(False, waited)
    if status.outcome is Outcome.THROTTLED and courier_is_alive and waited < limit:
        assert early is Decision.KEEP_WAITING
    if early is Decision.OUTAGE:
        assert (status.accepted, status.outcome) == (0, Outcome.OUTAGE)
        assert status.outages >= 2
    if not courier_is_alive:
        assert early is not Decision.KEEP_WAITING
