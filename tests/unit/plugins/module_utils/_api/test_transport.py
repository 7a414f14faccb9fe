# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt over HTTP: the request, the answer, proxies and certificates."""

from __future__ import annotations

import gc
import shutil
import socket
import subprocess
import sys
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api import transport
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import Response
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    Transport,
    TransportError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    BODY,
    HEADERS,
    answering,
    failed_post,
    post,
    recording,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    OK,
    PATIENCE,
    Script,
    Talk,
    self_signed,
    serving,
    unused_port,
)

pytestmark = pytest.mark.usefixtures("_no_proxies", "_no_thread_left")


def test_the_request_is_what_was_signed_and_nothing_more() -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        answer = post(server.url())

    assert answer == Response(200, {"content-length": "23"}, b'{"code":"200","msg":""}')
    head, _blank, body = heard[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    sent = {name.lower(): value for name, _colon, value in (x.partition(": ") for x in lines[1:])}
    assert lines[0] == "POST /event/custom/upload HTTP/1.1"
    assert body == BODY
    assert sent["content-length"] == str(len(BODY))
    assert sent["authorization"] == "an-id:SIGNATURE"
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert sent["user-agent"].startswith("aliops.cloudmonitor/")
    assert sent["accept-encoding"] == "identity"


def test_attempts_share_a_connection() -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        for _unused in range(3):
            assert transport.post(HEADERS, BODY).status == 200

        assert (len(heard), server.connections) == (3, 1)
        del transport


def test_after_a_time_out_the_next_attempt_has_a_new_connection() -> None:
    def first_hangs(talk: Talk) -> None:
        talk.receive()
        if server.connections == 1:
            talk.over.wait(PATIENCE)
        talk.send(OK)

    with serving(first_hangs) as server:
        transport = Transport(Connection(server.url(), timeout=2.0), {})
        with pytest.raises(TransportError):
            transport.post(HEADERS, BODY)

        assert transport.post(HEADERS, BODY).status == 200
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"code":"200"',
        b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{"code"',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"code"\r\n',
    ],
)
def test_a_body_that_was_cut_off_is_not_complete(answer: bytes) -> None:
    with serving(answering(answer)) as server:
        assert post(server.url()).complete is False


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n17\r\n{"code":"200","msg":""}\r\n'
        b"0\r\n\r\n",
        b'HTTP/1.0 200 OK\r\n\r\n{"code":"200","msg":""}',
        b'HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n{"code":"200","msg":""}',
        b'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{"code":"200","msg":""}',
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b'\r\n\r\n{"code":"200","msg":""}',
    ],
    ids=["length", "chunks", "end of connection", "no digit", "negative", "too many digits"],
)
def test_a_body_is_read_whatever_tells_its_end(answer: bytes) -> None:
    with serving(answering(answer)) as server:
        assert post(server.url()).body == b'{"code":"200","msg":""}'


def test_all_values_of_a_header_that_comes_twice_are_kept() -> None:
    twice = b"HTTP/1.1 200 OK\r\nDate: a\r\nDATE: b\r\nContent-Length: 0\r\n\r\n"
    with serving(answering(twice)) as server:
        assert post(server.url()).headers["date"] == "a, b"


def test_an_endless_body_is_left_at_the_limit() -> None:
    def endless(talk: Talk) -> None:
        talk.receive()
        talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not talk.over.is_set():
            talk.send(b"x" * 65536)

    with serving(endless) as server:
        answer = post(server.url())

    assert 65536 <= len(answer.body) <= 65536 + 8192
    assert answer.complete is True


def test_a_packed_answer_is_not_unpacked() -> None:
    packed = b"\x1f\x8b" + b"\x00" * 100
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 102\r\n\r\n"
    with serving(answering(head + packed)) as server:
        assert post(server.url()).body == packed


def close(talk: Talk) -> None:
    talk.receive()


def reset(talk: Talk) -> None:
    talk.receive()
    talk.reset()


def reset_in_the_head(talk: Talk) -> None:
    talk.receive()
    talk.send(b"HTTP/1.1 200 OK\r\nContent-")
    talk.reset()


@pytest.mark.parametrize("script", [close, reset, reset_in_the_head])
def test_a_connection_that_ends_without_an_answer_may_be_tried_again(script: Script) -> None:
    with serving(script) as server:
        error = failed_post(server.url())

    assert (error.kind, error.permanent) == ("connection", False)
    assert str(error)
    assert "0x" not in str(error)


def test_a_refused_connection_is_reported_as_the_system_does() -> None:
    error = failed_post(f"http://127.0.0.1:{unused_port()}")

    assert (error.kind, error.permanent) == ("connection", False)
    assert str(error) == "Connection refused"


def test_an_unknown_host_name_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_arguments: object, **_named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    error = failed_post("http://events.example")
    assert str(error) == "the host name cannot be resolved (Name or service not known)"
    assert (error.kind, error.permanent) == ("connection", False)


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".com", "ü..b"])
def test_an_impossible_host_name_is_a_final_error(host: str) -> None:
    error = failed_post("http://" + host)

    assert (error.kind, error.permanent) == ("connection", True)


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"])
def test_an_answer_that_is_not_http_is_reported(answer: bytes) -> None:
    with serving(answering(answer)) as server:
        error = failed_post(server.url())

    assert str(error).startswith("the answer is not HTTP ('")
    assert "\n" not in str(error)


@pytest.mark.parametrize("location", ["", "Location: {}/\r\n", "Location: http://[\r\n"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_returned_whole_and_not_followed(status: int, location: str) -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as other:
        head = f"HTTP/1.1 {status} Moved\r\n{location.format(other.url())}Content-Length: 5\r\n\r\n"
        with serving(answering(head.encode() + b"Moved")) as server:
            answer = post(server.url())

        assert (answer.status, answer.body, answer.complete) == (status, b"Moved", True)
        assert other.connections == 0


def test_the_own_address_is_one() -> None:
    family = socket.AF_INET6 if ":" in transport.own_address() else socket.AF_INET

    assert socket.inet_pton(family, transport.own_address())


def test_a_host_without_a_way_out_has_its_loopback_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_way(_socket: socket.socket, _address: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", type("NoWay", (socket.socket,), {"connect": no_way}))

    assert transport.own_address() == "127.0.0.1"


def test_netrc_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login thief password hunter2\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    heard: list[bytes] = []

    with serving(recording(heard)) as server:
        post(server.url())

    assert b"Authorization: an-id:SIGNATURE\r\n" in heard[0]
    assert b"Basic" not in heard[0]


def test_a_proxy_of_the_given_environment_gets_the_request() -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as proxy:
        post("http://events.example", environ={"http_proxy": proxy.url()})

    assert heard[0].startswith(b"POST http://events.example/event/custom/upload HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("given", "decoded"), [("ada:hun%40ter%3A2", b"ada:hun@ter:2"), ("ada", b"ada:")]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_gets_its_user_and_password_decoded(
    scheme: str, given: str, decoded: bytes
) -> None:
    heard: list[bytes] = []
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with serving(recording(heard, refusal)) as proxy:
        address = proxy.url().replace("//", f"//{given}@")
        transport = Transport(
            Connection(f"{scheme}://events.example", timeout=PATIENCE), {f"{scheme}_proxy": address}
        )
        with suppress(TransportError):  # of the tunnel
            transport.post(HEADERS, BODY)

    wanted = b"proxy-authorization: basic " + b64encode(decoded)
    assert wanted.lower() in heard[0].lower()


def test_the_proxy_variables_of_the_process_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    with serving(answering(OK)) as server:
        assert post(server.url(), environ={}).status == 200


def test_no_proxy_exempts_a_host() -> None:
    environ = {"http_proxy": f"http://127.0.0.1:{unused_port()}", "no_proxy": "127.0.0.1"}
    with serving(answering(OK)) as server:
        assert post(server.url(), environ=environ).status == 200


def test_https_goes_through_a_tunnel_and_its_refusal_is_the_proxy_s() -> None:
    heard: list[bytes] = []
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with serving(recording(heard, refusal)) as proxy:
        error = failed_post("https://events.example", environ={"https_proxy": proxy.url()})

    assert heard[0].startswith(b"CONNECT events.example:443 HTTP/1.")
    assert b"an-id" not in b"".join(heard)
    assert error.kind == "connection"
    assert str(error).startswith("the proxy failed: ")
    assert "407" in str(error)
    del error
    gc.collect()


@pytest.mark.parametrize(
    "proxy",
    [
        "http://u:hunter2@127.0.0.1:{port}",
        "http://u:hun@hunter2@127.0.0.1:{port}",
        "http://a..b:1",
        "x" * 80 + ":1",
        "http://ada:hunter2@host.☃:1",
        "http://ada:hunter2%E2%82%AC@127.0.0.1:{port}",
        "http://ada:hunter2€@127.0.0.1:{port}",
        "http://pro xy:3128",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_work_is_an_error_without_its_password(scheme: str, proxy: str) -> None:
    environ = {f"{scheme}_proxy": proxy.format(port=unused_port())}

    error = failed_post(f"{scheme}://127.0.0.1:{unused_port()}", environ=environ)

    assert error.kind == "connection"
    assert "hunter2" not in str(error)


def test_an_untrusted_certificate_is_refused_for_good(tmp_path: Path) -> None:
    heard: list[bytes] = []
    tls, _certificate = self_signed(tmp_path)
    with serving(recording(heard), tls) as server:
        error = failed_post(server.url("https"))

    assert (error.kind, error.permanent) == ("tls", True)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert heard == []


def test_a_certificate_in_ca_path_is_accepted(tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    with serving(answering(OK), tls) as server:
        assert post(server.url("https"), ca_path=str(certificate)).status == 200


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl names the file")
def test_ca_path_may_be_a_directory(tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    folder = tmp_path / "authorities"
    folder.mkdir()
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    name = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(certificate.read_bytes())
    with serving(answering(OK), tls) as server:
        assert post(server.url("https"), ca_path=str(folder)).status == 200


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    with serving(answering(OK), tls) as server:
        error = failed_post(f"https://localhost:{server.port}", ca_path=str(certificate))

    assert error.kind == "tls"


@pytest.mark.parametrize("with_ca", [False, True])
def test_any_certificate_is_accepted_without_validation(with_ca: bool, tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    ca_path = str(certificate) if with_ca else None
    with serving(answering(OK), tls) as server:
        answer = post(server.url("https"), validate_certs=False, ca_path=ca_path)

    assert answer.status == 200


def test_plain_http_behind_an_https_url_is_a_tls_error() -> None:
    def plain(talk: Talk) -> None:
        talk.connection.recv(65536)
        talk.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(plain) as server:
        assert failed_post(server.url("https")).kind == "tls"


def test_the_certificates_of_the_environment_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(answering(OK), tls) as server:
        assert failed_post(server.url("https")).kind == "tls"


def test_the_authorities_are_those_of_the_system_without_certifi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = self_signed(tmp_path)
    monkeypatch.setitem(sys.modules, "certifi", None)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # where OpenSSL looks for them
    with serving(answering(OK), tls) as server:
        assert post(server.url("https")).status == 200


def test_a_ca_path_that_does_not_exist_is_an_invalid_option() -> None:
    with pytest.raises(
        ConfigurationError, match=r"ca_path: there is no file or directory /no/such/file\. Correct"
    ):
        Transport(Connection("https://example.com", ca_path="/no/such/file"), {})


def test_a_ca_path_that_holds_no_certificate_is_a_transport_error(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense", encoding="utf-8")
    tls, _certificate = self_signed(tmp_path)
    with serving(answering(OK), tls) as server:
        assert failed_post(server.url("https"), ca_path=str(nonsense)).kind in ("tls", "connection")


@pytest.mark.parametrize("value", ["fe80::1%中", "a\nb", " a", "a\r\n b", "\ud800"], ids=repr)
def test_a_header_that_cannot_be_sent_is_a_failed_attempt(value: str) -> None:
    with serving(answering(OK)) as server:
        transport = Transport(Connection(server.url(), timeout=PATIENCE), {})
        with pytest.raises(TransportError) as caught:
            transport.post({**HEADERS, "x-cms-ip": value}, BODY)

    assert (caught.value.kind, caught.value.permanent) == ("connection", True)
    assert "host name" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [ValueError("bad"), UnicodeError("bad"), TypeError("bad"), KeyError("bad")], ids=repr
)
def test_any_error_below_the_transport_is_a_failed_attempt(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr("urllib3.PoolManager.request", fail)

    assert failed_post("http://127.0.0.1:1").kind == "connection"
