# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature of the OpenAPI equals the documented example and that of Alibaba Cloud's SDK."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.acs3 import (
    acs_date,
    authorization,
    canonical_query,
    flatten,
    host_header,
    signed_call_headers,
)

# "V3 request structure and signature" of the Alibaba Cloud SDK documentation.
EXAMPLE = {
    "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
    "RegionId": "cn-shanghai",
}
EXAMPLE_SIGNATURE = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"

PIECES = ["", " ", "*~'()+", "a b", "部署=失败&x", "%20", "/?#", "\n", "é", "\U0001d11e", "x-y_z.0"]


def _name(chance: random.Random) -> str:
    return "".join(chance.choices("ABCxyz", k=chance.randint(1, 6)))


def _value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(5 if depth < 3 else 3)
    if kind == 0:
        return chance.choice([None, 0, -7, 10**12])
    if kind <= 2:
        return "".join(
            chance.choice([*PIECES, chr(chance.randrange(1, 0xD800))])
            for _number in range(chance.randrange(5))
        )
    inner = [_value(chance, depth + 1) for _number in range(chance.randrange(4))]
    return inner if kind == 3 else {_name(chance): value for value in inner}


def test_the_example_of_the_documentation_has_the_documented_signature() -> None:
    headers = signed_call_headers(
        "RunInstances",
        "2014-05-26",
        "ecs.cn-shanghai.aliyuncs.com",
        canonical_query(EXAMPLE),
        nonce="3156853299f313e23d1673dc12e1703d",
        epoch=1698315752.9,
        access_key_id="YourAccessKeyId",
        access_key_secret="YourAccessKeySecret",
    )

    assert headers["x-acs-date"] == "2023-10-26T10:22:32Z"
    assert headers["Authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;"
        "x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        f"Signature={EXAMPLE_SIGNATURE}"
    )


def test_500_requests_have_the_signature_of_the_sdk() -> None:
    sdk: Any = pytest.importorskip("alibabacloud_tea_openapi.utils", reason="the SDK is missing")
    chance = random.Random(1)  # hypothesis takes thirty times as long to draw them
    for _number in range(500):
        parameters = {_name(chance): _value(chance) for _number in range(chance.randrange(6))}
        _assert_signature_of(sdk, parameters, chance)


def _assert_signature_of(sdk: Any, parameters: dict[str, Any], chance: random.Random) -> None:
    secret = "".join(chr(chance.randrange(128)) for _number in range(chance.randint(1, 30)))
    token = chance.choice([None, "token/+=", _name(chance)])
    flat = flatten(parameters)

    headers = signed_call_headers(
        "PutCustomEventRule",
        "2019-01-01",
        "metrics.cn-hangzhou.aliyuncs.com",
        canonical_query(flat),
        nonce=str(UUID(int=chance.getrandbits(128))),
        epoch=1698315752,
        access_key_id="an-id",
        access_key_secret=secret,
        security_token=token,
    )

    signed = {name: value for name, value in headers.items() if name != "Authorization"}
    assert flat == sdk.Utils.query(parameters)
    assert headers["Authorization"] == sdk.Utils.get_authorization(
        SimpleNamespace(pathname="/", query=flat, headers=signed, method="POST"),
        "ACS3-HMAC-SHA256",
        headers["x-acs-content-sha256"],
        "an-id",
        secret,
    )
    assert ("x-acs-security-token" in headers) == (token is not None)


def test_lists_are_numbered_from_1_and_members_are_joined_by_dots() -> None:
    flat = flatten(
        {"Names": ["a", "b"], "Channels": {"Mail": "m"}, "E": [{"N": ["x"]}], "No": None}
    )

    assert flat == {"Names.1": "a", "Names.2": "b", "Channels.Mail": "m", "E.1.N.1": "x"}
    assert canonical_query({"b": "*~ +/", "a": ""}) == "a=&b=%2A~%20%2B%2F"


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://metrics.cn-hangzhou.aliyuncs.com", "metrics.cn-hangzhou.aliyuncs.com"),
        ("https://here:443", "here"),
        ("http://here:80", "here"),
        ("https://here:80", "here:80"),
        ("http://[::1]:8095", "[::1]:8095"),
    ],
)
def test_the_signed_host_has_no_default_port(endpoint: str, host: str) -> None:
    assert host_header(endpoint) == host


def test_spaces_around_a_header_are_not_signed() -> None:
    headers = {"Host": "here", "x-acs-content-sha256": "0", "x-acs-date": acs_date(0)}
    padded = {**headers, "Host": " here\t"}

    assert authorization("POST", "/", "", headers, "id", "secret") == authorization(
        "POST", "/", "", padded, "id", "secret"
    )
