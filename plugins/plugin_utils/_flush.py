# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empties the outbox as far as possible: what flush_outbox does, without Ansible's objects."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..module_utils._errors import DeliveryError
from ..module_utils._event import Event
from ._adoption import adopt
from ._delivery import Delivery, Send
from ._outbox import Outbox
from ._records import read_events

# A result with thousands of dead letters would travel through Ansible for nothing.
SHOWN_LETTERS = 100


@dataclass(frozen=True)
class Flushed:
    """What became of the outbox. ``pending`` and ``dead`` are what is left in it.

    ``dead`` lists deployment, reason and events of the first 100 dead letters, and
    ``dead_count`` counts all; ``error`` is None when nothing stood in the way.
    """

    delivered: int
    pending: int
    dead: list[dict[str, Any]]
    dead_count: int
    changed: bool
    error: DeliveryError | None = None


class Flush:
    """One flush of an outbox for one destination."""

    def __init__(self, outbox: Outbox, destination: str, send: Send) -> None:
        self._outbox = outbox
        self._destination = destination
        self._send = send
        self._delivered = 0
        self._changed = False
        self._error: DeliveryError | None = None

    def run(self, dead: str) -> Flushed:
        """Deliver what nobody else is delivering; ``dead``: ``keep``, ``retry`` or ``drop``."""
        if dead != "keep":
            self._dead_letters(retry=dead == "retry")
        for folder in self._outbox.folders():
            # A key that is refused, or a service out of reach, is so for every folder.
            if self._error is not None and self._error.kind != "bad_request":
                break
            found = None
            # Its courier has just delivered the last of it, or it is damaged: the others go on.
            with suppress(OSError):
                found = adopt(self._outbox, folder, self._destination, math.inf)
            if found is not None:
                self._deliver(*found)
        counted = count(self._outbox)
        return Flushed(
            self._delivered,
            counted.pending,
            counted.dead,
            counted.dead_count,
            self._changed,
            self._error,
        )

    def _deliver(self, delivery: Delivery, lock: int) -> None:
        try:
            while delivery.pending:
                error = delivery.step(self._counted)
                self._changed = True
                if error is not None:
                    self._error = error
                    if error.keep:
                        return
            if delivery.done:
                delivery.folder.remove()
        finally:
            os.close(lock)

    def _counted(self, events: Sequence[Event]) -> DeliveryError | None:
        error = self._send(events)
        if error is None:
            self._delivered += len(events)
        return error

    def _dead_letters(self, retry: bool) -> None:
        """Send the dead letters of this destination once more, or drop all."""
        for path, _letters in list(self._outbox.letters()):
            with suppress(FileNotFoundError):
                self._outbox.exhume(path, self._still_dead if retry else lambda _letter: False)
                self._changed = True

    def _still_dead(self, letter: dict[str, Any]) -> bool:
        """Try a dead letter once more; return whether it stays one."""
        record = {"record": "events", "at": time.time(), "events": letter.get("events")}
        events = read_events(record)
        if letter.get("destination") != self._destination or not events:
            return True
        if self._error is not None and self._error.kind != "bad_request":
            return True
        error = self._counted(events)
        self._error = error or self._error
        return error is not None


def count(outbox: Outbox) -> Flushed:
    """Return what is in the outbox, whoever is delivering it, and change nothing."""
    pending = 0
    for folder in outbox.folders():
        with suppress(OSError):
            delivery = Delivery(outbox, folder, math.inf, time.time)
            delivery.refresh()
            pending += delivery.events
    dead: list[dict[str, Any]] = []
    number = 0
    for path, letters in outbox.letters():
        number += len(letters)
        for letter in letters[: SHOWN_LETTERS - len(dead)]:
            dead.append(
                {
                    "deployment": path.stem,
                    "reason": letter.get("reason"),
                    "events": letter.get("events") or [],
                }
            )
    return Flushed(0, pending, dead, number, False)
