# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empties the outbox as far as possible: what flush_outbox does, without Ansible's objects."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...module_utils._api.errors import DeliveryError, Outcome
from ...module_utils._api.event import Event
from .delivery import Delivery, Send
from .destination import Account
from .orphans import adopt, ask_for
from .records import read_events
from .storage import Folder, Outbox, OutboxError

# A result with thousands of dead letters would travel through Ansible for nothing.
SHOWN_LETTERS = 100

# A courier looks twice a second whether somebody asks for a folder, but not during a try.
HAND_OVER_SECONDS = 1.5
_LOOK_SECONDS = 0.05


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
    """One flush of an outbox for one account. Clock and sleep are arguments."""

    def __init__(
        self,
        outbox: Outbox,
        account: Account,
        send: Send,
        patience: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``patience``: seconds to wait in all until couriers of runs that are over hand over."""
        self._outbox = outbox
        self._account = account
        self._send = send
        self._patience = patience
        self._monotonic = monotonic
        self._sleep = sleep
        self._delivered = 0
        self._changed = False
        self._error: DeliveryError | None = None

    def run(self, dead: str) -> Flushed:
        """Deliver what belongs to no run that is alive; ``dead``: ``keep``, ``retry``, ``drop``."""
        try:
            self._empty(dead)
        except OSError as exc:
            why = f"outbox: {self._outbox.root} cannot be used ({exc})."
            self._error = DeliveryError(why, OutboxError.kind, Outcome.OUTAGE)
        counted = count(self._outbox)
        return Flushed(
            self._delivered,
            counted.pending,
            counted.dead,
            counted.dead_count,
            self._changed,
            self._error,
        )

    def _empty(self, dead: str) -> None:
        if dead != "keep":
            self._dead_letters(retry=dead == "retry")
        asked: list[Folder] = []
        for folder in self._outbox.folders():
            if self._hopeless:
                break
            if not self._take(folder) and self._ask_for(folder):
                asked.append(folder)
        self._wait_for(asked)

    @property
    def _hopeless(self) -> bool:
        """Whether a key is refused, or the service out of reach: it is so for every folder."""
        return self._error is not None and self._error.kind != "bad_request"

    def _take(self, folder: Folder) -> bool:
        """Deliver a folder if it can be had; return whether it could. Raises OSError."""
        found = None
        # Its courier has just delivered the last of it, or it is damaged: the others go on.
        with suppress(OSError):
            found = adopt(self._outbox, folder, self._account, math.inf)
        if found is not None:
            self._deliver(*found)
        return found is not None

    def _ask_for(self, folder: Folder) -> bool:
        """Ask a courier whose run is over for a folder; return whether it may hand it over."""
        with suppress(OSError):
            return ask_for(self._outbox, folder, self._account)
        return False

    def _wait_for(self, asked: list[Folder]) -> None:
        """Deliver what couriers hand over. What they keep too long is left to them."""
        until = self._monotonic() + self._patience
        while asked and not self._hopeless and self._monotonic() < until:
            self._sleep(_LOOK_SECONDS)
            asked = self._not_handed_over(asked)
        # A courier must not part with a folder that nobody waits for any more. One of them may
        # have done so while another one's events were delivered.
        for folder in asked:
            with suppress(OSError):
                folder.ask(withdraw=True)
        self._not_handed_over(asked)

    def _not_handed_over(self, asked: list[Folder]) -> list[Folder]:
        """Deliver those folders that can be had by now; return the others."""
        return [
            folder
            for folder in asked
            if folder.exists() and (self._hopeless or not self._take(folder))
        ]

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
                self._outbox.exhume(path, self._still_dead if retry else self._dropped)

    def _dropped(self, _letter: dict[str, Any]) -> bool:
        self._changed = True
        return False

    def _still_dead(self, letter: dict[str, Any]) -> bool:
        """Try a dead letter once more; return whether it stays one."""
        record = {"record": "events", "at": time.time(), "events": letter.get("events")}
        events = read_events(record)
        if letter.get("destination") not in self._account.accepted or not events:
            return True
        if self._error is not None and self._error.kind != "bad_request":
            return True
        error = self._counted(events)
        self._error = error or self._error
        self._changed = self._changed or error is None
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
