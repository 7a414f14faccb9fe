# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the local receiver remembers: requests, accepted events, and the rate of requests."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from datetime import datetime, timezone
from typing import Any, Callable, Dict, Sequence

from .types import Event

Record = Dict[str, Any]


class RateMeter:
    """Tells which requests are over a limit of so many in any second."""

    def __init__(self, limit: int | None) -> None:
        """Take the limit; None means that there is none."""
        self._limit = limit
        self._lock = threading.Lock()
        self._hits: deque[float] = deque()

    def over(self, at: float) -> bool:
        """Count a request; return whether it is one too many.

        One too many counts as well.

        :param at: when it came, in monotonic seconds.
        """
        if self._limit is None:
            return False
        with self._lock:
            while self._hits and at - self._hits[0] >= 1.0:
                self._hits.popleft()
            self._hits.append(at)
            return len(self._hits) > self._limit


class Ledger:
    """Keeps requests and accepted events in memory and, when asked to, in files of JSON lines.

    A file that is not there is made with mode 0600; lines are appended to one that is.
    """

    def __init__(self, events_file: str | None, requests_file: str | None) -> None:
        """Open the files; raises OSError when one cannot be opened."""
        self._changed = threading.Condition()
        self._events: list[Record] = []
        self._requests: list[Record] = []
        self._events_fd = _open(events_file)
        self._requests_fd = _open(requests_file)

    def record(self, request: Record, events: Sequence[Event], now: float) -> None:
        """Remember a request, which gets its number (from 1), and the events accepted with it.

        :param now: the receiver's time, in seconds since the epoch.
        """
        received_at = datetime.fromtimestamp(now, timezone.utc).isoformat(timespec="milliseconds")
        with self._changed:
            request = dict(number=len(self._requests) + 1, **request)
            self._requests.append(request)
            for event in events:
                line = {
                    "name": event["name"],
                    "content": event["content"],
                    "groupId": event.get("groupId", 0),
                    "time": event.get("time"),
                    "received_at": received_at.replace("+00:00", "Z"),
                    "request": request["number"],
                }
                self._events.append(line)
                _append(self._events_fd, line)
            _append(self._requests_fd, request)
            self._changed.notify_all()

    def events(self) -> list[Record]:
        """Return the accepted events, in order."""
        with self._changed:
            return list(self._events)

    def requests(self) -> list[Record]:
        """Return the requests, in the order in which they were decided."""
        with self._changed:
            return list(self._requests)

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``done()`` holds; return whether it did within so many seconds.

        It is called again after every record, with the lock held, which is reentrant.
        """
        with self._changed:
            return self._changed.wait_for(done, seconds)

    def close(self) -> None:
        """Close the files; what is in memory stays."""
        with self._changed:
            for fd in (self._events_fd, self._requests_fd):
                if fd is not None:
                    os.close(fd)
            self._events_fd = self._requests_fd = None


def _open(path: str | None) -> int | None:
    if path is None:
        return None
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _append(fd: int | None, line: Record) -> None:
    if fd is not None:
        data = json.dumps(line, ensure_ascii=False).encode("utf-8") + b"\n"
        while data:
            data = data[os.write(fd, data) :]
