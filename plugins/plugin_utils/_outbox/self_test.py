# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a courier does that only tests itself: everything up to the first request."""

from __future__ import annotations

import os

from ...module_utils._api.errors import CloudMonitorError
from .courier_settings import CourierSettings
from .probe import ProbeResult
from .sender import Sender
from .storage import Outbox, OutboxError


def run_self_test(settings: CourierSettings) -> ProbeResult:
    """Return whether this process could deliver. Sends nothing and writes nothing."""
    try:
        sender = Sender(
            settings.connection,
            settings.credentials,
            directory=settings.directory,
            destination=settings.destination or None,
        )
        sender.check()
        found = sender.credentials()
        if settings.outbox:
            _check_outbox(Outbox(settings.outbox))
    except CloudMonitorError as exc:
        return ProbeResult(exc.problem, exc.advice, exc.option)
    return ProbeResult(
        problem=None,
        access_key_id=found.access_key_id,
        credentials_source=found.source,
    )


def _check_outbox(outbox: Outbox) -> None:
    """Raises OutboxError if the outbox is not private to this user or not writable."""
    outbox.mode()
    for folder in (outbox.root, outbox.runs, outbox.dead):
        if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise OutboxError(
                f"the courier cannot write to {folder}",
                option="outbox",
                advice="Make it writable, or name another directory as outbox.",
            )
