# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways that a try takes: no netrc, the given proxies, and only trusted certificates."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api import transport
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    Transport,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    OK,
    Talk,
    self_signed,
    serving,
    unused_port,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.tries import (
    hearing,
    post,
    saying,
    trouble,
)

pytestmark = pytest.mark.usefixtures("_no_proxies", "_no_thread_left")


def test_netrc_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login thief password hunter2\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    heard: list[bytes] = []

    with serving(hearing(heard)) as server:
        post(server.url())

    assert b"Authorization: an-id:SIGNATURE\r\n" in heard[0]
    assert b"Basic" not in heard[0]


def test_a_proxy_of_the_given_environment_gets_the_request() -> None:
    heard: list[bytes] = []
    with serving(hearing(heard)) as proxy:
        post("http://events.example", environ={"http_proxy": proxy.url()})

    assert heard[0].startswith(b"POST http://events.example/event/custom/upload HTTP/1.1\r\n")


def test_a_proxy_of_the_process_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    with serving(saying(OK)) as server:
        assert post(server.url(), environ={}).status == 200


def test_no_proxy_exempts_a_host() -> None:
    environ = {"http_proxy": f"http://127.0.0.1:{unused_port()}", "no_proxy": "127.0.0.1"}
    with serving(saying(OK)) as server:
        assert post(server.url(), environ=environ).status == 200


# urllib3 1.26 leaves the socket of a refused tunnel to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_https_goes_through_a_tunnel_and_its_refusal_is_the_proxy_s() -> None:
    heard: list[bytes] = []
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with serving(hearing(heard, refusal)) as proxy:
        error = trouble("https://events.example", environ={"https_proxy": proxy.url()})

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
        "socks5://u:hunter2@127.0.0.1:{port}",
        "http://a..b:1",
        "ftp://127.0.0.1:{port}",
        "x" * 80 + ":1",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_cannot_work_is_an_error_without_its_password(scheme: str, proxy: str) -> None:
    environ = {f"{scheme}_proxy": proxy.format(port=unused_port())}

    error = trouble(f"{scheme}://127.0.0.1:{unused_port()}", environ=environ)

    assert error.kind == "connection"
    assert "hunter2" not in str(error)


PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "environ", "proxies"),
    [
        ("http://a.example", {}, {}),
        ("http://a.example", {"http_proxy": PROXY}, {"http": PROXY}),
        ("http://a.example", {"HTTP_PROXY": PROXY}, {"http": PROXY}),
        ("http://a.example", {"http_proxy": PROXY, "HTTP_PROXY": "wrong"}, {"http": PROXY}),
        ("http://a.example", {"http_proxy": "", "HTTP_PROXY": PROXY}, {"http": PROXY}),
        ("http://a.example", {"https_proxy": PROXY}, {}),
        ("https://a.example", {"https_proxy": PROXY, "http_proxy": "wrong"}, {"https": PROXY}),
        ("https://a.example", {"all_proxy": PROXY}, {"https": PROXY}),
        ("https://a.example", {"ALL_PROXY": "wrong", "https_proxy": PROXY}, {"https": PROXY}),
        ("http://a.example", {"http_proxy": "proxy.example:3128"}, {"http": PROXY}),
        ("http://a.example", {"http_proxy": PROXY, "no_proxy": "*"}, {}),
        ("http://a.example", {"http_proxy": PROXY, "NO_PROXY": "a.example"}, {}),
        ("http://A.Example", {"http_proxy": PROXY, "no_proxy": "a.EXAMPLE"}, {}),
        ("http://a.example:80", {"http_proxy": PROXY, "no_proxy": "a.example:80"}, {}),
        ("http://b.a.example", {"http_proxy": PROXY, "no_proxy": "x, a.example"}, {}),
        ("http://b.a.example", {"http_proxy": PROXY, "no_proxy": ".a.example"}, {}),
        ("http://ba.example", {"http_proxy": PROXY, "no_proxy": "a.example"}, {"http": PROXY}),
        ("http://a.example", {"http_proxy": PROXY, "no_proxy": " , ,"}, {"http": PROXY}),
        ("http://127.0.0.1:1", {"http_proxy": PROXY, "no_proxy": "127.0.0.1"}, {}),
        ("http://[::1]:1", {"http_proxy": PROXY, "no_proxy": "::1"}, {}),
    ],
)
def test_the_proxy_variables_mean_what_they_mean_elsewhere(
    url: str, environ: dict[str, str], proxies: dict[str, str]
) -> None:
    assert transport.proxies_for(url, environ) == proxies


@pytest.mark.parametrize(
    "proxy",
    [
        *(f"http://ada:hun{one}ter2@proxy.example:3128" for one in ("?", "/", "#", "[", "\\")),
        "http://ada:hunter2@:99999",
        "http://ada:hun@hunter2@:99999",
        "http://ada:hun/ter2@127.0.0.1:99999",
        "http://[",
        "://",
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_proxy_that_is_no_url_is_an_error_without_its_password(proxy: str, variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        transport.proxies_for("http://a.example", {variable: proxy})

    assert "hun" not in str(caught.value)
    assert "ada" not in str(caught.value)
    assert "percent-encoded" in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_refused_for_good(tmp_path: Path) -> None:
    heard: list[bytes] = []
    tls, _certificate = self_signed(tmp_path)
    with serving(hearing(heard), tls) as server:
        error = trouble(server.url("https"))

    assert (error.kind, error.permanent) == ("tls", True)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert heard == []


def test_a_certificate_is_accepted_when_ca_path_vouches_for_it(tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    with serving(saying(OK), tls) as server:
        assert post(server.url("https"), ca_path=str(certificate)).status == 200


def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    with serving(saying(OK), tls) as server:
        error = trouble(f"https://localhost:{server.port}", ca_path=str(certificate))

    assert error.kind == "tls"


@pytest.mark.parametrize("with_ca", [False, True])
def test_any_certificate_is_accepted_without_validation(with_ca: bool, tmp_path: Path) -> None:
    tls, certificate = self_signed(tmp_path)
    ca_path = str(certificate) if with_ca else None
    with serving(saying(OK), tls) as server:
        answer = post(server.url("https"), validate_certs=False, ca_path=ca_path)

    assert answer.status == 200


def test_plain_http_behind_an_https_url_is_a_tls_error() -> None:
    def plain(talk: Talk) -> None:
        talk.connection.recv(65536)
        talk.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with serving(plain) as server:
        assert trouble(server.url("https")).kind == "tls"


def test_the_environment_s_certificates_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls, certificate = self_signed(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(saying(OK), tls) as server:
        assert trouble(server.url("https")).kind == "tls"


def test_a_ca_path_that_is_not_there_is_a_wrong_option() -> None:
    with pytest.raises(ConfigurationError, match="ca_path: there is no file or directory"):
        Transport(Connection("https://example.com", ca_path="/no/such/file"), {})


def test_a_ca_path_that_holds_no_certificate_is_a_transport_error(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nonsense", encoding="utf-8")
    tls, _certificate = self_signed(tmp_path)
    with serving(saying(OK), tls) as server:
        assert trouble(server.url("https"), ca_path=str(nonsense)).kind in ("tls", "connection")
