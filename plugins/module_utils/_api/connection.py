# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach the service: the connection that the options describe."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, Mapping

from .endpoint import api_url, endpoint_url
from .errors import ConfigurationError
from .frozen import frozen
from .paths import check_home


@frozen
class Connection:
    """How to reach the service, checked and ready to use.

    ``endpoint``: a base URL without a path. ``timeout``: seconds for one attempt in total.
    ``retries``: further attempts after the first. ``source_ip``: an address, or empty for the
    address of this host. ``ca_path``: a file or directory of certificates.
    """

    endpoint: str
    source_ip: str = ""
    timeout: float = 5.0
    retries: int = 3
    validate_certs: bool = True
    ca_path: str | None = None


def parse_connection(params: Mapping[str, Any]) -> Connection:
    """Return the checked connection of validated ``params``. Raises ConfigurationError."""
    timeout, retries = params["timeout"], params["retries"]
    if not (math.isfinite(timeout) and 0 < timeout <= 3600):
        raise ConfigurationError(
            f"must be a number of seconds above 0, at most 3600, and is {timeout}",
            option="timeout",
        )
    if not 0 <= retries <= 100:
        raise ConfigurationError(
            f"must be a number from 0 to 100 and is {retries}", option="retries"
        )
    if params.get("ca_path"):
        check_home("ca_path", params["ca_path"])
    return Connection(
        endpoint=endpoint_url(params["region"], params["network"], params.get("endpoint")),
        source_ip=_parse_source_ip(params.get("source_ip") or ""),
        timeout=timeout,
        retries=retries,
        validate_certs=params["validate_certs"],
        ca_path=params.get("ca_path") or None,
    )


def check_ca_path(path: str | None) -> None:
    """Raise ConfigurationError when there is nothing at the path of the certificates.

    On the machine that sends, which is not always the machine that checks the other options.
    """
    if path and not os.path.exists(path):
        raise ConfigurationError(
            f"there is no file or directory {path}",
            option="ca_path",
            advice="Correct the path, or remove the option.",
        )


def parse_api_connection(params: Mapping[str, Any]) -> Connection:
    """Return the checked connection of the OpenAPI: as parse_connection, at ``api_endpoint``."""
    url = api_url(params["region"], params["network"], params.get("api_endpoint"))
    return replace(parse_connection({**params, "endpoint": url}), endpoint=url)


def _parse_source_ip(text: str) -> str:
    """Return an address as it goes into a header; empty stays empty. Raises ConfigurationError.

    The scope of an IPv6 address (``%eth0``) is left out: it means something on this host only.
    """
    address, percent, scope = text.strip().partition("%")
    if not address and not percent:
        return ""
    try:
        is_ipv6 = ip_address(address).version == 6
        valid = not percent or (is_ipv6 and scope != "")
    except ValueError:
        valid = False
    if not valid:
        raise ConfigurationError(
            f"{text!r} is not an IP address",
            option="source_ip",
            advice="Omit it to use the address of this host.",
        )
    return address
