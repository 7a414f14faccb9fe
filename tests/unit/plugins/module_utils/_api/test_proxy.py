# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a URL uses, and which hosts need none."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.proxy import (
    has_socks,
    is_exempt,
    proxy_for,
)

PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("http://a.example", {}, None),
        ("http://a.example", {"http_proxy": PROXY}, PROXY),
        ("http://a.example", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://a.example", {"http_proxy": PROXY, "HTTP_PROXY": "wrong"}, PROXY),
        ("http://a.example", {"http_proxy": "", "HTTP_PROXY": PROXY}, PROXY),
        ("http://a.example", {"https_proxy": PROXY}, None),
        ("https://a.example", {"https_proxy": PROXY, "http_proxy": "wrong"}, PROXY),
        ("https://a.example", {"all_proxy": PROXY}, PROXY),
        ("https://a.example", {"ALL_PROXY": "wrong", "https_proxy": PROXY}, PROXY),
        ("http://a.example", {"http_proxy": "proxy.example:3128"}, PROXY),
        ("http://a.example", {"http_proxy": PROXY, "no_proxy": "*"}, None),
        ("http://a.example", {"http_proxy": PROXY, "NO_PROXY": "a.example"}, None),
        ("http://A.Example", {"http_proxy": PROXY, "no_proxy": "a.EXAMPLE"}, None),
        ("http://a.example:80", {"http_proxy": PROXY, "no_proxy": "a.example:80"}, None),
        ("http://b.a.example", {"http_proxy": PROXY, "no_proxy": "x, a.example"}, None),
        ("http://b.a.example", {"http_proxy": PROXY, "no_proxy": ".a.example"}, None),
        ("http://ba.example", {"http_proxy": PROXY, "no_proxy": "a.example"}, PROXY),
        ("http://a.example", {"http_proxy": PROXY, "no_proxy": " , ,"}, PROXY),
        ("http://127.0.0.1:1", {"http_proxy": PROXY, "no_proxy": "127.0.0.1"}, None),
        ("http://[::1]:1", {"http_proxy": PROXY, "no_proxy": "::1"}, None),
    ],
)
def test_the_proxy_variables_mean_what_they_mean_elsewhere(
    url: str, environ: dict[str, str], proxy: str | None
) -> None:
    assert proxy_for(url, environ) == proxy


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
        proxy_for("http://a.example", {variable: proxy})

    assert "hun" not in str(caught.value)
    assert "ada" not in str(caught.value)
    assert "percent-encoded" in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "exempt", "others"),
    [
        ("*", ["a.example", "127.0.0.1", "::1"], []),
        ("*.example.com", ["a.example.com", "b.a.example.com"], ["example.org", "aexample.com"]),
        (".example.com", ["a.example.com", "example.com", "A.EXAMPLE.COM."], ["aexample.com"]),
        ("example.com", ["a.example.com", "example.com"], ["aexample.com", "example.com.org"]),
        ("EXAMPLE.Com.", ["example.com", "EXAMPLE.COM."], ["example.org"]),
        ("*.EXAMPLE.com.", ["a.example.com."], ["example.org"]),
        ("metrics-*.example.com", ["metrics-1.example.com"], ["logs.example.com"]),
        ("a.example b.example\tc.example", ["a.example", "b.example", "c.example"], ["d.example"]),
        (" a.example ,, b.example,", ["a.example", "b.example"], ["c.example"]),
        ("localhost", ["localhost", "LOCALHOST"], ["127.0.0.1", "local"]),
        ("[::1]", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]),
        ("::1", ["::1"], ["::2"]),
        ("0:0::0:1", ["::1"], ["::2"]),
        ("fe80::1%eth0", ["fe80::1", "fe80::1%eth0"], ["fe80::2"]),
        ("127.0.0.0/8", ["127.0.0.1", "127.255.255.255", "::ffff:127.0.0.1"], ["128.0.0.1", "a"]),
        ("10.1.2.3/8", ["10.255.0.1"], ["11.0.0.1"]),
        ("10.0.0.0/255.0.0.0", ["10.255.0.1"], ["11.0.0.1"]),
        ("fd00::/8", ["fd12::1"], ["fe80::1", "10.0.0.1"]),
        ("[fd00::]/8", ["fd12::1"], ["fe80::1"]),
        ("::/0", ["::1"], ["127.0.0.1"]),
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.11", "a"]),
        ("0.0.1", [], ["127.0.0.1"]),
        (".0.0.1", [], ["127.0.0.1"]),
        ("192.168.*", ["192.168.1.2"], ["192.169.1.2"]),
        ("bücher.example", ["xn--bcher-kva.example", "a.bücher.example"], ["bucher.example"]),
        ("xn--bcher-kva.example", ["BÜCHER.example"], ["bucher.example"]),
        ("10.0.0.0/33", [], ["10.0.0.0"]),
        (".", [], ["a.example", "127.0.0.1"]),
        ("..", [], ["a.example"]),
        ("[", [], ["a.example", "::1"]),
        ("", [], ["a.example"]),
    ],
)
def test_no_proxy_exempts_hosts(no_proxy: str, exempt: list[str], others: list[str]) -> None:
    assert [host for host in exempt if not is_exempt(host, 80, no_proxy)] == []
    assert [host for host in others if is_exempt(host, 80, no_proxy)] == []


@pytest.mark.parametrize(
    ("entry", "host"),
    [
        ("a.example:8080", "a.example"),
        (".example:8080", "a.example"),
        ("*.example:8080", "a.example"),
        ("*:8080", "a.example"),
        ("10.0.0.1:8080", "10.0.0.1"),
        ("10.0.0.0/8:8080", "10.0.0.1"),
        ("[::1]:8080", "::1"),
    ],
)
def test_an_entry_with_a_port_applies_to_that_port_only(entry: str, host: str) -> None:
    assert is_exempt(host, 8080, entry)
    assert not is_exempt(host, 80, entry)
    assert not is_exempt(host, None, entry)


@pytest.mark.parametrize(
    ("url", "no_proxy"),
    [
        ("http://a.example", "a.example:80"),
        ("https://a.example", "a.example:443"),
        ("https://[::1]", "[::1]:443"),
        ("https://a.example.:8443/x", "a.example:8443"),
    ],
)
def test_the_port_of_a_url_has_the_default_of_its_scheme(url: str, no_proxy: str) -> None:
    environ = {"all_proxy": PROXY, "no_proxy": no_proxy}

    assert proxy_for(url, environ) is None
    assert proxy_for(url, {**environ, "no_proxy": no_proxy + "0"}) == PROXY


@pytest.mark.parametrize("port", ["a.example:x", "a.example:", "a.example:99999999"])
def test_an_entry_with_an_impossible_port_exempts_nothing(port: str) -> None:
    assert not is_exempt("a.example", 80, port)


@given(no_proxy=st.text("a1.:*/[]%, -", max_size=30), host=st.text("a1.:%[]", max_size=20))
def test_any_no_proxy_can_be_read(no_proxy: str, host: str) -> None:
    is_exempt(host, 80, no_proxy)


@pytest.mark.parametrize("scheme", ["socks4", "socks4a", "socks5", "socks5h", "SOCKS5H"])
@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_a_socks_proxy_without_its_library_is_an_error_that_names_the_library(
    scheme: str, variable: str
) -> None:
    proxy = f"{scheme}://ada:hunter2@proxy.example:1080"
    with pytest.raises(ConfigurationError) as caught:
        proxy_for("https://a.example", {variable: proxy}, socks=False)

    assert caught.value.option == variable
    assert "pip install PySocks" in caught.value.advice
    assert "hunter2" not in str(caught.value)
    assert "ada" not in str(caught.value)
    assert proxy_for("https://a.example", {variable: proxy}, socks=True) == proxy


def test_a_host_without_proxy_needs_no_library() -> None:
    environ = {"all_proxy": "socks5://proxy.example", "no_proxy": "a.example"}

    assert proxy_for("https://a.example", environ, socks=False) is None


def test_the_library_is_looked_for_by_its_name() -> None:
    assert has_socks() is (find_spec("socks") is not None)


@pytest.mark.parametrize("scheme", ["ftp", "socks", "quic", "h" * 100])
def test_a_proxy_of_another_kind_is_an_error_that_lists_the_kinds(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match=r"all_proxy: .*http, https, socks4") as caught:
        proxy_for("http://a.example", {"all_proxy": f"{scheme}://u:hunter2@127.0.0.1"})

    assert "hunter2" not in str(caught.value)
