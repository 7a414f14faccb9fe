# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sockets of one attempt, so that another thread can end the attempt at its deadline."""

from __future__ import annotations

import errno
import io
import os
import socket
import threading
from contextlib import suppress
from typing import Any, Iterable

# The service answers with some hundred bytes. Without a limit, a line without an end would fill
# the memory.
ANSWER_LIMIT = 1_048_576


class SocketWatch:
    """Knows the sockets of the attempt that is under way, and shuts them down on request.

    It keeps a duplicate of each file descriptor: TLS replaces the socket object, and the original
    descriptor may be closed and used for something else at any time. A duplicate stays valid, and
    shutting it down ends every pending read and write of the connection.
    """

    def __init__(self, answer_limit: int = ANSWER_LIMIT) -> None:
        """``answer_limit``: the largest number of bytes of one answer, with its headers."""
        self._answer_limit = answer_limit
        self._lock = threading.Lock()
        self._duplicates: list[socket.socket] = []
        self._new: list[Any] = []
        self.expired = False
        # Of the attempt that is under way: whether it looks up a name, has tried to open a new
        # connection, has received anything.
        self.resolving = False
        self.opened = False
        self.received = False

    def begin(self) -> None:
        """Start an attempt: nothing is opened or received yet."""
        self.resolving = self.opened = self.received = False

    def end(self, failed: bool = False) -> None:
        """Forget the sockets of the attempt.

        A connection stays open, unless the attempt has ``failed``: urllib3 1.26 leaves some
        sockets to the garbage collector then.
        """
        with self._lock:
            for part in reversed(self._new if failed else []):
                with suppress(OSError):
                    part.close()
            self._new = []
            for duplicate in self._duplicates:
                duplicate.close()
            self._duplicates = []

    def close_on_failure(self, part: Any) -> None:
        """Close a new connection, or a part of one, when the attempt fails."""
        self._new.append(part)

    def expire(self) -> None:
        """Shut down every socket of the attempt, now and when it opens another one."""
        with self._lock:
            self.expired = True
            for duplicate in self._duplicates:
                with suppress(OSError):  # not connected, or not any more
                    duplicate.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise TimeoutError when the deadline has passed."""
        if self.expired:
            raise TimeoutError("the deadline of the attempt has passed")

    def add(self, sock: Any) -> None:
        """Watch a socket, or a TLS socket. Raises TimeoutError when the deadline has passed."""
        with self._lock:
            self.check()
            self._duplicates.append(socket.socket(fileno=os.dup(sock.fileno())))

    def connect(
        self, host: str, port: int, timeout: float, options: Iterable[tuple[Any, ...]]
    ) -> socket.socket:
        """Return a new connection to the first address of ``host`` that answers.

        ``timeout``: seconds for one address. ``options``: arguments of ``setsockopt``.
        Raises OSError, and UnicodeError for a name that is not a possible host name.
        """
        self.opened = self.resolving = True
        addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        self.resolving = False
        error = OSError("the host name has no address")
        for family, kind, protocol, _name, address in addresses:
            self.check()
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as exc:  # no IPv6, for example
                error = exc
                continue
            try:
                for option in options:
                    sock.setsockopt(*option)
                sock.settimeout(timeout)
                self.add(sock)
                self.close_on_failure(sock)
                sock.connect(address)
            except OSError as exc:
                sock.close()
                error = exc
            else:
                return sock
        raise error

    def reader(self, raw: io.RawIOBase) -> Any:
        """Return a reader of one answer. At the deadline it stops, even if there is more data."""
        reader: Any = io.BufferedReader(_WatchedReader(raw, self, self._answer_limit))
        self.close_on_failure(reader)
        return reader


class _WatchedReader(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, watch: SocketWatch, limit: int) -> None:
        super().__init__()
        self._raw = raw
        self._watch = watch
        self._limit = limit
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._watch.check()
        size = self._raw.readinto(buffer)
        if size:
            self._watch.received = True
            self._size += size
        if self._size > self._limit:
            raise OSError(errno.EFBIG, "the answer is too long")
        return size

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        try:
            self._raw.close()
        finally:
            super().close()
