# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads requests from a connection and writes answers to it, as badly as a fault wants."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Callable

from .faults import Fault
from .types import RawRequest, Refused

_MAX_HEAD = 65536
#: Far over the limit of a body, so that one over the limit is still read and gets its answer.
_MAX_READ = 8000000
_HUGE_BYTES = 50000000
_IDLE_SECONDS = 30.0
_REQUEST_LINE = re.compile(r"([A-Z]+) ([\x21-\x7e]+) (HTTP/1\.[01])\Z")


class Wire:
    """One connection: its socket and what was read from it but not used yet."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        """Take over the socket; ``stopping`` ends every wait."""
        self._sock = sock
        self._stopping = stopping
        self._buffer = b""
        #: When the last request came, on the monotonic clock, before its body was waited for.
        self.arrived = time.monotonic()
        sock.settimeout(_IDLE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_request(self) -> RawRequest | None:
        """Return the next request, or None when the client is done; sets ``arrived``."""
        try:
            head = self._read_head()
        except Refused as refusal:
            return RawRequest("", "", (), trouble=refusal.msg)
        if head is None:
            return None
        lines = head.split(b"\r\n")
        first = _REQUEST_LINE.match(lines[0].decode("latin-1"))
        if first is None:
            return RawRequest("", "", (), trouble="the request line is not one of HTTP/1.1")
        method, target, version = first.groups()
        request = RawRequest(method, target, tuple(lines[1:]), version=version)
        try:
            return replace(request, body=self._read_body(request))
        except Refused as refusal:
            return replace(request, trouble=refusal.msg)

    def _read_head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise Refused(400, f"the headers are longer than {_MAX_HEAD} bytes")
            if not self._receive():
                if self._buffer:
                    raise Refused(400, "the headers ended early")
                return None
            self.arrived = time.monotonic()
        head, _unused, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def _read_body(self, request: RawRequest) -> bytes:
        if request.values("transfer-encoding"):
            raise Refused(400, "Transfer-Encoding is there; the body needs a Content-Length")
        lengths = request.values("content-length")
        if not lengths:
            if request.method == "POST":
                raise Refused(400, "the header Content-Length is missing")
            return b""
        if len(lengths) > 1 or not re.match(rb"[0-9]{1,9}\Z", lengths[0]):
            raise Refused(400, "the header Content-Length is not one number of bytes")
        length = int(lengths[0])
        if length > _MAX_READ:
            raise Refused(400, f"the body of {length} bytes is far over the limit")
        if request.values("expect"):
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < length:
            if not self._receive():
                raise Refused(400, f"the body ended at {len(self._buffer)} of {length} bytes")
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _receive(self) -> bool:
        try:
            data = self._sock.recv(65536)
        except OSError:
            return False
        self._buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self._sock.sendall(data)

    def send_slowly(self, data: bytes, seconds: float) -> None:
        """Send byte by byte, waiting before each, until all is sent or the receiver stops."""
        for at in range(len(data)):
            if self.pause(seconds):
                return
            self.send(data[at : at + 1])

    def pause(self, seconds: float) -> bool:
        """Wait; return True when the receiver is stopping."""
        return self._stopping.wait(seconds)

    def wait_for_client(self, seconds: float | None) -> None:
        """Swallow what comes until the client closes, is silent so long, or the receiver stops."""
        with suppress(OSError):
            self._sock.settimeout(seconds)
            while self._sock.recv(65536):
                pass

    def finish(self) -> None:
        """End the answers and let the client read the last: a plain close could take it back."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self.wait_for_client(0.5)

    def reset(self) -> None:
        """Close the connection with an RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


def render(
    status: int,
    headers: list[tuple[str, str]],
    content: tuple[str, bytes],
    date: str,
    close: bool,
) -> tuple[bytes, bytes]:
    """Return head and body of an answer.

    :param headers: further headers.
    :param content: content type and bytes of the body.
    :param date: the Date header's value.
    :param close: whether the connection will be closed after it.
    """
    kind, body = content
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    if status in (204, 304):
        body = b""
    lines = [f"HTTP/1.1 {status} {phrase}", "Date: " + date, "Server: cloudmonitor-receiver"]
    lines += ["{}: {}".format(*pair) for pair in headers]
    if status not in (204, 304):
        lines += ["Content-Type: " + kind, f"Content-Length: {len(body)}"]
    lines += ["Connection: close", "", ""] if close else ["", ""]
    return "\r\n".join(lines).encode("ascii"), body


@dataclass(frozen=True)
class Answer:
    """Head and body of an answer, and the seconds that a slow way of sending it takes."""

    head: bytes
    body: bytes
    seconds: float = 0.0


def deliver(wire: Wire, fault: Fault | None, head: bytes, body: bytes) -> bool:
    """Send an answer in the way of the fault; return whether the connection can go on."""
    if fault is None or fault.name not in _WAYS:
        return _plainly(wire, Answer(head, body))
    return _WAYS[fault.name](wire, Answer(head, body, fault.seconds))


def _plainly(wire: Wire, answer: Answer) -> bool:
    wire.send(answer.head + answer.body)
    return True


def _slow(wire: Wire, answer: Answer) -> bool:
    if wire.pause(answer.seconds):
        return False
    return _plainly(wire, answer)


def _drip(wire: Wire, answer: Answer) -> bool:
    wire.send(answer.head)
    wire.send_slowly(answer.body, answer.seconds)
    return True


def _drip_head(wire: Wire, answer: Answer) -> bool:
    line, end, rest = answer.head.partition(b"\r\n")
    wire.send_slowly(line, answer.seconds)
    wire.send(end + rest + answer.body)
    return True


def _hang(wire: Wire, _unused: Answer) -> bool:
    wire.wait_for_client(None)
    return False


def _reset(wire: Wire, _unused: Answer) -> bool:
    wire.reset()
    return False


def _close(_unused: Wire, _also_unused: Answer) -> bool:
    return False


def _truncate(wire: Wire, answer: Answer) -> bool:
    wire.send(answer.head + answer.body[: len(answer.body) // 2])
    return False


def _huge(wire: Wire, _unused: Answer) -> bool:
    # Without a Content-Length: the body ends where the connection does.
    wire.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"code":"200","msg":"')
    block = b"x" * 65536
    for _block in range(_HUGE_BYTES // len(block)):
        wire.send(block)
    return False


_WAYS: dict[str, Callable[[Wire, Answer], bool]] = {
    "slow": _slow,
    "drip": _drip,
    "drip-head": _drip_head,
    "hang": _hang,
    "reset": _reset,
    "close": _close,
    "accept-then-close": _close,
    "truncate": _truncate,
    "huge": _huge,
}
