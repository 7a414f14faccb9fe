# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault, as a client meets it on the wire."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from cloudmonitor_receiver import Receiver
from receiver.faults import KINDS, SILENT

from ansible_collections.aliops.cloudmonitor.tests.unit.playbooks.files.raw_client import (
    CREDENTIAL,
    PATIENCE,
    Reply,
    connect,
    exchange,
    on_the_wire,
    signed,
)

#: An argument for each fault that needs one, quick enough for a test.
ARGUMENTS = {
    "status": "=500",
    "retry-after": "=3",
    "code": "=500",
    "slow": "=0.01",
    "drip": "=0.0005",
    "drip-head": "=0.0005",
}
SPECS = [name + ARGUMENTS.get(name, "") for name in KINDS]


def met(receiver: Receiver, spec: str) -> Reply:
    """Send a right request into a fault; nothing of it may be accepted; the next one must be."""
    receiver.set_faults([spec])
    reply = exchange(receiver.port)
    assert receiver.events == []
    assert exchange(receiver.port).status == 200
    assert len(receiver.events) == 1
    return reply


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 503, 504, 599])
def test_status_answers_like_the_service(receiver: Receiver, status: int) -> None:
    reply = met(receiver, f"status={status}")
    assert (reply.status, reply.json["code"]) == (status, str(status))
    assert set(reply.json) == {"code", "msg", "requestId"}


@pytest.mark.parametrize(
    ("spec", "status", "code", "words"),
    [
        ("429", 429, "429", "too many"),
        ("throttle", 403, "403", "rate limit"),
        ("throttle-200", 200, "403", "rate limit"),
        ("code=500", 200, "500", ""),
        ("code=206", 200, "206", ""),
        ("signature", 403, "403", "signature"),
        ("permission", 403, "403", "cannot upload event, please use ram to auth"),
        ("bad-request", 400, "400", "syntax error"),
    ],
)
def test_refusals_have_the_words_of_the_service(
    receiver: Receiver, spec: str, status: int, code: str, words: str
) -> None:
    reply = met(receiver, spec)
    assert (reply.status, reply.json["code"]) == (status, code)
    assert words in reply.json["msg"]
    assert "retry-after" not in reply.headers


@pytest.mark.parametrize("when", ["3", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after_is_sent_as_it_is_given(receiver: Receiver, when: str) -> None:
    reply = met(receiver, f"retry-after={when}")
    assert (reply.status, reply.headers["retry-after"]) == (429, when)


@pytest.mark.parametrize(("spec", "status"), [("html", 200), ("html=502", 502)])
def test_html_is_a_page_and_no_json(receiver: Receiver, spec: str, status: int) -> None:
    reply = met(receiver, spec)
    assert reply.status == status
    assert reply.headers["content-type"].startswith("text/html")
    assert reply.body.startswith(b"<!DOCTYPE html>")


def test_garbage_is_200_with_bytes_that_are_never_the_same(receiver: Receiver) -> None:
    first, second = met(receiver, "garbage"), exchange_with(receiver, "garbage")
    assert first.status == second.status == 200
    assert len(first.body) == len(second.body) == 256
    assert first.body != second.body


def exchange_with(receiver: Receiver, spec: str) -> Reply:
    receiver.set_faults([spec])
    return exchange(receiver.port)


def test_empty_is_200_without_a_body(receiver: Receiver) -> None:
    reply = met(receiver, "empty")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("spec", "location"),
    [
        ("redirect", "/redirected"),
        ("redirect=https://example.com/a?b=c", "https://example.com/a?b=c"),
    ],
)
def test_redirect_points_elsewhere(receiver: Receiver, spec: str, location: str) -> None:
    reply = met(receiver, spec)
    assert (reply.status, reply.headers["location"]) == (302, location)


def test_slow_answers_correctly_after_so_many_seconds(receiver: Receiver) -> None:
    receiver.set_faults(["slow=0.3"])
    start = time.monotonic()
    assert exchange(receiver.port).json["code"] == "200"
    assert time.monotonic() - start >= 0.3


def test_slow_accepts_before_it_answers(receiver: Receiver) -> None:
    receiver.set_faults(["slow=600"])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        receiver.wait_for(1, PATIENCE)
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)


def test_drip_sends_the_head_and_then_the_body_byte_by_byte(receiver: Receiver) -> None:
    receiver.set_faults(["drip=0.005"])
    start = time.monotonic()
    reply = exchange(receiver.port)
    assert reply.json["code"] == "200"
    assert time.monotonic() - start >= 0.005 * len(reply.body)
    assert len(receiver.events) == 1


def test_drip_head_sends_the_status_line_byte_by_byte(receiver: Receiver) -> None:
    receiver.set_faults(["drip-head=0.02"])
    start = time.monotonic()
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        pieces = [sock.recv(100)]
        while b"\r\n" not in pieces[-1]:
            pieces.append(sock.recv(1000))
    assert time.monotonic() - start >= 0.02 * len("HTTP/1.1 200 OK")
    assert len(pieces) > 2
    assert b"".join(pieces).startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(receiver.events) == 1


def test_hang_reads_the_request_and_stays_silent(receiver: Receiver) -> None:
    receiver.set_faults(["hang"])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        receiver.wait_for(lambda seen: len(seen.requests) == 1, PATIENCE)
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1)
    assert receiver.events == []


def test_reset_resets_the_connection(receiver: Receiver) -> None:
    receiver.set_faults(["reset"])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert receiver.events == []


@pytest.mark.parametrize(("spec", "accepted"), [("close", 0), ("accept-then-close", 1)])
def test_close_ends_the_connection_without_a_byte(
    receiver: Receiver, spec: str, accepted: int
) -> None:
    receiver.set_faults([spec])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        assert sock.recv(1) == b""
    assert len(receiver.events) == accepted


def test_truncate_announces_more_than_it_sends(receiver: Receiver) -> None:
    receiver.set_faults(["truncate"])
    with pytest.raises(http.client.IncompleteRead) as caught:
        exchange(receiver.port)
    assert caught.value.partial.startswith(b'{"code": "200"')
    assert len(receiver.events) == 1


def test_huge_goes_on_until_fifty_megabytes(receiver: Receiver) -> None:
    receiver.set_faults(["huge"])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        got = 0
        while block := sock.recv(1 << 20):
            got += len(block)
    assert 49_000_000 < got <= 51_000_000
    assert receiver.events == []


def test_huge_ends_when_the_client_leaves(receiver: Receiver) -> None:
    receiver.set_faults(["huge"])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        assert sock.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
    assert exchange(receiver.port).status == 200


def test_a_fault_that_accepts_still_verifies(receiver: Receiver) -> None:
    receiver.set_faults(["slow=0.01"])
    reply = exchange(receiver.port, signed(changes={"x-cms-ip": "nowhere"}))
    assert reply.status == 400
    assert receiver.events == []


@pytest.mark.parametrize("spec", SPECS)
def test_every_fault_is_recorded_and_accepts_what_it_says(receiver: Receiver, spec: str) -> None:
    receiver.set_faults([spec])
    kind = KINDS[spec.partition("=")[0]]
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()))
        receiver.wait_for(lambda seen: len(seen.requests) == 1, PATIENCE)
    (request,) = receiver.requests
    assert request["events"] == len(receiver.events) == int(kind.accepts)
    assert (request["fault"] or "ok").partition("=")[0] == spec.partition("=")[0]
    assert (request["status"] is None) == (spec in SILENT)
    assert receiver.faults == []


@pytest.fixture
def hung(request: pytest.FixtureRequest) -> Iterator[tuple[Receiver, Callable[[], None]]]:
    """A receiver of which four connections are held by a fault, and a check that they were cut."""
    running = Receiver([CREDENTIAL], [f"{request.param}*inf"]).start()
    socks = [connect(running.port) for _unused in range(4)]
    for sock in socks:
        sock.sendall(on_the_wire(signed()))
    running.wait_for(lambda seen: len(seen.requests) == 4, PATIENCE)

    def cut() -> None:
        for sock in socks:
            try:
                while sock.recv(1 << 20):
                    pass
            except ConnectionError:
                pass

    yield running, cut
    running.stop()
    for sock in socks:
        sock.close()


@pytest.mark.parametrize(
    "hung", ["hang", "slow=600", "drip=600", "drip-head=600", "huge"], indirect=True
)
def test_stop_ends_what_hangs_at_once(hung: tuple[Receiver, Callable[[], None]]) -> None:
    receiver, cut = hung
    start = time.monotonic()
    receiver.stop()
    assert time.monotonic() - start < 5.0
    cut()
    assert not [x for x in threading.enumerate() if x.name.startswith("cloudmonitor-receiver")]
