# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message of a flush: the numbers, where the events are, and what to do next. Pure."""

from __future__ import annotations

from pathlib import Path

from ...module_utils._api.errors import CloudMonitorError
from .flush import Flushed

_DEAD = {"keep": "would stay", "retry": "would be sent again", "drop": "would be deleted"}


def flushed_message(flushed: Flushed, root: Path, error: CloudMonitorError | None) -> str:
    """Return the message of a flush of the outbox ``root``; ``error``: why it failed."""
    numbers = (
        f"Delivered {flushed.delivered}, waiting {flushed.pending}, refused {flushed.dead_count}."
    )
    if error is None:
        return numbers
    text = f"{numbers} {str(error).rstrip('.')}."
    if flushed.pending or flushed.dead_count:
        retry = " with dead: retry" if flushed.dead_count else ""
        text += f" The events are safe in {root}. After the cause is fixed, run flush_outbox again"
        text += f"{retry}."
    return text


def counted_message(counted: Flushed, dead: str) -> str:
    """Return the message of check mode; ``dead``: what to do with dead letters."""
    return (
        f"Check mode sent nothing. Events that wait: {counted.pending}. A flush would deliver "
        "them, except those of active runs and of other credentials. "
        f"Dead letters: {counted.dead_count}. They {_DEAD[dead]}."
    )
