# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client made of sockets, for tests of the receiver; it signs by the published formula."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from receiver.types import Credential, RawRequest

CREDENTIAL = Credential("testkey", "testsecret")
TEMPORARY = Credential("STS.key", "othersecret", "CAIS/tok+en==")
PATH = "/event/custom/upload"
EVENT: dict[str, Any] = {"name": "deploy", "content": "v1", "groupId": 7}
#: Seconds that a test waits for what must come.
PATIENCE = 20.0


def body_of(*events: Mapping[str, Any]) -> bytes:
    """The JSON of these events, or of one when there is none."""
    return json.dumps(list(events) or [EVENT], ensure_ascii=False).encode("utf-8")


def signed(
    body: bytes | None = None,
    credential: Credential = CREDENTIAL,
    now: float | None = None,
    changes: Mapping[str, str | None] | None = None,
    target: str = PATH,
) -> RawRequest:
    """A request as a right client sends it.

    ``changes`` replaces headers, before the signature is made, or with None leaves them out.
    """
    body = body_of() if body is None else body
    headers: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "User-Agent": "raw-client/1",
        "Content-MD5": hashlib.md5(body).hexdigest().upper(),
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Date": formatdate(time.time() if now is None else now, usegmt=True),
        "x-cms-api-version": "1.0",
        "x-cms-signature": "hmac-sha1",
        "x-cms-ip": "10.0.0.8",
    }
    if credential.token is not None:
        headers["x-cms-caller-type"] = "token"
        headers["x-cms-security-token"] = credential.token
    headers.update(changes or {})
    kept = {name: value for name, value in headers.items() if value is not None}
    cms = sorted(name for name in kept if name.startswith("x-cms"))
    first = [kept.get(name, "") for name in ("Content-MD5", "Content-Type", "Date")]
    text = "\n".join(["POST", *first, *(f"{name}:{kept[name]}" for name in cms), target])
    mac = hmac.new(credential.secret.encode(), text.encode(), hashlib.sha1)
    kept.setdefault("Authorization", f"{credential.id}:{mac.hexdigest().upper()}")
    lines = tuple(f"{name}: {value}".encode() for name, value in kept.items())
    if changes and "Authorization" in changes and changes["Authorization"] is None:
        lines = lines[:-1]
    return RawRequest("POST", target, lines, body)


def on_the_wire(request: RawRequest) -> bytes:
    """The bytes of a request."""
    first = f"{request.method} {request.target} {request.version}".encode()
    return b"\r\n".join([first, *request.header_lines, b"", b""]) + request.body


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


def connect(port: int) -> socket.socket:
    """A connection to the receiver."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def read_reply(sock: socket.socket, method: str = "POST") -> Reply:
    """Read one answer, to its announced end."""
    response = http.client.HTTPResponse(sock, method=method)
    try:
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, response.read())
    finally:
        response.close()


def exchange(port: int, request: RawRequest | None = None, data: bytes = b"") -> Reply:
    """Send a request, by default a right one, or any bytes, on a connection of its own."""
    with connect(port) as sock:
        sock.sendall(data or on_the_wire(signed() if request is None else request))
        return read_reply(sock)


def control(port: int, method: str, path: str, body: bytes = b"") -> Reply:
    """Use the control interface."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return exchange(port, data=head + body)
