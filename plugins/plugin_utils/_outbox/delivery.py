# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers one folder of the outbox, batch by batch, for whoever holds its lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ...module_utils._api.errors import DeliveryError
from ...module_utils._api.event import Event
from .destination import is_undecided
from .records import RunRecord, missing_finish, missing_start, read_events
from .storage import Entry, Folder, Outbox

# An event has at most some 4,500 bytes, so that these fit into one request with its limits of
# 100 events and 500,000 bytes.
_TOGETHER = 90

Send = Callable[[Sequence[Event]], "DeliveryError | None"]


class Delivery:
    """A folder whose lock is held. ``run`` is None until the first record could be read."""

    def __init__(
        self, outbox: Outbox, folder: Folder, ttl: float, clock: Callable[[], float]
    ) -> None:
        """``ttl``: seconds until an undelivered event is given up."""
        self.folder = folder
        self.run: RunRecord | None = None
        self.started = False
        self.ended = False
        self.buried = 0
        self._outbox = outbox
        self._ttl = ttl
        self._clock = clock
        self._waiting: deque[Entry] = deque()
        self._read_to = 0
        self._done_to = folder.delivered()
        if self._done_to > folder.size():
            self._done_to = 0  # it cannot be true: rather send something twice
        self._one_by_one = 0

    def refresh(self) -> None:
        """Read what has been written since. Raises OSError."""
        if self.folder.size() <= self._read_to:
            return
        for entry in self.folder.entries(self._read_to):
            self._read_to = entry.end
            record = entry.record or {}
            if self.run is None:
                self.run = RunRecord.read(record)
            if record.get("final") is True:
                self.ended = True
            elif record.get("record") == "events":
                self.started = True
            if entry.end > self._done_to and record.get("record") != "run":
                self._waiting.append(entry)

    @property
    def destination(self) -> str | None:
        """Whose credentials may deliver the events, None until the first record could be read."""
        if self.run is None:
            return None
        decided = self.folder.destination() if is_undecided(self.run.destination) else None
        return decided or self.run.destination

    @property
    def pending(self) -> int:
        """How many records wait."""
        return len(self._waiting)

    @property
    def events(self) -> int:
        """How many events wait."""
        return sum(len(read_events(entry.record or {})) for entry in self._waiting)

    @property
    def done(self) -> bool:
        """Whether the deployment is over and everything it wrote is done with."""
        return self.ended and not self._waiting

    def end(self, reason: str, at: float) -> None:
        """Write the finish that the run did not write. Raises OSError.

        A run that was killed before it had written its start gets that, too: whoever sees a
        finish looks for where it began.
        """
        if self.run is not None and not self.ended:
            if not self.started:
                self.folder.append(missing_start(self.run, at))
            self.folder.append(missing_finish(self.run, reason, at))
            self.refresh()

    def step(self, send: Send) -> DeliveryError | None:
        """Send the next batch. Returns the error when it did not get through.

        What is refused for good, too old or unreadable moves to the dead letters. With an
        error that says ``keep`` everything stays where it is. Raises OSError.
        """
        self.refresh()
        batch = self._next_batch()
        if not batch:
            return None
        error = send([event for _entry, events in batch for event in events])
        if error is not None and error.keep:
            return error
        if error is not None and error.kind == "bad_request" and len(batch) > 1:
            self._one_by_one = len(batch)  # one of them is wrong: find out which
            return self.step(send)
        for entry, _events in batch:
            if error is not None:
                self._bury(entry, str(error))
            self._pass(entry)
        self._remember()
        return error

    def _next_batch(self) -> list[tuple[Entry, list[Event]]]:
        """Return the next lines to send together; bury what stands before them."""
        found: list[tuple[Entry, list[Event]]] = []
        self.give_up()
        for entry in self._waiting:
            events = read_events(entry.record or {})
            if self._hopeless(entry, events):
                break  # the order stays: first what stands before it
            found.append((entry, events))
            if sum(len(events) for _entry, events in found) >= _TOGETHER:
                break
        if self._one_by_one:
            self._one_by_one -= 1
            return found[:1]
        return found

    def give_up(self) -> None:
        """Bury the first lines, as far as they cannot or need not be sent. Raises OSError."""
        while self._waiting:
            entry = self._waiting[0]
            reason = self._hopeless(entry, read_events(entry.record or {}))
            if not reason:
                return
            self._bury(entry, reason)
            self._pass(entry)
            self._remember()

    def _hopeless(self, entry: Entry, events: list[Event]) -> str:
        """Return why a line is not worth sending, "" when it is."""
        if not events:
            return "the line of the journal cannot be read"
        if self._clock() - float((entry.record or {})["at"]) > self._ttl:
            return f"not delivered within {self._ttl / 3600:g} hours"
        return ""

    def _pass(self, entry: Entry) -> None:
        self._waiting.remove(entry)
        self._done_to = max(self._done_to, entry.end)

    def _remember(self) -> None:
        # On a full disk delivery goes on; at worst something is sent twice.
        with suppress(OSError):
            self.folder.set_delivered(self._done_to)

    def _bury(self, entry: Entry, reason: str) -> None:
        record: dict[str, Any] = entry.record or {}
        self._outbox.bury(
            self.folder.name,
            {
                "reason": reason,
                "buried_at": self._clock(),
                "at": record.get("at"),
                "destination": self.destination,
                "events": record.get("events"),
                **({} if entry.record else {"text": entry.text}),
            },
        )
        self.buried += 1
