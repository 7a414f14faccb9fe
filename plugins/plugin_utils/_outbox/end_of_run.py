# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides whether the end of a run goes on waiting for the delivery, and how it warns. Pure."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from ...module_utils._api.errors import Outcome
from .status import DeliveryStatus

# How long to wait for the refusal of the last events after earlier ones were refused.
REFUSAL_SECONDS = 0.3
# How long to wait for one more attempt in an outage: the courier makes it as soon as it reads the
# finish, and the outage may have ended while it waited between two attempts.
LAST_ATTEMPT_SECONDS = 0.2
# One failed attempt is no outage: it may have met a restart or a dropped connection.
OUTAGE_ATTEMPTS = 2


class Decision(Enum):
    """What to do now. Every member except ``KEEP_WAITING`` ends the wait."""

    KEEP_WAITING = "keep_waiting"
    DELIVERED = "delivered"
    REFUSED = "refused"
    REFUSED_FOR_NOW = "refused_for_now"
    OUTAGE = "outage"
    NO_COURIER = "no_courier"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


def decide(
    status: DeliveryStatus, *, delivered: bool, courier_is_alive: bool, waited: float, limit: float
) -> Decision:
    """Return whether to go on waiting for the courier, and if not, why not.

    ``delivered``: nothing of this run is left in the outbox. ``waited``: seconds since the finish
    was written. ``limit``: seconds to wait at most (flush_timeout).

    The wait ends before ``limit`` only if waiting is known to be useless: everything is delivered
    or refused, nothing delivers, or the service has been out of reach for the whole run. That
    takes two failed attempts without an accepted one. Throttling, and a failure after an accepted
    start, are waited for until ``limit``.
    """
    if delivered:
        return Decision.DELIVERED
    finish_was_tried = status.finish_attempts > 0 or waited >= min(limit, LAST_ATTEMPT_SECONDS)
    if status.outcome is Outcome.REFUSED and waited >= min(limit, REFUSAL_SECONDS):
        return Decision.REFUSED
    if status.outcome is Outcome.REFUSED_FOR_NOW and finish_was_tried:
        return Decision.REFUSED_FOR_NOW
    if is_outage(status) and finish_was_tried:
        return Decision.OUTAGE
    if not courier_is_alive:
        return Decision.NO_COURIER
    return Decision.TIMEOUT if waited >= limit else Decision.KEEP_WAITING


def warning(decision: Decision, brief: str | None, outbox: Path, dead: Path, limit: float) -> str:
    """Return the warning of a run that ends before all its events are delivered.

    ``brief``: the error of the last attempt, None if there is no such error. ``dead``: where
    refused events are. The warning has at most about 200 characters: what happened, where the
    events are, and the next command.
    """
    if decision is Decision.REFUSED:
        return (
            f"{brief or 'Events were refused.'} Events are kept in {dead}. "
            "Then run aliops.cloudmonitor.flush_outbox with dead: retry."
        )
    if decision is Decision.INTERRUPTED:
        brief = "The wait for the delivery was interrupted."
    elif brief is None and decision is Decision.NO_COURIER:
        brief = "The process that delivers events has ended."
    elif brief is None:
        brief = f"Cloud Monitor did not answer within {limit:g} s."
    return f"{brief} Events wait in {outbox} for the next run or aliops.cloudmonitor.flush_outbox."


def is_outage(status: DeliveryStatus) -> bool:
    """Return whether the service has been out of reach for the whole run."""
    return (
        status.accepted == 0
        and status.outcome is Outcome.OUTAGE
        and status.outages >= OUTAGE_ATTEMPTS
    )
