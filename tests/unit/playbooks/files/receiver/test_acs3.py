# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver verifies calls as documented: it refuses a call in which one byte differs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiver.acs3 import check_call, is_call, signature
from receiver.types import CallRefused, Credential, RawRequest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.acs3 import (
    canonical_query,
    signed_call_headers,
)

KEYS = (Credential("an-id", "secret"), Credential("STS.an-id", "secret", "a-token"))
NOW = 1698315752.0
QUERY = "Name=a+b%2A~%E9%83%A8&PageNumber=1&SearchKeywords="


def signed(query: str = QUERY, key: Credential = KEYS[0], **changed: str) -> RawRequest:
    headers = {
        "host": "here:80",
        "x-acs-action": "DescribeCustomEventAttribute",
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "n-1",
        "x-acs-version": "2019-01-01",
        **({"x-acs-security-token": key.token} if key.token else {}),
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    headers = {name: value for name, value in headers.items() if value}
    names = sorted(headers)
    lines = tuple(f"{name}: {headers[name]}".encode() for name in names)
    bare = RawRequest("POST", f"/?{query}", lines)
    made = signature(key.secret, bare, [name.encode() for name in names]).decode()
    text = f"ACS3-HMAC-SHA256 Credential={key.id},SignedHeaders={';'.join(names)},Signature={made}"
    return replace(bare, header_lines=(*lines, f"Authorization: {text}".encode()))


def refusal(request: RawRequest, now: float = NOW) -> str:
    with pytest.raises(CallRefused) as caught:
        check_call(request, KEYS, now, 900)
    return caught.value.code


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.id)
def test_a_signed_call_is_accepted_with_its_parameters_decoded(key: Credential) -> None:
    request = signed(key=key)

    assert is_call(request)
    assert check_call(request, KEYS, NOW, 900) == {
        "Name": "a b*~部",
        "PageNumber": "1",
        "SearchKeywords": "",
    }


@given(
    parameters=st.dictionaries(
        st.text("AZaz.19", min_size=1), st.text(st.characters(codec="utf-8")), max_size=5
    ),
    encode=st.sampled_from([quote, quote_plus]),  # the second one as Alibaba Cloud's SDK sends it
)
def test_any_parameters_that_the_client_signs_are_accepted(
    parameters: dict[str, str], encode: Callable[..., str]
) -> None:
    query = canonical_query(parameters)
    headers = signed_call_headers(
        "Any",
        "2019-01-01",
        "here",
        query,
        nonce="n",
        epoch=NOW,
        access_key_id=KEYS[1].id,
        access_key_secret=KEYS[1].secret,
        security_token=KEYS[1].token,
    )
    lines = tuple(f"{name}: {value}".encode() for name, value in headers.items())
    sent = "&".join(f"{name}={encode(text, safe='')}" for name, text in parameters.items())

    assert check_call(RawRequest("POST", f"/?{sent}", lines), KEYS, NOW, 900) == parameters


def test_one_changed_byte_anywhere_is_refused() -> None:
    request = signed()
    for index, line in enumerate(request.header_lines):
        for at in (line.index(b": ") + 2, len(line) - 1):
            changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
            lines = [*request.header_lines]
            lines[index] = changed
            assert refusal(replace(request, header_lines=tuple(lines))), changed
    for at in range(2, len(request.target)):
        other = "x" if request.target[at] != "x" else "y"
        target = request.target[:at] + other + request.target[at + 1 :]
        assert refusal(replace(request, target=target)), target
    assert refusal(replace(request, body=b"x")) == "InvalidRequest"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"x_acs_version": "2018-03-08"}, "InvalidVersion"),
        ({"x_acs_date": "2023-10-26T10:22:32"}, "InvalidTimeStamp.Format"),
        ({"x_acs_date": "2023-10-26T10:42:32Z"}, "InvalidTimeStamp.Expired"),
        ({"x_acs_content_sha256": "00"}, "InvalidContentSha256"),
        ({"x_acs_signature_nonce": ""}, "IncompleteSignature"),
        ({"x_acs_security_token": "a-token"}, "InvalidSecurityToken"),
    ],
)
def test_a_call_that_is_signed_but_wrong_is_refused(changed: dict[str, Any], code: str) -> None:
    assert refusal(signed(**changed)) == code


def test_temporary_credentials_need_their_token() -> None:
    assert refusal(signed(key=replace(KEYS[1], token=None))) == "MissingSecurityToken"
    other = refusal(signed(key=replace(KEYS[1], token="another")))
    assert other == "InvalidSecurityToken.MismatchWithAccessKey"


def test_an_unsigned_header_of_the_service_or_a_double_parameter_is_refused() -> None:
    request = signed()
    added = replace(request, header_lines=(*request.header_lines, b"x-acs-extra: 1"))
    assert refusal(added) == "IncompleteSignature"
    assert refusal(signed("A=1&A=2")) == "InvalidParameter"
    assert refusal(replace(request, method="GET")) == "InvalidAction.NotFound"
