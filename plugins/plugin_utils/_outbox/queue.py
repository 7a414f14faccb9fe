# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Queues the events of a task in the outbox, for the courier of the next run or a flush.

A queue is an ordinary run folder, except that it is complete from the beginning: it is written
under a hidden name, synced, and renamed. A process that is killed in between leaves nothing that
another process would deliver. A queue that is too long for one journal is cut into several
folders. Each names the one before it, because the events are delivered in order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from ...module_utils._api.errors import DeliveryError
from ...module_utils._api.event import Event
from ...module_utils._api.frozen import frozen
from .files import encode_record
from .liveness import host_identity, uptime
from .records import QueueRecord, queued_record
from .status import DeliveryStatus
from .storage import Folder, Outbox, OutboxError, folder_base
from .waiting_time import WaitingTime

# Half of what a journal may have, see storage.py.
PART_LINES = 10_000
PART_BYTES = 8_388_608


@frozen
class Origin:
    """Where queued events come from: see QueueRecord."""

    label: str
    deployment_id: str | None
    destination: str


def queue_events(
    outbox: Outbox, events: Sequence[Event], origin: Origin, error: DeliveryError
) -> None:
    """Store ``events``, all of them or none; they are on disk when this returns.

    ``events`` contain no secrets. ``error``: why they were not delivered. Raises OutboxError.
    """
    outbox.prepare()
    status = DeliveryStatus().after_attempt(error, finish_is_known=True).dump()
    staged: dict[str, Folder] = {}
    base = folder_base(origin.deployment_id or origin.label)
    stem = f"{base}~queued-{os.urandom(8).hex()}"
    now, after = time.time(), None
    records = (queued_record(event, now) for event in events)
    try:
        for number, part in enumerate(cut(records, PART_LINES, PART_BYTES), start=1):
            name = f"{stem}-{number:04}"
            head = QueueRecord(
                origin.label,
                origin.deployment_id,
                origin.destination,
                host_identity(),
                now,
                after,
            )
            staged[name] = outbox.stage(name)
            _write(staged[name], [head.dump(), *part], status)
            after = name
        outbox.publish(staged)
    except OSError as exc:
        raise OutboxError(
            f"the events cannot be stored in {outbox.root} ({exc.strerror or exc})",
            option="outbox",
            advice="Make it writable, or name another directory as outbox or CLOUDMONITOR_OUTBOX.",
        ) from exc
    finally:
        for folder in staged.values():  # they are gone from here if they were published
            folder.remove()


def cut(records: Iterable[dict[str, Any]], lines: int, size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield ``records`` in order, in lists of at most ``lines`` and, if possible, ``size`` bytes.

    Only a record that is longer by itself exceeds the size. Pure.
    """
    part: list[dict[str, Any]] = []
    total = 0
    for record in records:
        length = len(encode_record(record))
        if part and (len(part) == lines or total + length > size):
            yield part
            part, total = [], 0
        part.append(record)
        total += length
    if part:
        yield part


def _write(folder: Folder, records: list[dict[str, Any]], status: dict[str, Any]) -> None:
    """Write the files of a part, the journal durably. Raises OSError."""
    folder.append(*records)
    with suppress(OSError):  # without them the events wait longer, and it is not known for what
        folder.set_status(status)
        folder.set_waited(WaitingTime(0.0, uptime()).with_lines(folder.size()))
