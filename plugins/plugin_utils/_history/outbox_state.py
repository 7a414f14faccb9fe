# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments in the outbox: those that run, and those whose finish was not delivered.

Only reads. Anything in the outbox may be damaged, or be removed meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ...module_utils._api.errors import CloudMonitorError
from .._deployment.content import render
from .._outbox.dead_letters import EXPIRED
from .._outbox.records import RunRecord, is_final
from .._outbox.storage import DamagedFolder, Entry, Folder, Outbox


@dataclass(frozen=True)
class OutboxState:
    """``running``: the content of the start of each deployment that runs, plus ``overdue``.

    ``deliveries``: ``waiting``, ``refused`` or ``expired`` for each finish that was not delivered,
    by the id of its deployment.
    """

    running: list[dict[str, Any]] = field(default_factory=list)
    deliveries: dict[str, str] = field(default_factory=dict)


def read_state(outbox: Outbox) -> OutboxState:
    """Return what the folders and the dead letters of an outbox hold. Never raises an exception."""
    state = OutboxState()
    for path in outbox.dead_letters.files():
        for letter in outbox.dead_letters.letters(path):
            delivery = "expired" if letter.get("kind") == EXPIRED else "refused"
            for content in _contents(letter):
                if content.get("phase") == "finish":
                    state.deliveries[content["id"]] = delivery
    for folder in outbox.folders():
        with suppress(OSError, DamagedFolder):
            _read_folder(folder, state)
    return state


def _read_folder(folder: Folder, state: OutboxState) -> None:
    """Add a folder of ``runs``. Raises OSError and DamagedFolder."""
    delivered = folder.delivered()
    entries = folder.entries()
    runs = (RunRecord.read(entry.record) for entry in entries if entry.record)
    run = next((one for one in runs if one is not None), None)
    if run is not None and not any(is_final(entry.record or {}) for entry in entries):
        with suppress(CloudMonitorError):
            start = json.loads(render(run.deployment))
            state.running.append({**start, "overdue": _is_overdue(entries)})
    for entry in entries:
        if entry.end > delivered:
            for content in _contents(entry.record or {}):
                if content.get("phase") == "finish":
                    state.deliveries[content["id"]] = "waiting"


def _is_overdue(entries: list[Entry]) -> bool:
    """Return whether one of the events reports the deployment as overdue."""
    return any(
        content.get("phase") == "overdue"
        for entry in entries
        for content in _contents(entry.record or {})
    )


def _contents(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the contents of the events in a record or dead letter that are about deployments."""
    events = record.get("events")
    for event in events if isinstance(events, list) else ():
        with suppress(LookupError, TypeError, ValueError, RecursionError):
            content = json.loads(event["content"])
            if isinstance(content, dict) and isinstance(content.get("id"), str):
                yield content
