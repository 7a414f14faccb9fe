# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a connection refuses; what arrives in one is a test of the options."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import (
    parse_connection,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)

PARAMS: dict[str, Any] = {
    "region": "cn-hangzhou",
    "network": "public",
    "timeout": 5.0,
    "retries": 3,
    "validate_certs": True,
}


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 3600.1])
def test_a_timeout_that_cannot_be_one_is_refused(timeout: float) -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout: must be a number of seconds above 0"):
        parse_connection({**PARAMS, "timeout": timeout})


@pytest.mark.parametrize("retries", [-1, 101])
def test_retries_have_a_range(retries: int) -> None:
    with pytest.raises(ConfigurationError, match=r"^retries: must be a number from 0 to 100"):
        parse_connection({**PARAMS, "retries": retries})


@pytest.mark.parametrize("address", ["10.0.0.8", "::1", "2001:db8::1"])
def test_a_source_ip_may_be_of_either_kind(address: str) -> None:
    assert parse_connection({**PARAMS, "source_ip": address}).source_ip == address


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("fe80::1%中", "fe80::1"),
        (" fe80::1%1 ", "fe80::1"),
        ("FE80::A", "FE80::A"),
        ("::ffff:10.0.0.8", "::ffff:10.0.0.8"),
    ],
)
def test_the_scope_of_an_address_is_not_sent(address: str, sent: str) -> None:
    assert parse_connection({**PARAMS, "source_ip": address}).source_ip == sent


@pytest.mark.parametrize(
    "address",
    [
        "host",
        "10.0.0",
        "10.0.0.8:80",
        "10.0.0.8\nx-cms: 1",
        "10.0.0.8%eth0",
        "fe80::1%",
        "%eth0",
        "%",
        "[::1]",
        "::1/64",
        "１0.0.0.8",
        "10.0.0.٨",
        "中",
        "10.0.0.8 10.0.0.9",
    ],
)
def test_a_text_that_is_not_an_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^source_ip: .* is not an IP address") as caught:
        parse_connection({**PARAMS, "source_ip": address})

    assert caught.value.option == "source_ip"


@given(address=st.text(st.characters(codec="utf-8"), max_size=20) | st.ip_addresses().map(str))
def test_every_address_that_is_accepted_can_be_sent(address: str) -> None:
    with suppress(ConfigurationError):
        sent = parse_connection({**PARAMS, "source_ip": address}).source_ip
        assert not sent or ip_address(sent)
        assert sent.isascii()


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_address_or_path_is_none(empty: str | None) -> None:
    connection = parse_connection({**PARAMS, "source_ip": empty, "ca_path": empty})

    assert (connection.source_ip, connection.ca_path) == ("", None)
