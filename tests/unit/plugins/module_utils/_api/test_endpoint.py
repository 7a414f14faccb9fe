# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where events go: the documented tables, a user's own URL, and what cannot be one."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.endpoint import (
    PUBLIC_REGIONS,
    REGIONS,
    api_url,
    endpoint_url,
    shown_endpoint,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)

HANGZHOU = "https://metrichub-cms-cn-hangzhou.aliyuncs.com"
# The 17 of the older documentation page.
DOCUMENTED = (
    "cn-hangzhou cn-zhangjiakou cn-shanghai cn-beijing cn-qingdao cn-shenzhen cn-hongkong "
    "cn-huhehaote me-east-1 us-west-1 us-east-1 ap-northeast-1 eu-central-1 ap-southeast-2 "
    "ap-southeast-1 ap-southeast-3 ap-south-1"
).split()


@pytest.mark.parametrize(
    "region", ["cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1"]
)
def test_five_regions_have_a_public_endpoint_of_their_own(region: str) -> None:
    assert endpoint_url(region, "public") == f"https://metrichub-cms-{region}.aliyuncs.com"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (endpoint_url("cn-shanghai", "public"), "cn-shanghai"),
        (endpoint_url("eu-west-1", "public"), "cn-hangzhou"),
        (endpoint_url("cn-nanjing", "vpc"), "cn-nanjing (vpc)"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_an_endpoint_of_the_service_is_shown_as_its_region(url: str, shown: str) -> None:
    assert shown_endpoint(url) == shown


@pytest.mark.parametrize("region", sorted(set(REGIONS) - set(PUBLIC_REGIONS)))
def test_every_other_region_uses_the_public_endpoint_of_hangzhou(region: str) -> None:
    assert endpoint_url(region, "public") == HANGZHOU


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("cn-hangzhou", "http://metrichub-cn-hangzhou.aliyun.com"),
        ("cn-north-2-gov-1", "http://metrichub-cn-north-2-gov-1.aliyun.com"),
        ("eu-west-1", "http://metrichub-eu-west-1.aliyun.com"),
        ("cn-nanjing", "http://metrichub-cn-nanjing.aliyuncs.com"),
        ("ap-southeast-7", "http://metrichub-ap-southeast-7.aliyuncs.com"),
        ("ap-northeast-2", "http://metrichub-ap-northeast-2.aliyuncs.com"),
        ("ap-south-1", "http://metrichub-ap-south-1.aliyuncs.com"),
        ("cn-beijing-finance-1", "http://metrichub-cn-beijing-finance-1.aliyuncs.com"),
    ],
)
def test_a_vpc_endpoint_has_the_domain_of_its_region(region: str, url: str) -> None:
    assert endpoint_url(region, "vpc") == url


def test_the_tables_hold_every_documented_region() -> None:
    assert set(DOCUMENTED) <= set(REGIONS)
    assert set(PUBLIC_REGIONS) <= set(REGIONS)
    assert len(REGIONS) == len(set(REGIONS)) == 31


@pytest.mark.parametrize("network", ["public", "vpc"])
@pytest.mark.parametrize("region", ["cn-hangzou", "", "CN-HANGZHOU", " cn-hangzhou", "mars-1"])
def test_a_typo_in_the_region_is_told_with_all_known_regions(region: str, network: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        endpoint_url(region, network)

    assert repr(region) in str(caught.value)
    assert all(known in str(caught.value) for known in REGIONS)


def test_an_unknown_network_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"network: must be public or vpc and is 'lan'"):
        endpoint_url("cn-hangzhou", "lan")


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://example.com", "https://example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("HTTPS://Example.com/", "https://Example.com"),
        (" https://example.com\n", "https://example.com"),
        ("https://example.com/event/custom/upload", "https://example.com"),
        ("https://example.com/event/custom/upload/", "https://example.com"),
        ("https://例子.测试", "https://例子.测试"),
    ],
)
def test_an_own_endpoint_wins_over_region_and_network(endpoint: str, url: str) -> None:
    assert endpoint_url("mars-1", "lan", endpoint) == url


@pytest.mark.parametrize(
    "endpoint",
    [
        "example.com",
        "metrichub-cms-cn-hangzhou.aliyuncs.com:443",
        "ftp://example.com",
        "https://",
        "https://*",
        "https://.example.com",
        "https:///event/custom/upload",
        "https://:443",
        "https://example.com:port",
        "https://example.com:99999",
        "https://[::1",
        "https://exam ple.com",
        "https://exam\nple.com",
        "https://example.com\\@evil.example",
        "http://127.0.0.1\\x",
        "https://user:hunter2@example.com",
        "https://hunter2@example.com",
        "https://example.com/other/path",
        "https://example.com?token=hunter2",
        "https://example.com#fragment",
    ],
)
def test_what_cannot_be_an_endpoint_is_refused_without_repeating_it(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^endpoint: is not a usable URL: ") as caught:
        endpoint_url("cn-hangzhou", "public", endpoint)

    assert "hunter2" not in str(caught.value)
    assert "Write it like https://" in str(caught.value)


@given(
    endpoint=st.text(min_size=1)
    | st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), st.text(), st.text())
)
def test_anything_is_a_usable_base_url_or_a_configuration_error(endpoint: str) -> None:
    try:
        url = endpoint_url("cn-hangzhou", "public", endpoint)
    except ConfigurationError:
        return
    parts = urlsplit(url)
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert (parts.path, parts.query, parts.fragment, parts.username) == ("", "", "", None)


@pytest.mark.parametrize(
    ("arguments", "url"),
    [
        (("cn-hangzhou", "public"), "https://metrics.cn-hangzhou.aliyuncs.com"),
        (("eu-west-1", "public"), "https://metrics.eu-west-1.aliyuncs.com"),
        (("cn-beijing", "vpc"), "https://metrics-vpc.cn-beijing.aliyuncs.com"),
        (("mars-1", "public", "http://127.0.0.1:8095/"), "http://127.0.0.1:8095"),
    ],
)
def test_the_openapi_has_one_endpoint_for_each_region(arguments: tuple[str, ...], url: str) -> None:
    assert api_url(*arguments) == url


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mars-1", "public"), "region: 'mars-1' is not a known region"),
        (("cn-hangzhou", "public", "https://u:hunter2@h"), "api_endpoint: is not a usable URL"),
        (("cn-hangzhou", "public", "https://h/event/custom/upload"), "api_endpoint: "),
    ],
)
def test_a_wrong_endpoint_of_the_openapi_is_refused(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        api_url(*arguments)

    assert "hunter2" not in str(caught.value)
