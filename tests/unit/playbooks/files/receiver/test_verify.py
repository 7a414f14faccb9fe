# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the receiver verifies, as pure functions."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from receiver.types import Credential, RawRequest
from receiver.verify import signature, string_to_sign, verify

from ansible_collections.aliops.cloudmonitor.tests.unit.playbooks.files.raw_client import (
    CREDENTIAL,
    TEMPORARY,
    body_of,
    signed,
)

NOW = 1_790_000_000.0
VECTORS = json.loads((Path(__file__).parents[3] / "vectors.json").read_text(encoding="utf-8"))
CAPTURED = {v["id"]: v for v in VECTORS["vectors"] if v["kind"] == "captured"}
PUBLISHED = {v["id"]: v for v in VECTORS["vectors"] if v["kind"] == "published"}
WINDOW = 900.0


def decide(request: RawRequest, credential: Credential = CREDENTIAL) -> tuple[int, str]:
    verdict = verify(request, [credential], NOW, WINDOW)
    assert (verdict.status == 200) == bool(verdict.events)
    assert verdict.code == str(verdict.status)
    return verdict.status, verdict.msg


def captured_request(vector: dict[str, Any]) -> RawRequest:
    request = vector["request"]
    lines = tuple(line.encode("utf-8") for line in request["raw_header_lines"])
    body = base64.b64decode(request["body_base64"])
    return RawRequest(request["method"], request["target"], lines, body)


def captured_credential(vector: dict[str, Any]) -> Credential:
    return Credential(vector["access_key_id"], vector["secret"], vector["security_token"])


def captured_time(vector: dict[str, Any]) -> float:
    return parsedate_to_datetime(vector["date"]).timestamp()


def test_there_are_captured_and_published_vectors() -> None:
    assert CAPTURED
    assert PUBLISHED


@pytest.mark.parametrize("vector", CAPTURED.values(), ids=CAPTURED)
def test_requests_of_independent_clients_are_accepted_at_their_time(vector: dict[str, Any]) -> None:
    request, now = captured_request(vector), captured_time(vector)
    verdict = verify(request, [captured_credential(vector)], now, WINDOW)
    assert (verdict.status, verdict.msg) == (200, "")
    assert list(verdict.events) == json.loads(vector["request"]["body_text"])
    assert string_to_sign(request).decode("utf-8") == vector["string_to_sign"]


@pytest.mark.parametrize("vector", CAPTURED.values(), ids=CAPTURED)
def test_requests_of_independent_clients_are_refused_a_day_later(vector: dict[str, Any]) -> None:
    now = captured_time(vector) + 86400
    verdict = verify(captured_request(vector), [captured_credential(vector)], now, WINDOW)
    assert verdict.status == 403
    assert "86400 s behind" in verdict.msg


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: str(vector["id"]))
def test_signatures_of_all_vectors_agree(vector: dict[str, Any]) -> None:
    text = vector["string_to_sign"].encode("utf-8")
    assert signature(vector["secret"], text).decode("ascii") == vector["signature"]


def test_a_query_is_signed_sorted_and_decoded() -> None:
    text = string_to_sign(RawRequest("POST", "/metric?name=h%20c+j&employeeId=11", ()))
    assert text.endswith(b"\n/metric?employeeId=11&name=h c j")


def test_signed_headers_are_lower_cased_before_they_are_sorted() -> None:
    lines = (b"X-CMS-b:  2 3 ", b"x-acs-z: 1", b"x-cms-B-c: 4", b"x-cms-a:", b"x-other: 5")
    text = string_to_sign(RawRequest("POST", "/", lines))
    assert text == b"POST\n\n\n\nx-acs-z:1\nx-cms-a:\nx-cms-b:2 3\nx-cms-b-c:4\n/"


@pytest.mark.parametrize("offset", [-WINDOW, 0, WINDOW])
def test_a_date_inside_the_window_is_accepted(offset: float) -> None:
    assert decide(signed(now=NOW + offset)) == (200, "")


@pytest.mark.parametrize(("offset", "words"), [(-901, "901 s behind"), (901, "901 s ahead")])
def test_a_date_outside_the_window_is_refused_with_the_difference(offset: int, words: str) -> None:
    status, msg = decide(signed(now=NOW + offset))
    assert status == 403
    assert words in msg


HEADERS = {
    "Host": 400,
    "User-Agent": 400,
    "Content-MD5": 400,
    "Content-Type": 400,
    "Content-Length": 400,
    "Date": 400,
    "x-cms-api-version": 400,
    "x-cms-signature": 400,
    "x-cms-ip": 400,
    "Authorization": 403,
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_missing_header_is_refused_by_name(name: str) -> None:
    request = signed(now=NOW, changes={name: None})
    assert decide(request) == (HEADERS[name], f"the header {name} is missing")


@pytest.mark.parametrize("name", HEADERS)
def test_a_blank_header_is_refused_by_name(name: str) -> None:
    request = signed(now=NOW, changes={name: " "})
    assert decide(request) == (HEADERS[name], f"the header {name} is missing")


@pytest.mark.parametrize("name", HEADERS)
def test_a_repeated_header_is_refused_by_name(name: str) -> None:
    request = signed(now=NOW)
    again = next(x for x in request.header_lines if x.startswith(name.encode()))
    request = replace(request, header_lines=(*request.header_lines, again.upper()))
    assert decide(request) == (HEADERS[name], f"the header {name} is there 2 times")


@pytest.mark.parametrize(
    ("name", "value", "status", "words"),
    [
        ("Content-Type", "application/json; charset=utf-8", 400, "not `application/json`"),
        ("Content-Type", "text/json", 400, "not `application/json`"),
        ("Content-MD5", "d41d8cd98f00b204e9800998ecf8427e", 400, "32 upper-case hex"),
        ("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==", 400, "32 upper-case hex"),
        ("Content-MD5", "D41D8CD98F00B204E9800998ECF8427E", 400, "not the MD5 of the"),
        ("Content-Length", "1", 400, "not the body's"),
        ("Content-Length", "many", 400, "not the body's"),
        ("Date", "Mon, 21 Sep 2026 14:13:20 UTC", 400, "the header Date is not like"),
        ("Date", "Mon, 21 Sep 2026 14:13:20 +0000", 400, "the header Date is not like"),
        ("Date", "lun, 21 sep 2026 14:13:20 GMT", 400, "the header Date is not like"),
        ("Date", "Mon, 21 Sep 2026 25:13:20 GMT", 400, "the header Date is not like"),
        ("Date", "Tue, 21 Sep 2026 14:13:20 GMT", 400, "wrong day of the week"),
        ("x-cms-api-version", "1.1", 400, "not `1.0`"),
        ("x-cms-signature", "HMAC-SHA1", 400, "not `hmac-sha1`"),
        ("x-cms-ip", "localhost", 400, "not an IP address"),
        ("x-cms-ip", "10.0.0.256", 400, "not an IP address"),
        ("Authorization", "testkey", 403, "not AccessKeyId:SIGNATURE"),
        ("Authorization", "acs testkey:" + "A" * 40, 403, "not AccessKeyId:SIGNATURE"),
        ("Authorization", "testkey:" + "a" * 40, 403, "not AccessKeyId:SIGNATURE"),
        ("Authorization", "otherkey:" + "A" * 40, 403, "the access key id is not known"),
        ("Authorization", "testkey:" + "A" * 40, 403, "the signature does not match"),
    ],
)
def test_a_wrong_header_is_refused_with_what_is_wrong(
    name: str, value: str, status: int, words: str
) -> None:
    got, msg = decide(signed(now=NOW, changes={name: value}))
    assert got == status
    assert words in msg


@pytest.mark.parametrize("ip", ["10.0.0.8", "fe80::1", "::ffff:10.0.0.8"])
def test_any_ip_address_may_report(ip: str) -> None:
    assert decide(signed(now=NOW, changes={"x-cms-ip": ip})) == (200, "")


@pytest.mark.parametrize("line", [b"no colon", b" folded: line", b"x-cms-ip : 1", b": x"])
def test_a_line_that_is_no_header_is_refused(line: bytes) -> None:
    request = signed(now=NOW)
    status, msg = decide(replace(request, header_lines=(*request.header_lines, line)))
    assert status == 400
    assert f"header line {len(request.header_lines) + 1} " in msg


def test_other_methods_and_paths_are_refused() -> None:
    assert decide(replace(signed(now=NOW), method="PUT"))[0] == 405
    status, msg = decide(signed(now=NOW, target="/metric/custom/upload"))
    assert status == 404
    assert "/event/custom/upload" in msg


def test_a_temporary_key_is_accepted_with_its_token_only() -> None:
    assert decide(signed(now=NOW, credential=TEMPORARY), TEMPORARY) == (200, "")
    for name, value, words in [
        ("x-cms-security-token", None, "x-cms-security-token is missing"),
        ("x-cms-security-token", "other", "not the token of this access key"),
        ("x-cms-caller-type", None, "x-cms-caller-type is missing"),
        ("x-cms-caller-type", "user", "not `token`"),
    ]:
        request = signed(now=NOW, credential=TEMPORARY, changes={name: value})
        status, msg = decide(request, TEMPORARY)
        assert status == 403
        assert words in msg


@pytest.mark.parametrize("name", ["x-cms-security-token", "x-cms-caller-type"])
def test_a_lasting_key_is_refused_with_a_token(name: str) -> None:
    status, msg = decide(signed(now=NOW, changes={name: "token"}))
    assert status == 403
    assert name in msg


def test_a_refusal_tells_neither_secret_nor_token_nor_the_right_signature() -> None:
    right = signed(now=NOW, credential=TEMPORARY)
    (value,) = right.values("authorization")
    for changes in (
        {"Authorization": "STS.key:" + "0" * 40},
        {"x-cms-security-token": "CAIS/wrong"},
        {"x-cms-caller-type": "user"},
        {"Date": "now"},
    ):
        request = signed(now=NOW, credential=TEMPORARY, changes=changes)
        _unused, msg = decide(request, TEMPORARY)
        for hidden in (TEMPORARY.secret, TEMPORARY.token or "", value.decode()[8:], "CAIS"):
            assert hidden not in msg
    assert TEMPORARY.secret not in repr(TEMPORARY)
    assert "CAIS" not in repr(TEMPORARY)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {"name": TEXT.filter(str.strip), "content": TEXT},
        optional={
            "groupId": st.integers(0, 2**63 - 1),
            "time": st.sampled_from(["1761000000123", "20171023T144439.948+0800"]),
            "other": st.none() | TEXT,
        },
    ),
    min_size=1,
    max_size=5,
)
CREDENTIALS = st.sampled_from([CREDENTIAL, TEMPORARY, Credential("k", "秘密 🔑")])


@settings(deadline=None)
@given(EVENTS, CREDENTIALS, st.data())
def test_a_signed_request_passes_and_any_one_byte_changed_fails(
    events: list[dict[str, Any]], credential: Credential, data: st.DataObject
) -> None:
    request = signed(body_of(*events), credential, NOW)
    verdict = verify(request, [credential], NOW, WINDOW)
    assert (verdict.status, list(verdict.events)) == (200, events)

    where = data.draw(st.integers(-2, len(request.header_lines) - 1))
    if where == -2:
        request = replace(request, body=_one_byte_changed(request.body, data))
    elif where == -1:
        target = _one_byte_changed(request.target.encode(), data).decode("latin-1")
        request = replace(request, target=target)
    else:
        lines = list(request.header_lines)
        lines[where] = _one_byte_changed(lines[where], data)
        before, request = request, replace(request, header_lines=tuple(lines))
        # Upper case in a name and spaces around a value mean the same; two values are not signed.
        assume(request.headers() != before.headers())
        assume(not lines[where].lower().startswith((b"host:", b"user-agent:")))
    assert verify(request, [credential], NOW, WINDOW).status != 200


def _one_byte_changed(text: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, len(text) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda x: x != text[at]))
    return text[:at] + bytes([byte]) + text[at + 1 :]
