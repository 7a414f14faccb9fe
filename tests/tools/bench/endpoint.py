# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP endpoint that every callback of the benchmark takes for its own service.

It only counts requests. What Cloud Monitor's requests must look like is the receiver's business.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType

MODES = ("healthy", "500", "refused", "silent", "slow", "dripping")
SLOW_SECONDS = 2.0
DRIP_SECONDS = 0.5
BODY = b'{"code":"200","msg":"","id":1,"message":"fine"}'


class Endpoint:
    """Listens on loopback while the context lasts and answers as its mode says."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._over = threading.Event()

    @property
    def url(self) -> str:
        """The base URL; with the mode ``refused`` nothing listens there."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Endpoint:
        """Start to answer."""
        if self.mode == "refused":
            address = self._listener.getsockname()
            self._listener.close()
            # Bound but not listening: nobody else gets the port, and connections are refused.
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
        else:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError):
            while not self._over.is_set():
                if not _read_request(connection):
                    return
                self.requests += 1
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        status = b"500 Internal Server Error" if self.mode == "500" else b"200 OK"
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        answer = head % (status, len(BODY)) + BODY
        if self.mode == "silent":
            self._over.wait()
        elif self.mode == "slow":
            self._over.wait(SLOW_SECONDS)
            connection.sendall(answer)
        elif self.mode == "dripping":
            for byte in answer:
                connection.sendall(bytes([byte]))
                if self._over.wait(DRIP_SECONDS):
                    return
        else:
            connection.sendall(answer)


def _read_request(connection: socket.socket) -> bool:
    """Read one request with its body; False when the peer has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return False
        data += part
    head, _end, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _colon, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(65_536)
        if not part:
            return False
        body += part
    return True


def wait_until_idle(endpoint: Endpoint, quiet: float, longest: float) -> int:
    """Return the number of requests once none has come for ``quiet`` seconds."""
    end, seen, since = time.monotonic() + longest, endpoint.requests, time.monotonic()
    while time.monotonic() < end and time.monotonic() - since < quiet:
        if endpoint.requests != seen:
            seen, since = endpoint.requests, time.monotonic()
        time.sleep(0.02)
    return endpoint.requests
