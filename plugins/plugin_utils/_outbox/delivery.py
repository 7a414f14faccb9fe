# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers one folder of the outbox, batch by batch, for the process that holds its lock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from typing import Any

from ...module_utils._api.batch import MAX_EVENTS, MAX_REQUEST_BYTES
from ...module_utils._api.errors import DeliveryError
from ...module_utils._api.event import Event
from ...module_utils._api.frozen import frozen
from .dead_letters import EXPIRED, REFUSED, UNREADABLE
from .destination import is_undecided
from .liveness import Uptime, uptime
from .log import LogDecision, event_count
from .records import (
    QueueRecord,
    RunRecord,
    finish_content,
    is_final,
    missing_finish,
    missing_start,
    overdue_record,
    read_events,
)
from .storage import Entry, Folder, Outbox, damage_reported
from .waiting_time import WaitingTime

# The kind of a dead letter, and its reason for people.
Reason = tuple[str, str]

Send = Callable[[Sequence[Event]], "DeliveryError | None"]


@frozen
class _Line:
    """A line that waits, and its events; an empty list if it cannot be read."""

    entry: Entry
    events: list[Event]

    @property
    def size(self) -> int:
        """The bytes of the events in a request, with a comma or bracket after each."""
        return sum(len(event.encode()) + 1 for event in self.events)


class Delivery:
    """A folder whose lock is held.

    ``run`` or ``queue`` is its first record; both are None until that could be read.

    The methods raise OSError if the disk is full or the folder is gone, and DamagedFolder if the
    content of the folder cannot be used. Nothing else.
    """

    def __init__(
        self,
        outbox: Outbox,
        folder: Folder,
        ttl: float,
        clock: Callable[[], float],
        up: Callable[[], Uptime] = uptime,
    ) -> None:
        """``ttl``: seconds after which an undelivered event is given up, see waiting_time.py.

        ``clock`` returns epoch seconds, ``up`` the time since the boot.
        """
        self.folder = folder
        self._outbox = outbox
        self._ttl = ttl
        self._clock = clock
        self._up = up
        self.run: RunRecord | None = None
        self.queue: QueueRecord | None = None
        self.started = False
        self.ended = False
        self.overdue = False
        self._waited: WaitingTime | None = None
        self._lines: deque[_Line] = deque()
        self._refusals: dict[int, DeliveryError] = {}
        self._read_to = 0
        self._done_to = 0
        self._single = 0
        self._is_in_history = False

    def refresh(self) -> None:
        """Read what has been written since. Raises OSError and DamagedFolder."""
        with damage_reported(self.folder):
            if self.folder.size() <= self._read_to:
                return
            if self._read_to == 0:
                self._done_to = self.folder.delivered()
            for entry in self.folder.entries(self._read_to):
                self._add(entry)
            self._note_waiting()

    def _add(self, entry: Entry) -> None:
        self._read_to = entry.end
        record = entry.record or {}
        if record.get("record") in ("run", "queue"):
            if self.head is None:
                self.run, self.queue = RunRecord.read(record), QueueRecord.read(record)
                self.ended = self.ended or self.queue is not None  # it was complete from the start
            return
        line = _Line(entry, read_events(record))
        if is_final(record):
            if self.ended:
                return  # two finishes would contradict each other: the first one is sent
            self.ended = True
        elif record.get("overdue") is True:
            if self.ended:
                return  # the run ended while another process found it overdue: the finish wins
            self.overdue = True
        elif line.events:
            self.started = True
        if entry.end > self._done_to:
            self._lines.append(line)

    @property
    def head(self) -> RunRecord | QueueRecord | None:
        """The first record of the journal, None until it could be read."""
        return self.run or self.queue

    @property
    def destination(self) -> str | None:
        """Whose credentials may deliver the events, None until the first record could be read."""
        head = self.head
        if head is None:
            return None
        decided = self.folder.destination() if is_undecided(head.destination) else None
        return decided or head.destination

    @property
    def pending(self) -> int:
        """How many lines wait."""
        return len(self._lines)

    @property
    def events(self) -> int:
        """How many events wait."""
        return sum(len(line.events) for line in self._lines)

    @property
    def done(self) -> bool:
        """Whether nothing more will be written, and everything that was is done with."""
        return self.ended and not self._lines

    @property
    def expired(self) -> bool:
        """Whether everything in the folder, delivered or not, has waited for ``ttl``."""
        return self._age(self._read_to) > self._ttl

    def end(self, reason: str, at: float) -> None:
        """Write the finish if the run did not write it.

        The run must be over. Only then it is certain that it writes nothing more, so the journal
        is read here once again. A run that was killed before it had written its start gets that
        also: a reader of a finish looks for its start. ``reason`` and ``at``: see missing_finish.
        Raises OSError and DamagedFolder.
        """
        self.refresh()
        if self.run is None or self.ended:
            return
        with damage_reported(self.folder):
            records = [] if self.started else [missing_start(self.run, at)]
            finish = missing_finish(self.run, reason, at)
            self._add_to_history(finish)
            self.folder.append(*records, finish)
            self._outbox.log.add(self.folder.name, LogDecision.ABORTED, reason)
            # An event that happened days ago has waited for days, if nothing contradicts that.
            self._note_waiting(self.folder.size(), max(0.0, self._clock() - at))
        self.refresh()

    def report_overdue(self, elapsed: float, at: float) -> bool:
        """Write the event that the run takes too long, once; return whether it was written.

        The run writes to the same journal. If its finish gets there first, nothing is sent.
        ``elapsed``: seconds since the start. ``at``: epoch seconds. The space that is reserved
        for the finish is not used. Raises OSError and DamagedFolder.
        """
        self.refresh()
        if self.run is None or self.ended or self.overdue:
            return False
        with damage_reported(self.folder):
            self.folder.append(overdue_record(self.run, elapsed, at), use_reserve=False)
        self.refresh()
        return self.overdue

    def _add_to_history(self, finish: Mapping[str, Any]) -> None:
        # On a full disk the finish is tried again and again.
        content = None if self._is_in_history else finish_content(finish)
        if content is not None:
            self._is_in_history = self._outbox.history.add(content, "callback") is None

    def step(self, send: Send, *, once: bool = False) -> DeliveryError | None:
        """Send the next batch. Returns the error if it was not accepted.

        Events that are refused, too old or unreadable move to the dead letters. With an error
        that says ``keep`` everything stays where it is. If a batch is refused because of one of
        its events, they are sent one by one: with ``once`` in the next steps, otherwise the first
        one in this step. Raises OSError and DamagedFolder.
        """
        self.refresh()
        self.give_up()
        batch = self._next_batch()
        if not batch:
            return None
        error = send([event for line in batch for event in line.events])
        if error is not None and error.keep:
            return error
        if error is not None and error.kind == "bad_request" and len(batch) > 1:
            self._single = len(batch)  # one of them is wrong: find out which
            return error if once else self.step(send)
        self._single = max(0, self._single - len(batch))
        if error is None:
            for line in batch:
                self._pass(line)
            self._remember()
        else:
            self._refusals.update((line.entry.end, error) for line in batch)
            self.give_up()
        return error

    def _next_batch(self) -> list[_Line]:
        """Return the lines to send together: the first ones, as far as they can be sent."""
        batch: list[_Line] = []
        count, size = 0, 1  # one bracket of the array
        for line in islice(self._lines, 1 if self._single else None):
            count += len(line.events)
            size += line.size
            is_full = batch and (count > MAX_EVENTS or size > MAX_REQUEST_BYTES)
            if is_full or self._why_give_up(line) is not None:
                break  # the order stays
            batch.append(line)
        return batch

    def give_up(self) -> None:
        """Move the first lines that will not be sent to the dead letters.

        Raises OSError and DamagedFolder.
        """
        while given_up := self._first_given_up():
            with damage_reported(self.folder):
                letters = [self._dead_letter(line, why) for line, why in given_up]
                self._outbox.dead_letters.add(self.folder.name, *letters)
            for why, group in groupby(given_up, key=lambda one: one[1]):
                self._log_given_up([line for line, _why in group], why)
            for line, _why in given_up:
                self._pass(line)
            self._remember()

    def _first_given_up(self) -> list[tuple[_Line, Reason]]:
        """Return the first lines that will not be sent, as many as a request could hold.

        They are stored together: to sync thousands of refused events one by one takes minutes.
        """
        found: list[tuple[_Line, Reason]] = []
        size = 0
        for line in islice(self._lines, MAX_EVENTS):
            why = self._why_give_up(line)
            size += line.size
            if why is None or (found and size > MAX_REQUEST_BYTES):
                break
            found.append((line, why))
        return found

    def _why_give_up(self, line: _Line) -> Reason | None:
        """Return why a line will not be sent, None if it will be."""
        if not line.events:
            return UNREADABLE, "the line of the journal cannot be read"
        if self._age(line.entry.end) > self._ttl:
            return EXPIRED, f"not delivered within {self._ttl / 3600:g} hours"
        refusal = self._refusals.get(line.entry.end)
        return None if refusal is None else (REFUSED, str(refusal))

    def _pass(self, line: _Line) -> None:
        self._lines.remove(line)
        self._refusals.pop(line.entry.end, None)
        self._done_to = max(self._done_to, line.entry.end)

    def _remember(self) -> None:
        # On a full disk delivery goes on; at worst something is sent twice.
        with suppress(OSError):
            self.folder.set_delivered(self._done_to)

    def _dead_letter(self, line: _Line, why: Reason) -> dict[str, Any]:
        record = line.entry.record or {}
        refusal = self._refusals.get(line.entry.end)
        letter: dict[str, Any] = {
            "kind": why[0],
            "reason": why[1],
            "brief": f"{why[1].capitalize()}." if refusal is None else refusal.brief,
            "added_at": self._clock(),
            "at": record.get("at"),
            "destination": self.destination,
            "events": record.get("events"),
        }
        if line.entry.record is None:
            letter["text"] = line.entry.text
        return letter

    def _log_given_up(self, lines: Sequence[_Line], why: Reason) -> None:
        kind, reason = why
        if kind != REFUSED:  # the attempt that was refused has its line already
            text = f"{event_count(sum(len(line.events) for line in lines))}: {reason}"
            self._outbox.log.add(self.folder.name, LogDecision(kind), text)

    # How long lines have waited

    def _age(self, end: int) -> float:
        """Return the seconds for which the line that ends at ``end`` has waited."""
        if self._waited is None:
            return 0.0
        return self._as_of_now(self._waited, 0.0).age(end)

    def _as_of_now(self, waited: WaitingTime, noted_at: float) -> WaitingTime:
        return waited.until(self._up(), noted_at, self._outbox.present, self._ttl)

    def _note_waiting(self, end: int | None = None, ago: float = 0.0) -> None:
        """Note lines that were not there before. ``ago``: seconds for which they have waited."""
        if math.isinf(self._ttl) or self.head is None:
            return  # nothing is given up here, or nothing can be sent
        noted = self._waited
        if noted is not None:
            now = self._as_of_now(noted, 0.0)
        else:
            found = self.folder.waited()
            noted = found[0] if found is not None else None
            now = WaitingTime(0.0, self._up()) if found is None else self._as_of_now(*found)
        self._waited = now = now.with_lines(self._read_to if end is None else end, ago)
        # Not without need: it is a change of the folder, and a sign of life.
        if noted is None or (noted.seen, noted.uptime.boot) != (now.seen, now.uptime.boot):
            with suppress(OSError):  # if it is not kept, the events wait longer
                self.folder.set_waited(now)
