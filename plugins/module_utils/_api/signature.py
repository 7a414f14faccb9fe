# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The request signature of Cloud Monitor's custom event API: pure, standard library only.

Sources: "Report custom events" in the Cloud Monitor documentation (HTTP, hmac-sha1), and the
requests of Alibaba Cloud's Java SDK 0.1.8::

    SignString = VERB \n CONTENT-MD5 \n CONTENT-TYPE \n DATE \n headers \n resource
    Signature  = upper-hex(hmac-sha1(key=utf8(AccessKeySecret), utf8(SignString)))
"""

from __future__ import annotations

import hashlib
import hmac
from email.utils import formatdate
from typing import Iterable, Mapping
from urllib.parse import unquote_plus

from .endpoint import RESOURCE

CONTENT_TYPE = "application/json"
_SIGNED_PREFIXES = ("x-cms", "x-acs")


def content_md5(body: bytes) -> str:
    """Return the Content-MD5 header of ``body``: upper-case hexadecimal, not base64."""
    try:
        # The protocol uses MD5 as a checksum. The argument keeps it available on FIPS hosts.
        digest = hashlib.md5(body, usedforsecurity=False)
    except TypeError:  # Python 3.8 does not know the argument
        digest = hashlib.md5(body)
    return digest.hexdigest().upper()


def http_date(epoch: float) -> str:
    """Return ``epoch`` (seconds) as an RFC 1123 date with the literal GMT, in every locale."""
    return formatdate(epoch, usegmt=True)


def canonical_headers(headers: Iterable[tuple[str, str]]) -> str:
    """Return the CanonicalizedHeaders: every ``x-cms*`` and ``x-acs*`` header.

    Names are converted to lower case, then sorted. Spaces around names and values are removed.
    """
    pairs = [(name.strip().lower(), value.strip()) for name, value in headers]
    signed = sorted(pair for pair in pairs if pair[0].startswith(_SIGNED_PREFIXES))
    return "\n".join("{}:{}".format(*pair) for pair in signed)


def canonical_resource(target: str) -> str:
    """Return the CanonicalizedResource of a request target: path, sorted query, decoded."""
    path, mark, query = target.partition("?")
    if not mark or not query:
        return path
    pairs = [part.partition("=") for part in query.split("&")]
    decoded = sorted((unquote_plus(name), unquote_plus(value)) for name, _equals, value in pairs)
    return path + "?" + "&".join("{}={}".format(*pair) for pair in decoded)


def string_to_sign(
    method: str,
    md5: str,
    content_type: str,
    date: str,
    headers: Iterable[tuple[str, str]],
    target: str,
) -> str:
    """Return the SignString of a request. All arguments are exactly what is sent."""
    return "\n".join(
        (
            method,
            md5,
            content_type,
            date,
            canonical_headers(headers),
            canonical_resource(target),
        )
    )


def sign(secret: str, text: str) -> str:
    """Return the signature of ``text`` (a SignString): 40 upper-case hexadecimal digits."""
    mac = hmac.new(secret.encode("utf-8"), text.encode("utf-8"), hashlib.sha1)
    return mac.hexdigest().upper()


def signed_headers(
    body: bytes,
    access_key_id: str,
    access_key_secret: str,
    security_token: str | None,
    source_ip: str,
    epoch: float,
) -> dict[str, str]:
    """Return the headers of one upload of ``body`` at ``epoch`` (seconds), signature included.

    The date and the signature are valid for one attempt. Build new headers for each one.
    """
    cms = {
        "x-cms-api-version": "1.0",
        "x-cms-ip": source_ip,
        "x-cms-signature": "hmac-sha1",
    }
    if security_token:
        cms["x-cms-caller-type"] = "token"
        cms["x-cms-security-token"] = security_token
    md5, date = content_md5(body), http_date(epoch)
    text = string_to_sign("POST", md5, CONTENT_TYPE, date, cms.items(), RESOURCE)
    headers: Mapping[str, str] = {
        "Authorization": f"{access_key_id}:{sign(access_key_secret, text)}",
        "Content-MD5": md5,
        "Content-Type": CONTENT_TYPE,
        "Date": date,
    }
    return {**headers, **cms}
