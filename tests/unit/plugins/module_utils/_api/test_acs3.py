# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature of the OpenAPI equals the documented example and that of Alibaba Cloud's SDK."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=20
) | st.sampled_from(["", " ", "*~'()+", "a b", "部署=失败&x", "%20", "/?#"])
NAMES = st.text("ABCxyz", min_size=1, max_size=6)
VALUES = st.recursive(
    TEXT | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


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


@settings(max_examples=500)
@given(
    parameters=st.dictionaries(NAMES, VALUES, max_size=5),
    secret=st.text(min_size=1, max_size=30).filter(lambda text: text.isascii()),
    token=st.none() | st.text("tokenTOKEN/+=", min_size=1),
    nonce=st.uuids(),
)
def test_500_requests_have_the_signature_of_the_sdk(
    parameters: dict[str, Any], secret: str, token: str | None, nonce: Any
) -> None:
    sdk: Any = pytest.importorskip("alibabacloud_tea_openapi.utils", reason="the SDK is missing")
    flat = flatten(parameters)

    headers = signed_call_headers(
        "PutCustomEventRule",
        "2019-01-01",
        "metrics.cn-hangzhou.aliyuncs.com",
        canonical_query(flat),
        nonce=str(nonce),
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
