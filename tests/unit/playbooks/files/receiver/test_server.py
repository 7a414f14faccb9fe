# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver as a server: HTTP, keep-alive, limits, control, https, and its use inside tests."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import ssl
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from cloudmonitor_receiver import Credential, FaultError, Receiver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.aliops.cloudmonitor.tests.unit.playbooks.files.raw_client import (
    CREDENTIAL,
    PATIENCE,
    TEMPORARY,
    body_of,
    connect,
    control,
    exchange,
    on_the_wire,
    read_reply,
    signed,
)


def test_an_accepted_request_is_answered_like_the_service_and_recorded(receiver: Receiver) -> None:
    before = time.time()
    reply = exchange(receiver.port, signed(body_of({"name": "部署 🚀", "content": ""})))
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert abs(parsedate_to_datetime(reply.headers["date"]).timestamp() - before) < PATIENCE
    assert reply.headers["date"].endswith(" GMT")
    assert reply.json["requestId"]
    assert {**reply.json, "requestId": ""} == {"code": "200", "msg": "", "requestId": ""}

    (event,) = receiver.events
    assert event.pop("received_at").endswith("Z")
    assert event == {"name": "部署 🚀", "content": "", "groupId": 0, "time": None, "request": 1}
    (request,) = receiver.requests
    assert before - 0.001 <= request.pop("arrived_at") <= time.time()
    assert request.pop("arrived_monotonic") <= time.monotonic()
    assert request.pop("date").endswith(" GMT")
    assert request == {
        "number": 1,
        "method": "POST",
        "target": "/event/custom/upload",
        "status": 200,
        "code": "200",
        "msg": "",
        "events": 1,
        "bytes": len(body_of({"name": "部署 🚀", "content": ""})),
        "fault": None,
        "action": None,
        "access_key_id": "testkey",
        "source_ip": "10.0.0.8",
        "user_agent": "raw-client/1",
        "connection": 1,
    }


def test_a_refused_request_says_why_and_leaves_no_event(receiver: Receiver) -> None:
    reply = exchange(receiver.port, signed(changes={"Authorization": "testkey:" + "0" * 40}))
    assert (reply.status, reply.json["code"]) == (403, "403")
    assert reply.json["msg"] == "the signature does not match"
    assert receiver.events == []
    assert receiver.requests[0]["msg"] == reply.json["msg"]


def test_another_method_is_told_the_right_one(receiver: Receiver) -> None:
    reply = exchange(receiver.port, data=b"GET /event/custom/upload HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_a_connection_serves_many_requests(receiver: Receiver) -> None:
    receiver.set_faults(["ok", "status=503", "ok*2"])
    with connect(receiver.port) as sock:
        replies = []
        for _unused in range(4):
            sock.sendall(on_the_wire(signed()))
            replies.append(read_reply(sock).status)
    assert replies == [200, 503, 200, 200]
    assert [item["connection"] for item in receiver.requests] == [1, 1, 1, 1]
    assert [item["number"] for item in receiver.requests] == [1, 2, 3, 4]


def test_requests_sent_without_waiting_are_answered_in_order(receiver: Receiver) -> None:
    receiver.set_faults(["ok", "status=500"])
    with connect(receiver.port) as sock:
        sock.sendall(on_the_wire(signed()) * 2)
        assert [read_reply_exactly(sock), read_reply_exactly(sock)] == [200, 500]


def read_reply_exactly(sock: socket.socket) -> int:
    """Read one answer without taking bytes of the next; return its status."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    while length:
        length -= len(sock.recv(length))
    return int(head.split(maxsplit=2)[1])


@pytest.mark.parametrize("wish", ["HTTP/1.1 with close", "HTTP/1.0"])
def test_a_client_that_wants_the_connection_closed_gets_it(receiver: Receiver, wish: str) -> None:
    data = on_the_wire(signed(changes={"Connection": "close" if "close" in wish else None}))
    data = data.replace(b"HTTP/1.1", wish[:8].encode(), 1)
    with connect(receiver.port) as sock:
        sock.sendall(data)
        assert read_reply(sock).headers["connection"] == "close"
        assert sock.recv(1) == b""


def test_a_body_in_pieces_is_put_together(receiver: Receiver) -> None:
    data = on_the_wire(signed())
    with connect(receiver.port) as sock:
        for at in range(0, len(data), 50):
            sock.sendall(data[at : at + 50])
            receiver.wait_for(0)
        assert read_reply(sock).status == 200


def test_a_target_as_proxies_send_it_is_accepted(receiver: Receiver) -> None:
    data = on_the_wire(signed()).replace(b" /event", b" http://metrichub.example/event", 1)
    assert exchange(receiver.port, data=data).status == 200


def test_expect_continue_is_answered(receiver: Receiver) -> None:
    data = on_the_wire(signed(changes={"Expect": "100-continue"}))
    head, _unused, body = data.partition(b"\r\n\r\n")
    with connect(receiver.port) as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert sock.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert read_reply(sock).status == 200


HEAD = b"POST /event/custom/upload HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello\r\n\r\n", "request line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "request line"),
        (HEAD, "the headers ended early"),
        (HEAD + b"X: " + b"x" * 70000, "the headers are longer"),
        (HEAD + b"\r\n[]", "Content-Length is missing"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "not one number"),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]", "not one number"),
        (HEAD + b"Content-Length: 99999999\r\n\r\n", "far over the limit"),
        (HEAD + b"Content-Length: 10\r\n\r\n[]", "ended at 2 of 10 bytes"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", "Transfer-Encoding"),
    ],
)
def test_what_cannot_be_read_is_refused_and_takes_no_fault(
    receiver: Receiver, data: bytes, words: str
) -> None:
    receiver.set_faults(["reset"])
    with connect(receiver.port) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        reply = read_reply(sock)
    assert reply.status == 400
    assert words in reply.json["msg"]
    assert receiver.faults == ["reset"]
    assert receiver.requests[0]["status"] == 400


def test_a_body_over_the_limit_is_read_and_refused(receiver: Receiver) -> None:
    body = body_of({"name": "n", "content": "x" * 500000})
    reply = exchange(receiver.port, signed(body))
    assert reply.status == 400
    assert "over the limit of 500000" in reply.json["msg"]


def test_a_connection_without_a_request_is_no_request(receiver: Receiver) -> None:
    connect(receiver.port).close()
    assert exchange(receiver.port).status == 200
    assert len(receiver.requests) == 1


def test_over_the_rate_requests_are_throttled() -> None:
    with Receiver([CREDENTIAL], rate=1) as receiver:
        replies = [exchange(receiver.port) for _unused in range(20)]
    refused = [reply for reply in replies if reply.status != 200]
    assert replies[0].status == 200
    assert refused
    assert all(reply.status == 403 and "rate limit" in reply.json["msg"] for reply in refused)
    assert len(receiver.events) == len(replies) - len(refused)


def test_several_access_keys_are_known_each_with_its_own_secret() -> None:
    with Receiver([CREDENTIAL, TEMPORARY]) as receiver:
        for credential in (CREDENTIAL, TEMPORARY):
            assert exchange(receiver.port, signed(credential=credential)).status == 200
        wrong = Credential(CREDENTIAL.id, TEMPORARY.secret)
        assert exchange(receiver.port, signed(credential=wrong)).status == 403
    assert [item["access_key_id"] for item in receiver.requests] == [
        "testkey",
        "STS.key",
        "testkey",
    ]


def test_a_wrong_clock_shows_in_the_date_and_refuses_the_right_time() -> None:
    with Receiver([CREDENTIAL], clock_offset=-3600) as receiver:
        reply = exchange(receiver.port)
        assert (reply.status, "ahead of" in reply.json["msg"]) == (403, True)
        away = parsedate_to_datetime(reply.headers["date"]).timestamp() - time.time()
        assert abs(away + 3600) < PATIENCE
        assert exchange(receiver.port, signed(now=time.time() - 3600)).status == 200


def test_the_date_window_can_be_set() -> None:
    with Receiver([CREDENTIAL], date_window=1e6) as receiver:
        assert exchange(receiver.port, signed(now=time.time() - 900000)).status == 200


def test_control_shows_and_replaces_the_faults_without_taking_one(receiver: Receiver) -> None:
    receiver.set_faults(["status=500*2"])
    expected = {"requests": 0, "accepted": 0, "events": 0, "faults": ["status=500*2"]}
    assert control(receiver.port, "GET", "/control/state").json == expected
    assert exchange(receiver.port).status == 500
    reply = control(receiver.port, "POST", "/control/faults", b'["ok", "hang*inf"]')
    assert reply.json == {"requests": 1, "accepted": 0, "events": 0, "faults": ["ok", "hang*inf"]}
    body = body_of({"name": "a", "content": ""}, {"name": "b", "content": ""})
    assert exchange(receiver.port, signed(body)).status == 200
    reply = control(receiver.port, "POST", "/control/faults", b"[]")
    assert reply.json == {"requests": 2, "accepted": 1, "events": 2, "faults": []}


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'"reset"', b"[1]", b'["reset", "nonsense"]', b"\xff"]
)
def test_control_refuses_what_are_no_faults(receiver: Receiver, body: bytes) -> None:
    receiver.set_faults(["close"])
    reply = control(receiver.port, "POST", "/control/faults", body)
    assert (reply.status, reply.json["code"]) == (400, "400")
    assert receiver.faults == ["close"]


@pytest.mark.parametrize("what", ["GET /control/faults", "POST /control/state", "GET /control/"])
def test_control_has_nothing_else(receiver: Receiver, what: str) -> None:
    method, path = what.split()
    assert control(receiver.port, method, path).status == 404
    assert receiver.requests == []


def test_waiting_ends_with_the_event_and_not_before(receiver: Receiver) -> None:
    thread = threading.Thread(target=exchange, args=(receiver.port,))
    receiver.set_faults(["ok"])
    thread.start()
    assert receiver.wait_for(1, PATIENCE)
    assert len(receiver.events) == 1
    assert receiver.wait_for(lambda seen: seen.faults == [], 0)
    thread.join()


def test_waiting_in_vain_is_an_error_with_the_counts(receiver: Receiver) -> None:
    exchange(receiver.port)
    with pytest.raises(TimeoutError, match='"events": 1'):
        receiver.wait_for(2, 0.01)


def test_many_clients_at_once_lose_and_double_nothing(receiver: Receiver) -> None:
    def send(number: int) -> None:
        for part in range(5):
            body = body_of({"name": "n", "content": f"{number}-{part}"})
            assert exchange(receiver.port, signed(body)).status == 200

    threads = [threading.Thread(target=send, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(f"{number}-{part}" for number in range(20) for part in range(5))
    assert sorted(event["content"] for event in receiver.events) == expected
    assert [item["number"] for item in receiver.requests] == list(range(1, 101))


def test_after_stop_nobody_listens_and_what_came_is_still_there() -> None:
    with Receiver([CREDENTIAL]) as receiver:
        exchange(receiver.port)
    receiver.stop()
    assert len(receiver.events) == 1
    with pytest.raises(ConnectionRefusedError):
        connect(receiver.port)


def test_a_port_that_is_taken_is_an_error(receiver: Receiver) -> None:
    with pytest.raises(OSError, match="in use"):
        Receiver([CREDENTIAL], port=receiver.port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])
def test_it_listens_on_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        Receiver([CREDENTIAL], host=host)


def test_a_wrong_fault_is_an_error_before_anything_listens() -> None:
    with pytest.raises(FaultError, match="nonsense"):
        Receiver([CREDENTIAL], faults=["nonsense"])


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_an_ipv6_address_has_brackets_in_the_url() -> None:
    receiver = Receiver([CREDENTIAL], host="::1")
    try:
        receiver.start()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    try:
        assert receiver.url == f"http://[::1]:{receiver.port}"
        with socket.create_connection(("::1", receiver.port), PATIENCE) as sock:
            sock.sendall(on_the_wire(signed()))
            assert read_reply(sock).status == 200
    finally:
        receiver.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(text)
    return path


def test_https_serves_and_stops_while_a_client_hangs(certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    receiver = Receiver([CREDENTIAL], ["ok*2", "hang"], tls_cert=str(certificate)).start()
    try:
        assert receiver.url == f"https://127.0.0.1:{receiver.port}"
        with context.wrap_socket(connect(receiver.port), server_hostname="localhost") as sock:
            for _unused in range(2):
                sock.sendall(on_the_wire(signed()))
                assert read_reply(sock).status == 200
            sock.sendall(on_the_wire(signed()))
            receiver.wait_for(lambda seen: len(seen.requests) == 3, PATIENCE)
            # Two more that stop in the middle of, and before, the handshake.
            with connect(receiver.port) as begun, connect(receiver.port):
                begun.sendall(b"\x16\x03\x01")
                start = time.monotonic()
                receiver.stop()
                assert time.monotonic() - start < 5.0
    finally:
        receiver.stop()


def test_plain_http_on_the_https_port_does_not_disturb_it(certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    with Receiver([CREDENTIAL], tls_cert=str(certificate)) as receiver:
        with connect(receiver.port) as plain:
            plain.sendall(on_the_wire(signed()))
            with contextlib.suppress(ConnectionResetError):
                assert not plain.recv(1000).startswith(b"HTTP/")
        with context.wrap_socket(connect(receiver.port), server_hostname="localhost") as sock:
            sock.sendall(on_the_wire(signed()))
            assert json.loads(read_reply(sock).body)["code"] == "200"
