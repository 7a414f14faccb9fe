# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empties the outbox as far as possible: the work of flush_outbox, without Ansible's objects."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ...module_utils._api.errors import DeliveryError, Outcome
from ...module_utils._api.event import Event
from ...module_utils._api.frozen import frozen
from ...module_utils._api.progress import Progress
from .dead_letters import folder_name
from .delivery import Delivery, Send
from .destination import Account
from .log import Attempt, LogDecision, event_count
from .orphans import adopt, request_handover
from .records import read_events
from .storage import DamagedFolder, Folder, Outbox, OutboxError

# A result with thousands of dead letters would travel through Ansible for nothing.
SHOWN_LETTERS = 100

# A courier looks twice a second for a request for a folder, but not during an attempt.
HAND_OVER_SECONDS = 1.5
_POLL_SECONDS = 0.05


@frozen
class Flushed:
    """The result of a flush. ``pending`` and ``dead`` are what is left in the outbox.

    ``dead`` lists deployment, reason and events of the first 100 dead letters, and
    ``dead_count`` counts all. ``changed``: whether the flush delivered an event or dropped one,
    that is, moved it to the dead letters or deleted a dead letter. ``error`` is None if nothing
    went wrong.
    """

    delivered: int
    pending: int
    dead: list[dict[str, Any]]
    dead_count: int
    changed: bool
    error: DeliveryError | None = None


class FlushProgress:
    """Shows how many of the account's events one flush has delivered.

    The events are counted when the first line is due, because that takes a moment.
    """

    def __init__(self, progress: Progress, count_left: Callable[[], int]) -> None:
        """``count_left`` returns how many events still wait for the account."""
        self._progress = progress
        self._count_left = count_left
        self._total: int | None = None
        self._delivered = 0

    def add(self, delivered: int) -> None:
        """Note that a request has delivered events."""
        self._delivered += delivered

    def update(self, sent: int = 0, _of: int = 0) -> None:
        """Show a line if one is due. ``sent``: accepted events of the present call of send."""
        if not self._progress.is_due:
            return
        delivered = self._delivered + sent
        if self._total is None:
            self._total = self._delivered + self._count_left()
        self._progress.update(delivered, max(delivered, self._total))


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
        *,
        progress: FlushProgress | None = None,
        last_attempt: Callable[[], Attempt | None] = lambda: None,
    ) -> None:
        """``patience``: seconds to wait in all until couriers of runs that are over hand over.

        ``last_attempt`` returns what ``send`` did last, for the log.
        """
        self._outbox = outbox
        self._account = account
        self._send = send
        self._patience = patience
        self._monotonic = monotonic
        self._sleep = sleep
        self._progress = progress
        self._last_attempt = last_attempt
        self._attempts = 0
        self._delivered = 0
        self._changed = False
        # An error of the service, and one of the outbox, which is no reason to stop.
        self._error: DeliveryError | None = None
        self._outbox_error: DeliveryError | None = None

    def run(self, dead: str) -> Flushed:
        """Deliver everything that belongs to no living run.

        ``dead``: what to do with dead letters, ``keep``, ``retry`` or ``drop``.
        """
        try:
            self._empty(dead)
        except OSError as exc:
            self._note(exc)
        counted = count(self._outbox)
        return Flushed(
            self._delivered,
            counted.pending,
            counted.dead,
            counted.dead_count,
            self._changed,
            self._error or self._outbox_error,
        )

    def _note(self, exc: OSError | DamagedFolder) -> None:
        problem = str(exc)
        if isinstance(exc, OSError):
            problem = f"outbox: {self._outbox.root} cannot be used ({exc})"
        self._outbox_error = DeliveryError(problem, OutboxError.kind, Outcome.OUTAGE)

    def _empty(self, dead: str) -> None:
        try:
            self._handle_dead_letters(dead)
        except OSError as exc:  # the folders may be fine
            self._note(exc)
        requested: list[Folder] = []
        for folder in self._outbox.folders():
            if self._service_failed:
                break
            self._show_progress()
            if not self._take(folder) and self._request(folder):
                requested.append(folder)
        self._wait_for(requested)

    @property
    def _service_failed(self) -> bool:
        """Whether the key is refused or the service is out of reach.

        The same would happen with every other folder. Only a single event can be wrong by itself.
        """
        return self._error is not None and self._error.kind != "bad_request"

    def _take(self, folder: Folder) -> bool:
        """Deliver a folder if it can be adopted; return whether it could."""
        found = adopt(self._outbox, folder, self._account, math.inf)
        if found is None:
            return False
        try:
            self._deliver(*found)
        except (OSError, DamagedFolder) as exc:  # the other folders may be fine
            self._note(exc)
        return True

    def _request(self, folder: Folder) -> bool:
        """Request a folder from its courier; return whether the courier may hand it over."""
        return request_handover(self._outbox, folder, self._account)

    def _wait_for(self, requested: list[Folder]) -> None:
        """Deliver the folders that couriers hand over. Those that they keep too long are theirs."""
        until = self._monotonic() + self._patience
        while requested and not self._service_failed and self._monotonic() < until:
            self._sleep(_POLL_SECONDS)
            self._show_progress()
            requested = self._not_handed_over(requested)
        # A courier must not part with a folder that no flush waits for any more. One of them may
        # have done so while another one's events were delivered.
        for folder in requested:
            with suppress(OSError):
                folder.request_handover(withdraw=True)
        self._not_handed_over(requested)

    def _not_handed_over(self, requested: list[Folder]) -> list[Folder]:
        """Deliver the folders that can be adopted by now; return the others."""
        return [
            folder
            for folder in requested
            if folder.exists() and (self._service_failed or not self._take(folder))
        ]

    def _deliver(self, delivery: Delivery, lock: int) -> None:
        try:
            while delivery.pending:
                before = delivery.pending
                error = delivery.step(partial(self._counted, delivery.folder.name))
                self._changed = self._changed or delivery.pending < before
                if error is not None:
                    self._error = error
                    if error.keep:
                        return
            if delivery.done:
                delivery.folder.remove(lock)
        finally:
            if delivery.pending:
                text = f"{event_count(delivery.events)} left to a later run"
                self._outbox.log.add(delivery.folder.name, LogDecision.GAVE_UP, text)
            os.close(lock)

    def _counted(self, name: str, events: Sequence[Event]) -> DeliveryError | None:
        """Send events of the folder ``name``, and note what came of it."""
        error = self._send(events)
        attempt = self._last_attempt()
        self._attempts += 1
        if attempt is not None:
            self._outbox.log.add(name, attempt.decision, attempt.text(self._attempts))
        if error is None:
            self._attempts = 0
            self._delivered += len(events)
            self._changed = True
            if self._progress is not None:
                self._progress.add(len(events))
        return error

    def _show_progress(self) -> None:
        if self._progress is not None:
            self._progress.update()

    def _handle_dead_letters(self, dead: str) -> None:
        """Send the dead letters again, or remove all of them. Raises OSError."""
        self._outbox.dead_letters.move_away_unusable()
        if dead == "retry":
            self._retry_dead_letters()
        elif dead == "drop":
            for path in self._outbox.dead_letters.files():
                self._remove(path, None)

    def _retry_dead_letters(self) -> None:
        """Send the dead letters of this destination again. Raises OSError.

        The files are not locked while the network is used: couriers add letters meanwhile.
        """
        with self._outbox.dead_letters.retrying():
            for path in self._outbox.dead_letters.files():
                sent: set[str] = set()
                for letter in self._outbox.dead_letters.letters(path):
                    if self._service_failed:
                        break
                    if self._send_again(folder_name(path), letter):
                        sent.add(_key(letter))
                if sent:
                    self._remove(path, sent)
                if self._service_failed:
                    return

    def _send_again(self, name: str, letter: dict[str, Any]) -> bool:
        """Send a dead letter again if it is meant for this destination; return whether it was."""
        record = {"record": "events", "at": time.time(), "events": letter.get("events")}
        events = read_events(record)
        if letter.get("destination") not in self._account.accepted or not events:
            return False
        error = self._counted(name, events)
        self._error = error or self._error
        return error is None

    def _remove(self, path: Path, keys: set[str] | None) -> None:
        """Remove the dead letters with these keys from a file, None for all. Raises OSError."""

        def keep(letter: dict[str, Any]) -> bool:
            removed = keys is None or _key(letter) in keys
            self._changed = self._changed or removed
            return not removed

        with suppress(FileNotFoundError):
            self._outbox.dead_letters.rewrite(path, keep)


def _key(letter: dict[str, Any]) -> str:
    """Return a text that is equal for equal letters."""
    return json.dumps(letter, sort_keys=True)


def count_waiting(outbox: Outbox, account: Account | None = None) -> int:
    """Return how many events wait, with ``account`` only those for it. Changes nothing."""
    waiting = 0
    for folder in outbox.folders():
        with suppress(OSError, DamagedFolder):
            delivery = Delivery(outbox, folder, math.inf, time.time)
            delivery.refresh()
            if account is None or delivery.destination in account.accepted:
                waiting += delivery.events
    return waiting


def count(outbox: Outbox) -> Flushed:
    """Return what is in the outbox, even while it is delivered. Changes nothing."""
    pending = count_waiting(outbox)
    dead: list[dict[str, Any]] = []
    number = 0
    for path in outbox.dead_letters.files():
        for letter in outbox.dead_letters.letters(path):
            number += 1
            if len(dead) < SHOWN_LETTERS:
                dead.append(
                    {
                        "deployment": folder_name(path),
                        "reason": letter.get("reason"),
                        "events": letter.get("events") or [],
                    }
                )
    return Flushed(0, pending, dead, number, False)
