# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts a list of events into requests: pure.

Limits, from the Cloud Monitor documentation ("Report custom events"): 100 events and
500 KB a request. Whether KB means 1000 or 1024 is not said, so 500,000 bytes is the limit.
"""

from __future__ import annotations

from typing import Iterable

from .errors import InvalidEvent
from .event import Event
from .frozen import frozen

MAX_EVENTS = 100
MAX_REQUEST_BYTES = 500_000


@frozen
class Batch:
    """The events of one request, and its body: the very bytes to sign and to send."""

    events: tuple[Event, ...]
    body: bytes


def batches(events: Iterable[Event], single: bool = False) -> list[Batch]:
    """Return the requests that carry ``events``, in order, as few as the limits allow.

    ``single`` says that there is one event, given by itself and not in a list: errors then
    name no index. Raises InvalidEvent when one event is larger than a request may be.
    """
    done: list[Batch] = []
    group: list[Event] = []
    parts: list[bytes] = []
    size = 2  # the brackets of the array
    for index, event in enumerate(events):
        part = event.encode()
        if len(part) + 2 > MAX_REQUEST_BYTES:
            raise InvalidEvent(
                f"the event has {len(part)} bytes as JSON, a request may have "
                f"{MAX_REQUEST_BYTES - 2}; shorten the content",
                "content",
                None if single else index,
            )
        if group and (len(group) == MAX_EVENTS or size + 1 + len(part) > MAX_REQUEST_BYTES):
            done.append(_batch(group, parts))
            group, parts, size = [], [], 2
        size += len(part) + (1 if group else 0)
        group.append(event)
        parts.append(part)
    if group:
        done.append(_batch(group, parts))
    return done


def _batch(events: list[Event], parts: list[bytes]) -> Batch:
    return Batch(tuple(events), b"[" + b",".join(parts) + b"]")
