# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The signature of Alibaba Cloud's OpenAPI, ACS3-HMAC-SHA256, and its parameters. Pure.

Source: "V3 request structure and signature" of the Alibaba Cloud SDK documentation, with its
example, and Alibaba Cloud's own SDK (alibabacloud-tea-openapi 0.4.6)::

    CanonicalRequest = METHOD \n PATH \n query \n headers \n names of the headers \n sha256(body)
    StringToSign     = ACS3-HMAC-SHA256 \n hex(sha256(CanonicalRequest))
    Signature        = hex(hmac-sha256(key=utf8(AccessKeySecret), utf8(StringToSign)))
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timezone
from typing import Any, Iterator, Mapping
from urllib.parse import quote, urlsplit

ALGORITHM = "ACS3-HMAC-SHA256"
# Calls in RPC style have one path, no body, and all of their parameters in the query.
PATH = "/"
METHOD = "POST"
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_DEFAULT_PORTS = {"http": 80, "https": 443}


def flatten(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters in RPC style: one text for each, without those that are None.

    The members of a list are numbered from 1 (``Names.1``), and those of a mapping are joined by
    a dot (``Channels.Mail``).
    """
    return dict(_flat("", parameters))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        members = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        members = [(str(number), item) for number, item in enumerate(value, 1)]
    else:
        if value is not None:
            yield name, str(value)
        return
    for key, item in members:
        yield from _flat(f"{name}.{key}" if name else key, item)


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Return flat parameters as a query: sorted by name, percent-encoded as in RFC 3986."""
    return "&".join(
        f"{quote(name, safe='~')}={quote(value, safe='~')}"
        for name, value in sorted(parameters.items())
    )


def acs_date(epoch: float) -> str:
    """Return epoch seconds as an ``x-acs-date``: ``2023-10-26T10:22:32Z``."""
    return f"{datetime.fromtimestamp(int(epoch), timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def host_header(endpoint: str) -> str:
    """Return the Host header for a base URL: without a port that is the scheme's default."""
    parts = urlsplit(endpoint)
    if parts.port is not None and parts.port == _DEFAULT_PORTS.get(parts.scheme):
        return parts.netloc.rpartition(":")[0]
    return parts.netloc


def authorization(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    access_key_id: str,
    access_key_secret: str,
) -> str:
    """Return the Authorization header of a request.

    ``query``: as canonical_query returns it. ``headers``: all headers to sign, with
    ``x-acs-content-sha256`` among them.
    """
    signed = sorted((name.lower(), value.strip()) for name, value in headers.items())
    names = ";".join(name for name, _value in signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed)
    digest = headers["x-acs-content-sha256"]
    request = "\n".join((method, path, query, lines, names, digest))
    hashed = hashlib.sha256(request.encode("utf-8")).hexdigest()
    mac = hmac.new(
        access_key_secret.encode("utf-8"), f"{ALGORITHM}\n{hashed}".encode(), hashlib.sha256
    )
    return (
        f"{ALGORITHM} Credential={access_key_id},SignedHeaders={names},Signature={mac.hexdigest()}"
    )


def signed_call_headers(
    action: str,
    version: str,
    host: str,
    query: str,
    *,
    nonce: str,
    epoch: float,
    access_key_id: str,
    access_key_secret: str,
    security_token: str | None = None,
) -> dict[str, str]:
    """Return the headers of one call in RPC style at ``epoch`` (seconds), signature included.

    ``query``: as canonical_query returns it. Date, nonce and signature belong to one attempt.
    """
    headers = {
        "Host": host,  # for a proxy, urllib3 adds it in this spelling
        "x-acs-action": action,
        "x-acs-content-sha256": _EMPTY_SHA256,
        "x-acs-date": acs_date(epoch),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if security_token:
        headers["x-acs-security-token"] = security_token
    signature = authorization(METHOD, PATH, query, headers, access_key_id, access_key_secret)
    return {**headers, "Authorization": signature}
