# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a connection that was kept open is used again, and what happens if it has ended."""

from __future__ import annotations

import gc
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    IDLE_SECONDS,
    Transport,
    TransportError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    BODY,
    HEADERS,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    OK,
    PATIENCE,
    Script,
    Server,
    Talk,
    eventually,
    self_signed,
    serving,
    unused_port,
)

pytestmark = pytest.mark.usefixtures("_no_proxies", "_no_thread_left")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def status(transport: Transport) -> int:
    return transport.post(HEADERS, BODY).status


def accept_all(talk: Talk) -> None:
    while talk.receive():
        talk.send(OK)


@pytest.mark.parametrize(("idle", "connections"), [(0, 1), (1, 1), (1.99, 1), (2, 2), (3600, 2)])
def test_a_connection_that_was_idle_for_two_seconds_is_not_used_again(
    idle: float, connections: int
) -> None:
    clock = Clock()
    with serving(accept_all) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {}, clock)
        assert status(transport) == 200
        clock.now += idle
        assert status(transport) == 200

        assert server.connections == connections
        assert IDLE_SECONDS == 2


def test_the_time_since_the_last_answer_counts_and_not_that_since_the_connect() -> None:
    clock = Clock()
    with serving(accept_all) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {}, clock)
        for _unused in range(5):
            assert status(transport) == 200
            clock.now += 1.5

        assert server.connections == 1


def reset(talk: Talk) -> None:
    talk.receive()
    talk.reset()


def close(talk: Talk) -> None:
    talk.receive()


def reset_unread(talk: Talk) -> None:
    talk.connection.recv(1)
    talk.reset()


def close_unread(talk: Talk) -> None:
    talk.connection.recv(1)


def once_then(ending: Script) -> Callable[[Talk], None]:
    """Answer the first request of every connection, and the second one with ``ending``."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        ending(talk)

    return script


def transport_to(server: Server, scheme: str, way: str, certificate: Path | None) -> Transport:
    environ = {}
    endpoint = server.url(scheme)
    if way == "proxy":
        endpoint, environ = "http://events.example", {"http_proxy": server.url()}
    ca_path = str(certificate) if certificate else None
    return Transport(Connection(endpoint, timeout=PATIENCE, ca_path=ca_path), environ)


@pytest.mark.parametrize("ending", [reset, close, reset_unread, close_unread])
@pytest.mark.parametrize("way", ["http", "https", "proxy"])
def test_a_kept_connection_that_ends_is_replaced_within_the_attempt(
    ending: Script, way: str, tmp_path: Path
) -> None:
    tls: ssl.SSLContext | None = None
    certificate = None
    if way == "https":
        tls, certificate = self_signed(tmp_path)
    with serving(once_then(ending), tls) as server:
        transport = transport_to(server, "https" if tls else "http", way, certificate)

        assert [status(transport) for _unused in range(4)] == [200] * 4
        assert server.connections == 4


def test_a_kept_connection_in_a_tunnel_is_replaced_within_the_attempt(tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)

    def tunnel(talk: Talk) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += talk.connection.recv(1)
        talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with tls.wrap_socket(talk.connection, server_side=True) as wrapped:
            once_then(reset)(Talk(wrapped, talk.over))

    with serving(tunnel) as proxy:
        connection = Connection("https://127.0.0.1:1", timeout=PATIENCE, ca_path=str(certificate))
        transport = Transport(connection, {"https_proxy": proxy.url()})

        assert [status(transport) for _unused in range(3)] == [200] * 3
        assert proxy.connections == 3
        del transport
        gc.collect()


def test_a_connection_that_the_other_side_has_closed_meanwhile_is_replaced() -> None:
    ended: list[int] = []

    def once(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        talk.connection.close()
        ended.append(len(ended))

    with serving(once) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        for number in range(3):
            assert status(transport) == 200
            assert eventually(partial(ended.__contains__, number))

        assert server.connections == 3


@pytest.mark.parametrize("ending", [reset, close])
def test_a_new_connection_that_ends_is_a_failure(ending: Script) -> None:
    with serving(ending) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        with pytest.raises(TransportError) as caught:
            transport.post(HEADERS, BODY)

        assert (caught.value.kind, caught.value.permanent) == ("connection", False)
        assert server.connections == 1


def test_a_connection_that_is_refused_is_not_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[object] = []
    look_up = socket.getaddrinfo

    def counting(*arguments: Any, **named: Any) -> Any:
        looked_up.append(arguments)
        return look_up(*arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", counting)
    transport = Transport(Connection(f"http://127.0.0.1:{unused_port()}", timeout=PATIENCE), {})
    with pytest.raises(TransportError, match="Connection refused"):
        transport.post(HEADERS, BODY)

    assert len(looked_up) == 1


@pytest.mark.parametrize("ending", [reset, close])
def test_the_second_connection_of_an_attempt_is_the_last(ending: Script) -> None:
    def script(talk: Talk) -> None:
        if server.connections == 1:
            talk.receive()
            talk.send(OK)
        ending(talk)

    with serving(script) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        assert status(transport) == 200
        with pytest.raises(TransportError) as caught:
            transport.post(HEADERS, BODY)

        assert caught.value.kind == "connection"
        assert server.connections == 2


@pytest.mark.parametrize(
    "beginning", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"]
)
def test_a_request_is_not_repeated_once_an_answer_has_begun(beginning: bytes) -> None:
    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        talk.receive()
        talk.send(beginning)
        time.sleep(0.1)  # a reset would overtake the bytes
        talk.reset()

    with serving(script) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        assert status(transport) == 200
        with pytest.raises(TransportError):
            transport.post(HEADERS, BODY)

        assert server.connections == 1


def test_the_replacement_has_the_deadline_of_the_attempt() -> None:
    def script(talk: Talk) -> None:
        if server.connections == 1:
            talk.receive()
            talk.send(OK)
            talk.receive()
            time.sleep(1.0)
        else:
            talk.over.wait(PATIENCE)

    with serving(script) as server:
        transport = Transport(Connection(server.url(), timeout=2.0), {})
        assert status(transport) == 200
        began = time.monotonic()
        with pytest.raises(TransportError) as caught:
            transport.post(HEADERS, BODY)

        assert caught.value.kind == "timeout"
        assert time.monotonic() - began < 2.8
        assert server.connections == 2


def test_a_connection_that_hangs_is_not_replaced_within_the_attempt() -> None:
    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(OK)
        talk.over.wait(PATIENCE)

    with serving(script) as server:
        transport = Transport(Connection(server.url(), timeout=2.0), {})
        assert status(transport) == 200
        with pytest.raises(TransportError) as caught:
            transport.post(HEADERS, BODY)
        assert caught.value.kind == "timeout"
        assert server.connections == 1

        assert status(transport) == 200


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_without_an_answer_is_called_that(tls: bool, tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path) if tls else (None, None)
    with serving(close, context) as server:
        transport = transport_to(server, "https" if tls else "http", "direct", certificate)
        with pytest.raises(TransportError, match=r"^the connection was closed without an answer$"):
            transport.post(HEADERS, BODY)
