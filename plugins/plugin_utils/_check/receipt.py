# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the test event of a check back, as a receipt from Cloud Monitor."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...module_utils._api.errors import CloudMonitorError
from .._openapi.events import Pages, Query, wait_for_events
from .findings import OK, WRONG, Attempt, Finding, error_finding
from .steps import EVENT

NAME = "receipt"
# How long a check waits. The delay of Cloud Monitor is not documented.
WAIT_SECONDS = 120.0


def receipt_finding(
    api: Pages,
    attempt: Attempt,
    group_id: int,
    wait: float = WAIT_SECONDS,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Finding:
    """Return whether the accepted test event of ``attempt`` is visible, and after how long.

    Only this event counts: its content has an id that no earlier test event has.
    """
    query = Query(
        since=int(attempt.sent_at * 1000) - 1000,
        name=EVENT,
        group_id=group_id,
        keywords=attempt.event_id,
        limit=1,
    )
    try:
        look = wait_for_events(api, query, 1, wait, clock=clock, monotonic=monotonic, sleep=sleep)
    except CloudMonitorError as exc:
        return error_finding(NAME, exc)
    if look.count:
        return Finding(NAME, OK, f"the test event was visible after {look.seconds:.1f} s")
    return Finding(
        NAME,
        WRONG,
        f"the test event was accepted, and is not visible after {wait:g} s",
        "Look for it in the console later, under Access Center > Custom Event. Check that region "
        "is the one that the console shows.",
    )
