# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of ``-v`` and ``-vv`` about the delivery of a deployment. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .._deployment.content import Deployment
from .._outbox.log import LogLine, event_count, printable

# Levels of verbosity, as Ansible counts them.
RESULT, ATTEMPTS = 1, 2
# In an outage there may be thousands of attempts. The log has them all.
_MAX_LINES = 50


def delivered_line(deployment: Deployment, events: int, where: str, seconds: float) -> str:
    """Return the line about a deployment whose events have all been accepted.

    ``where``: region or endpoint. ``seconds``: how long the end of the run waited.
    """
    return printable(
        f"deployment {deployment.name}: {event_count(events)} delivered to {where} in "
        f"{seconds:.1f} s (id {deployment.id})"
    )


def undelivered_line(deployment: Deployment, detail: str) -> str:
    """Return the line with the whole error of the last attempt."""
    return printable(f"deployment {deployment.name}: {detail}")


def attempt_lines(lines: Iterable[LogLine], since: float) -> list[str]:
    """Return the last lines of the log of the outbox, from ``since`` (epoch seconds) on."""
    recent = deque((line for line in lines if line.at >= since), maxlen=_MAX_LINES)
    return [f"{line.time_of_day} {line.decision.value} {line.text}" for line in recent]
