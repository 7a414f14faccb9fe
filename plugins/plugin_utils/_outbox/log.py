# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of the outbox, ``courier.log``: one line per attempt and per decision.

Couriers and flushes write it, many of them at once. People and ``outbox_info`` read it::

    2026-11-26T00:14:45.123Z 7d0c... accepted 2 events, cn-hangzhou, 0.103 s, attempt 1, request ...

A line has the time in UTC, the folder of the deployment in the outbox, a decision and a text. It
holds no secret and nothing of the content of an event. Delivery never depends on the log: if it
cannot be written, lines are missing, and nothing waits for it.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path

from ...module_utils._api.errors import DeliveryError
from ...module_utils._api.frozen import frozen
from ...module_utils._api.timestamp import InvalidTime, iso_time, parse_epoch
from .files import open_file

LOG, OLDER_LOG = "courier.log", "courier.log.1"
MAX_LOG_BYTES = 1_048_576
MAX_LINE_BYTES = 500
_MAX_NAME_CHARACTERS = 160
# Processes that write at the same moment may pass a limit by some lines, so that both limits
# below are a little smaller. Between them, lines are added while another process rotates.
_MARGIN_BYTES = 65_536
_ATTEMPTS = 5
_LINE = re.compile(r"(\S+) (\S+) ([a-z-]+) (.*)")
_EVENTS = re.compile(r"([0-9]+) events?\b")


class LogDecision(Enum):
    """The third word of a line.

    ``STARTED`` and ``ENDED``: a courier has. ``ACCEPTED``, ``REFUSED`` and ``RETRY``: the result
    of an attempt; after ``RETRY`` the events wait for another attempt. ``ADOPTED`` and
    ``HANDED_OVER``: a folder got another process that delivers it. ``ABORTED``: the finish of a
    run that did not write one. ``OVERDUE``: the event about a run that takes too long.
    ``EXPIRED`` and ``UNREADABLE``: events became dead letters without an attempt. ``GAVE_UP``:
    this process makes no more attempts, and events wait for a later run. ``DAMAGED``: a folder
    was set aside.
    """

    STARTED = "started"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    RETRY = "retry"
    ADOPTED = "adopted"
    HANDED_OVER = "handed-over"
    ABORTED = "aborted"
    OVERDUE = "overdue"
    EXPIRED = "expired"
    UNREADABLE = "unreadable"
    GAVE_UP = "gave-up"
    DAMAGED = "damaged"
    ENDED = "ended"


@frozen
class LogLine:
    """One line. ``at``: epoch seconds. ``deployment``: the name of the deployment's folder."""

    at: float
    deployment: str
    decision: LogDecision
    text: str

    @property
    def events(self) -> int | None:
        """How many events the line is about, None if it is not about events."""
        found = _EVENTS.match(self.text)
        return int(found[1]) if found else None

    @property
    def time_of_day(self) -> str:
        """The time of the line in UTC, without the date."""
        return iso_time(self.at)[11:-1]

    def dump(self) -> bytes:
        """Return the line with its newline, at most 500 bytes, without control characters."""
        name = "".join(printable(self.deployment).split())[:_MAX_NAME_CHARACTERS] or "-"
        text = " ".join(printable(self.text).split())
        line = f"{iso_time(self.at)} {name} {self.decision.value} {text}"
        data = line.encode("utf-8", "replace")
        if len(data) >= MAX_LINE_BYTES:
            data = data[: MAX_LINE_BYTES - 4].decode("utf-8", "ignore").encode("utf-8") + b"..."
        return data + b"\n"


def parse_line(text: str) -> LogLine | None:
    """Return what a line of the log holds, None for a line that is damaged or unknown."""
    found = _LINE.fullmatch(text.rstrip("\n"))
    if found is None:
        return None
    try:
        return LogLine(parse_epoch(found[1]), found[2], LogDecision(found[3]), found[4])
    except (InvalidTime, ValueError):
        return None


def event_count(number: int) -> str:
    """Return a number of events as the texts of the log begin with it."""
    return f"{number} event{'' if number == 1 else 's'}"


@frozen
class Attempt:
    """One attempt. ``where``: region or endpoint. ``request_id``: None without an answer."""

    events: int
    where: str
    seconds: float
    request_id: str | None = None
    error: DeliveryError | None = None

    @property
    def decision(self) -> LogDecision:
        """What the attempt decided about its events."""
        if self.error is None:
            return LogDecision.ACCEPTED
        return LogDecision.RETRY if self.error.keep else LogDecision.REFUSED

    def text(self, number: int, wait: float | None = None) -> str:
        """Return the text of its line.

        ``number``: attempts since the last accepted one, from 1.
        ``wait``: seconds until the next one, None if the next
        one is not due to a failure, or is left to a later run.
        """
        parts = [event_count(self.events), self.where, f"{self.seconds:.3f} s", f"attempt {number}"]
        if self.request_id:
            parts.append(f"request {self.request_id}")
        text = ", ".join(parts)
        if self.error is not None:
            text += f": {_error_text(self.error)}"
        return text if wait is None else f"{text}; next attempt in {wait:.1f} s"


def short_attempt(text: str) -> str:
    """Return the beginning of the text of an attempt: events, place and seconds."""
    return text.partition(", attempt ")[0]


def _error_text(error: DeliveryError) -> str:
    """Return the kind of an error and its cause.

    The text of an answer is left out: it may repeat the content of an event. Without an answer,
    ``message`` is the cause alone. The line already contains the endpoint and the events.
    """
    if error.http_status is None:
        return f"{error.kind} ({error.message or error.problem})"
    code = "" if error.code is None else f", code {error.code}"
    return f"{error.kind} (HTTP {error.http_status}{code})"


class CourierLog:
    """The log in the folder of an outbox. Nothing here raises an exception or waits.

    When the file is nearly full, it becomes the older file. The process that renames it holds a
    lock of that very file, and checks that the file still has the name: another process may have
    renamed it before, and must not lose the new file.
    """

    def __init__(
        self,
        folder: Path,
        limit: int = MAX_LOG_BYTES,
        margin: int = _MARGIN_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``limit``: bytes of each of the two files. ``clock`` returns epoch seconds."""
        self.path = folder / LOG
        self.older_path = folder / OLDER_LOG
        self._most_bytes = limit
        self._limit = limit - margin
        self._rotate_at = limit - 2 * margin
        self._clock = clock

    def add(self, deployment: str, decision: LogDecision, text: str) -> None:
        """Add a line about the deployment whose folder has this name.

        The line is lost if it cannot be written: the disk is full, something other than a file of
        ours has the name, the outbox is read-only.
        """
        with suppress(OSError, ValueError, OverflowError):
            self._append(LogLine(self._clock(), deployment, decision, text).dump())

    def lines(self, deployment: str | None = None) -> Iterator[LogLine]:
        """Yield the lines that can be read, the oldest first; with ``deployment``, only its own."""
        for path in (self.older_path, self.path):
            for text in self._texts(path):
                if deployment is None or f" {deployment} " in text:
                    line = parse_line(text)
                    if line is not None and deployment in (None, line.deployment):
                        yield line

    def _append(self, data: bytes) -> None:
        """Append a line with one call of write(2), which others cannot divide. Raises OSError."""
        for _attempt in range(_ATTEMPTS):
            descriptor = open_file(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                size = os.fstat(descriptor).st_size
                if size + len(data) > self._rotate_at and self._move_away(descriptor):
                    continue
                if size + len(data) <= self._limit:
                    # A full disk may have cut the last line. If another process is just writing
                    # it, an empty line is added, which means nothing.
                    cut = size and os.pread(descriptor, 1, size - 1) != b"\n"
                    os.write(descriptor, b"\n" + data if cut else data)
                return
            finally:
                os.close(descriptor)

    def _move_away(self, descriptor: int) -> bool:
        """Make the open file the older one; return whether the name is free for a new file."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process is doing it
            return False
        try:
            if os.path.samestat(os.fstat(descriptor), os.lstat(self.path)):
                os.rename(self.path, self.older_path)
        except FileNotFoundError:
            return True
        except OSError:  # a directory has the name of the older file
            return False
        return True

    def _texts(self, path: Path) -> list[str]:
        with suppress(OSError):
            descriptor = open_file(path, os.O_RDONLY)
            try:
                begin = max(0, os.fstat(descriptor).st_size - self._most_bytes)
                data = os.pread(descriptor, self._most_bytes, begin)
            finally:
                os.close(descriptor)
            return data.decode("utf-8", "replace").split("\n")
        return []


def printable(text: str) -> str:
    """Return a text in which no character can change how a terminal shows it."""
    return "".join(char if char.isprintable() else " " for char in text)
