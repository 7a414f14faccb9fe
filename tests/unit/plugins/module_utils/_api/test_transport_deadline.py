# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of an attempt: in time, and without a thread, a socket or work that goes on."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.deadline import THREAD_NAME
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    Transport,
    TransportError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    BODY,
    HEADERS,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    PATIENCE,
    Script,
    Talk,
    eventually,
    self_signed,
    serving,
    unused_port,
)

pytestmark = pytest.mark.usefixtures("_no_proxies", "_no_thread_left")

TIMEOUT = 0.4


def hang(talk: Talk) -> None:
    talk.receive()
    talk.over.wait(PATIENCE)


def never_read(talk: Talk) -> None:
    talk.over.wait(PATIENCE)


def dripping(*beginning: bytes, then: bytes) -> Script:
    def script(talk: Talk) -> None:
        talk.receive()
        for part in beginning:
            talk.send(part)
        talk.drip(then)

    return script


def flooding(beginning: bytes, then: bytes, pause: float = 0.0) -> Script:
    """Answer without an end, as fast as possible or with a pause after each part."""

    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(beginning)
        while not talk.over.wait(pause):
            talk.send(then)

    return script


OK_LINE = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK_LINE + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

ENDLESS = {
    "no answer": hang,
    "nothing is read": never_read,
    "status drips": dripping(b"HTTP/1.1 200 ", then=b"O"),
    "headers drip": dripping(OK_LINE, then=b"X-Slow: 1\r\n"),
    "continue drips": dripping(then=CONTINUE),
    "body drips": dripping(OK_LINE + b"Content-Length: 50000\r\n\r\n", then=b"x"),
    "body without length drips": dripping(OK_LINE + b"\r\n", then=b"x"),
    "chunks drip": dripping(CHUNKED, then=b"1\r\nx\r\n"),
    "chunk size drips": dripping(CHUNKED, then=b"0"),
    "trailers drip": dripping(CHUNKED, b"0\r\n", then=b"X: 1\r\n"),
    "continue every millisecond": flooding(b"", CONTINUE, 0.001),
    "continue with headers": flooding(b"", CONTINUE[:-2] + b"X: 1\r\n" * 50 + b"\r\n", 0.001),
}
# The answer is longer than any answer of the service, so the attempt ends before its deadline.
FLOODS = {
    "continue": flooding(b"", CONTINUE * 1000),
    "header line": flooding(OK_LINE + b"X: ", b"x" * 65536),
    "headers": flooding(OK_LINE, b"X: 1\r\n" * 1000),
    "status line": flooding(b"HTTP/1.1 200 ", b"x" * 65536),
    "early hints": flooding(b"HTTP/1.1 103 Early Hints\r\n", b"Link: x\r\n" * 1000),
    "chunk size": flooding(CHUNKED, b"0" * 65536),
    "chunk extension": flooding(CHUNKED + b"1;", b"x" * 65536),
    "empty body": flooding(CHUNKED, b"1\r\nx\r\n" * 1000),
}


def open_sockets() -> int:
    folder = Path("/proc/self/fd")
    found = 0
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        with suppress(OSError):
            found += os.readlink(entry).startswith("socket:")
    return found


def attempts() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


def soon(what: Callable[[], bool], seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.01)
    return what()


def assert_it_ends(transport: Transport, body: bytes = BODY, within: float = TIMEOUT + 3) -> str:
    """Make two attempts that get no answer; return the kind of the error."""
    kinds, permanent = [], []
    for _unused in range(2):
        began = time.monotonic()
        try:
            answer = transport.post(HEADERS, body)
            kinds.append("complete" if answer.complete else "cut off")
        except TransportError as exc:
            kinds.append(exc.kind)
            permanent.append(exc.permanent)
        assert time.monotonic() - began < within
        # The other side goes on, but nothing of the attempt does.
        assert soon(lambda: not attempts())
    assert not any(permanent)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1
    return kinds[-1]


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_an_attempt_ends_at_its_deadline_whatever_the_other_side_does(script: Script) -> None:
    sockets = open_sockets()
    body = b"x" * 20_000_000 if script is never_read else BODY
    with serving(script) as server:
        kind = assert_it_ends(Transport(Connection(server.url(), timeout=TIMEOUT), {}), body)

    assert kind == "timeout"
    assert eventually(lambda: open_sockets() <= sockets)


@pytest.mark.parametrize("script", FLOODS.values(), ids=FLOODS)
def test_an_answer_without_an_end_is_not_read_to_the_deadline(script: Script) -> None:
    sockets = open_sockets()
    with serving(script) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        kind = assert_it_ends(transport, within=PATIENCE / 2)
        del transport

    assert kind in ("connection", "cut off", "complete")
    assert eventually(lambda: open_sockets() <= sockets)


def tls_record_drips(talk: Talk) -> None:
    talk.connection.recv(65536)
    talk.send(b"\x16\x03\x03\x3f\xff")
    talk.drip(b"\x02")


@pytest.mark.parametrize("script", [never_read, tls_record_drips])
def test_a_tls_handshake_ends_at_the_deadline(script: Script) -> None:
    sockets = open_sockets()
    with serving(script) as server:
        connection = Connection(server.url("https"), timeout=TIMEOUT)
        assert assert_it_ends(Transport(connection, {})) == "timeout"

    assert eventually(lambda: open_sockets() <= sockets)


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_over_tls_ends_at_the_deadline(script: Script, tmp_path: Path) -> None:
    if script is never_read:
        pytest.skip("the same as without TLS")
    tls, certificate = self_signed(tmp_path)
    with serving(script, tls) as server:
        connection = Connection(server.url("https"), timeout=TIMEOUT, ca_path=str(certificate))
        assert assert_it_ends(Transport(connection, {})) == "timeout"


@pytest.mark.parametrize(
    "script",
    [
        hang,
        dripping(b"HTTP/1.1 200 ", then=b"O"),
        dripping(b"HTTP/1.1 200 OK\r\n", then=b"X-Slow: 1\r\n"),
        flooding(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n", 0.001),
    ],
)
def test_the_tunnel_of_a_proxy_ends_at_the_deadline(script: Script) -> None:
    with serving(script) as proxy:
        connection = Connection(f"https://127.0.0.1:{unused_port()}", timeout=TIMEOUT)
        transport = Transport(connection, {"https_proxy": proxy.url()})
        assert assert_it_ends(transport) in ("timeout", "connection")


def test_a_connect_that_is_not_answered_ends_at_the_deadline() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _unused in range(8):  # fill the queue, so that the next SYN is dropped
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert assert_it_ends(Transport(Connection(url, timeout=TIMEOUT), {})) == "timeout"


def test_every_address_of_a_host_is_tried_within_one_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(hang) as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", unused_port()))
        last = (*address[:4], ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_n: [address, address, last])
        transport = Transport(Connection("http://events.example", timeout=TIMEOUT), {})

        assert assert_it_ends(transport) == "timeout"
        assert server.connections == 2


def test_name_look_ups_that_hang_do_not_accumulate(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    calls: list[object] = []

    def look_up(*arguments: object, **_named: object) -> None:
        calls.append(arguments)
        go_on.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    transport = Transport(Connection("http://events.example", timeout=0.1), {})
    for _unused in range(5):
        with pytest.raises(TransportError, match=r"host name was not resolved within 0\.1 s"):
            transport.post(HEADERS, BODY)
    assert (len(calls), len(attempts())) == (1, 1)

    go_on.set()
    with pytest.raises(TransportError, match="the host name cannot be resolved"):
        transport.post(HEADERS, BODY)
    assert len(calls) == 2


def test_a_late_name_look_up_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    with serving(hang) as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))

        def look_up(*_arguments: object, **_named: object) -> list[object]:
            go_on.wait(PATIENCE)
            return [address]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        transport = Transport(Connection("http://events.example", timeout=0.1), {})
        with pytest.raises(TransportError):
            transport.post(HEADERS, BODY)
        go_on.set()

        assert soon(lambda: not attempts())
        assert server.connections == 0


def test_an_interrupted_attempt_is_canceled() -> None:
    class Interrupted(BaseException):
        """As a signal handler raises it."""

    sockets = open_sockets()
    with serving(hang) as server, pytest.MonkeyPatch.context() as patch:
        join = threading.Thread.join

        def interrupted(thread: threading.Thread, timeout: float | None = None) -> None:
            if thread.name == THREAD_NAME:
                assert eventually(lambda: server.connections == 1)
                raise Interrupted
            join(thread, timeout)

        patch.setattr(threading.Thread, "join", interrupted)
        with pytest.raises(Interrupted):
            Transport(Connection(server.url(), timeout=PATIENCE), {}).post(HEADERS, BODY)
        assert soon(lambda: not attempts())

    assert eventually(lambda: open_sockets() <= sockets)


def test_each_attempt_leaves_as_many_sockets_as_before() -> None:
    with serving(hang) as server:
        transport = Transport(Connection(server.url(), timeout=0.05), {})
        before = open_sockets()
        for _unused in range(20):
            with pytest.raises(TransportError):
                transport.post(HEADERS, BODY)
        assert soon(lambda: not attempts())

    assert eventually(lambda: open_sockets() <= before)
