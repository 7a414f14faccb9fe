# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature: what the service publishes, what its own clients send, and what never matters."""

from __future__ import annotations

import base64
import hashlib
import json
import locale
import random
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.endpoint import RESOURCE
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.signature import (
    CONTENT_TYPE,
    canonical_headers,
    canonical_resource,
    content_md5,
    http_date,
    sign,
    signed_headers,
    string_to_sign,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[3] / "vectors.json").read_text(encoding="utf-8")
)["vectors"]
CAPTURED = [vector for vector in VECTORS if "request" in vector]


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[vector["id"] for vector in vectors])


def header_pairs(vector: dict[str, Any]) -> list[tuple[str, str]]:
    lines = vector["request"]["raw_header_lines"]
    return [(name, value) for name, _colon, value in (line.partition(":") for line in lines)]


def body_of(vector: dict[str, Any]) -> bytes:
    return base64.b64decode(vector["request"]["body_base64"])


@named(VECTORS)
def test_every_known_text_gets_its_known_signature(vector: dict[str, Any]) -> None:
    assert sign(vector["secret"], vector["string_to_sign"]) == vector["signature"]


@named(CAPTURED)
def test_every_captured_request_gets_the_text_that_its_client_signed(
    vector: dict[str, Any],
) -> None:
    pairs = header_pairs(vector)
    sent = {name.lower(): value.strip() for name, value in pairs}

    text = string_to_sign(
        vector["request"]["method"],
        sent["content-md5"],
        sent["content-type"],
        sent["date"],
        pairs,
        vector["request"]["target"],
    )

    assert text == vector["string_to_sign"]


@named(CAPTURED)
def test_every_captured_body_gets_its_md5_and_length(vector: dict[str, Any]) -> None:
    body = body_of(vector)

    assert content_md5(body) == vector["content_md5"]
    assert len(body) == vector["content_length"]


@named([vector for vector in CAPTURED if "-sdk-" in vector["id"]])
def test_the_headers_are_those_of_the_official_sdk(vector: dict[str, Any]) -> None:
    theirs = {name.lower(): value.strip() for name, value in header_pairs(vector)}

    ours = signed_headers(
        body_of(vector),
        vector["access_key_id"],
        vector["secret"],
        vector["security_token"],
        theirs["x-cms-ip"],
        parsedate_to_datetime(vector["date"]).timestamp(),
    )

    assert {name.lower(): value for name, value in ours.items()} == {
        name: value
        for name, value in theirs.items()
        if name not in ("host", "user-agent", "content-length", "connection")
    }


def test_the_vectors_cover_what_they_should() -> None:
    assert len(VECTORS) >= 5
    assert any("-sdk-" in vector["id"] for vector in CAPTURED)
    assert any(vector["security_token"] for vector in CAPTURED)


def test_the_md5_is_upper_case_hexadecimal() -> None:
    assert content_md5(b"[]") == "D751713988987E9331980363E24189CE"


def test_the_md5_is_asked_for_as_a_checksum_which_fips_hosts_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    md5 = hashlib.md5

    def strict(body: bytes, usedforsecurity: bool = True) -> Any:
        if usedforsecurity:
            raise ValueError("disabled for FIPS")
        return md5(body)

    monkeypatch.setattr(hashlib, "md5", strict)
    assert content_md5(b"[]") == "D751713988987E9331980363E24189CE"


def test_the_md5_is_there_on_a_python_that_does_not_know_its_purpose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    md5 = hashlib.md5

    def old(body: bytes) -> Any:
        return md5(body)

    monkeypatch.setattr(hashlib, "md5", old)
    assert content_md5(b"[]") == "D751713988987E9331980363E24189CE"


@given(body=st.binary(max_size=2000))
def test_the_md5_is_that_of_the_bytes(body: bytes) -> None:
    assert bytes.fromhex(content_md5(body)) == hashlib.md5(body).digest()


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (1511418295, "Thu, 23 Nov 2017 06:24:55 GMT"),
        (1511418295.999, "Thu, 23 Nov 2017 06:24:55 GMT"),
        (1709164800, "Thu, 29 Feb 2024 00:00:00 GMT"),
    ],
)
def test_the_date_is_rfc_1123_with_the_literal_gmt(epoch: float, text: str) -> None:
    assert http_date(epoch) == text


def test_the_date_does_not_follow_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    before = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "zh_CN.UTF-8", "C.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        try:
            assert http_date(1511418295) == "Thu, 23 Nov 2017 06:24:55 GMT"
        finally:
            locale.setlocale(locale.LC_ALL, before)


NAMES = st.builds(
    "{}{}".format,
    st.sampled_from(["x-cms-", "X-CMS-", "x-acs-", "X-acs-", "X-Acs-"]),
    st.text("abzABZ059-", min_size=1, max_size=12),
)
VALUES = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=20)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=8, unique_by=lambda pair: pair[0].lower())


@given(headers=HEADERS, seed=st.integers(0))
def test_order_case_and_outer_spaces_of_headers_do_not_matter(
    headers: list[tuple[str, str]], seed: int
) -> None:
    chance = random.Random(seed)
    spaces = ["", " ", "   "]
    twisted = [
        (
            chance.choice(spaces) + chance.choice([name.lower(), name.upper(), name]),
            chance.choice(spaces) + value + chance.choice(spaces),
        )
        for name, value in chance.sample(headers, len(headers))
    ]

    assert canonical_headers(twisted) == canonical_headers(headers)


@given(headers=HEADERS)
def test_each_signed_header_is_one_line_in_order_of_its_lower_case_name(
    headers: list[tuple[str, str]],
) -> None:
    lines = canonical_headers(headers).split("\n") if headers else []

    assert [line.partition(":")[0] for line in lines] == sorted(
        name.lower() for name, _value in headers
    )
    assert sorted(lines) == sorted(f"{name.lower()}:{value}" for name, value in headers)


def test_names_are_lowered_before_they_are_sorted() -> None:
    pairs = [("x-cms-b", "2"), ("X-CMS-Z", "3"), ("X-Cms-A", "1")]

    assert canonical_headers(pairs) == "x-cms-a:1\nx-cms-b:2\nx-cms-z:3"


@pytest.mark.parametrize("name", ["Host", "Date", "Content-MD5", "User-Agent", "y-x-cms", "x-oss"])
def test_other_headers_are_not_signed(name: str) -> None:
    assert canonical_headers([(name, "value")]) == ""


def test_spaces_inside_a_value_stay() -> None:
    assert canonical_headers([("x-acs-trace", "  abc  def ")]) == "x-acs-trace:abc  def"


@pytest.mark.parametrize(
    ("target", "resource"),
    [
        ("/event/custom/upload", "/event/custom/upload"),
        ("/path?", "/path"),
        ("/path?b=2&a=1", "/path?a=1&b=2"),
        ("/path?name=%E4%BA%8B+x&a=%2F", "/path?a=/&name=事 x"),
        ("/path?a=2&a=1", "/path?a=1&a=2"),
        ("/path?flag", "/path?flag="),
        ("/path?a=b=c", "/path?a=b=c"),
        ("/path?a=b?c", "/path?a=b?c"),
    ],
)
def test_the_resource_has_its_query_sorted_and_decoded(target: str, resource: str) -> None:
    assert canonical_resource(target) == resource


@given(
    query=st.dictionaries(
        st.text(min_size=1, max_size=8), st.text(max_size=8), min_size=1, max_size=5
    ),
    seed=st.integers(0),
)
def test_the_order_of_a_query_does_not_matter(query: dict[str, str], seed: int) -> None:
    parts = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items()]

    shuffled = random.Random(seed).sample(parts, len(parts))

    resource = canonical_resource("/p?" + "&".join(shuffled))
    assert resource == canonical_resource("/p?" + "&".join(parts))
    assert resource == "/p?" + "&".join(f"{name}={query[name]}" for name in sorted(query))


@given(secret=st.text(min_size=1), text=st.text())
def test_a_signature_is_forty_upper_case_hexadecimal_digits(secret: str, text: str) -> None:
    assert len(bytes.fromhex(sign(secret, text))) == 20
    assert sign(secret, text) == sign(secret, text).upper()


def test_the_secret_is_used_as_it_is_and_without_an_ampersand() -> None:
    assert sign("secret", "text") != sign("secret&", "text")


def headers_of(**changes: Any) -> dict[str, str]:
    given: dict[str, Any] = {
        "body": b'[{"name":"n"}]',
        "access_key_id": "id",
        "access_key_secret": "secret",
        "security_token": None,
        "source_ip": "10.0.0.8",
        "epoch": 1511418295.0,
        **changes,
    }
    return signed_headers(**given)


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b"[]"},
        {"access_key_secret": "Secret"},
        {"security_token": "token"},
        {"source_ip": "10.0.0.9"},
        {"epoch": 1511418296.0},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_whatever_is_signed_changes_the_signature(changes: dict[str, Any]) -> None:
    assert headers_of()["Authorization"] != headers_of(**changes)["Authorization"]


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_no_header_speaks_of_one(token: str | None) -> None:
    assert not {"x-cms-caller-type", "x-cms-security-token"} & set(headers_of(security_token=token))


@given(body=st.binary(max_size=500), token=st.none() | st.from_regex(r"\A[A-Za-z0-9+/=]{1,40}\Z"))
def test_the_authorization_signs_just_what_the_other_headers_say(
    body: bytes, token: str | None
) -> None:
    headers = headers_of(body=body, security_token=token)

    text = string_to_sign(
        "POST",
        headers["Content-MD5"],
        headers["Content-Type"],
        headers["Date"],
        headers.items(),
        RESOURCE,
    )
    assert headers["Authorization"] == "id:" + sign("secret", text)
    assert headers["Content-MD5"] == content_md5(body)
    assert headers["Content-Type"] == CONTENT_TYPE == "application/json"


def test_the_secret_is_in_no_header() -> None:
    assert "secret" not in json.dumps(headers_of(security_token="token"))
