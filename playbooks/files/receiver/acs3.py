# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a call of the OpenAPI as Alibaba Cloud documents it: headers, date, token, signature.

Everything here is a pure function of the request, the known access keys and the time. The signature
is computed from the raw request with separate code, so that a client's mistake cannot hide.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timezone
from typing import Sequence
from urllib.parse import unquote_to_bytes

from .types import CallRefused, Credential, RawRequest

VERSION = b"2019-01-01"

_AUTHORIZATION = re.compile(
    rb"ACS3-HMAC-SHA256 Credential=([^,\s]+),SignedHeaders=([a-z0-9;-]+),"
    rb"Signature=([0-9a-f]{64})\Z"
)
_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_MUST_BE_SIGNED = (
    b"host",
    b"x-acs-action",
    b"x-acs-content-sha256",
    b"x-acs-date",
    b"x-acs-signature-nonce",
    b"x-acs-version",
)
#: RFC 3986, 2.3.
_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


def is_call(request: RawRequest) -> bool:
    """Return whether a request is a call of the OpenAPI and not a request for events."""
    return bool(request.values("x-acs-action"))


def check_call(
    request: RawRequest, credentials: Sequence[Credential], now: float, date_window: float
) -> dict[str, str]:
    """Return the parameters of a call.

    :raises CallRefused: the call is not signed as documented; the text says what is wrong.
    """
    if request.trouble is not None:
        raise CallRefused(400, "InvalidRequest", request.trouble)
    if (request.method, request.path) != ("POST", "/"):
        raise CallRefused(404, "InvalidAction.NotFound", "a call is a POST to /")
    if request.body:
        raise CallRefused(400, "InvalidRequest", "the parameters belong into the query")
    if _one(request, "x-acs-version") != VERSION:
        raise CallRefused(404, "InvalidVersion", "the version is not " + VERSION.decode("ascii"))
    key_id, names, given = _authorization(request)
    known = [item for item in credentials if item.id.encode("utf-8") == key_id]
    if not known:
        raise CallRefused(404, "InvalidAccessKeyId.NotFound", "the access key id is not known")
    _check_digest(request)
    _check_date(_one(request, "x-acs-date"), now, date_window)
    _check_token(request, known[0])
    _check_names(request, names)
    if not hmac.compare_digest(signature(known[0].secret, request, names), given):
        raise CallRefused(400, "SignatureDoesNotMatch", "the signature does not match")
    return _parameters(request)


def signature(secret: str, request: RawRequest, names: Sequence[bytes]) -> bytes:
    """Return the signature of a request over the headers ``names``, in lower-case hex."""
    lines = b"".join(
        name + b":" + b",".join(sorted(request.values(name.decode("ascii")))) + b"\n"
        for name in names
    )
    query = b"&".join(
        _encoded(key) + b"=" + _encoded(value) for key, value in sorted(_pairs(request))
    )
    digest = b"".join(request.values("x-acs-content-sha256"))
    parts = (request.method.encode("ascii"), b"/", query, lines, b";".join(names), digest)
    hashed = hashlib.sha256(b"\n".join(parts)).hexdigest().encode("ascii")
    mac = hmac.new(secret.encode("utf-8"), b"ACS3-HMAC-SHA256\n" + hashed, hashlib.sha256)
    return mac.hexdigest().encode("ascii")


def _authorization(request: RawRequest) -> tuple[bytes, list[bytes], bytes]:
    parts = _AUTHORIZATION.match(_one(request, "authorization"))
    if parts is None:
        raise CallRefused(
            400,
            "IncompleteSignature",
            "the header Authorization is not ACS3-HMAC-SHA256 with Credential, SignedHeaders and "
            "Signature",
        )
    return parts.group(1), parts.group(2).split(b";"), parts.group(3)


def _one(request: RawRequest, name: str) -> bytes:
    values = request.values(name)
    if len(values) != 1 or not values[0]:
        raise CallRefused(400, "Missing" + name, f"the header {name} is not there exactly once")
    return values[0]


def _check_digest(request: RawRequest) -> None:
    expected = hashlib.sha256(request.body).hexdigest().encode("ascii")
    if _one(request, "x-acs-content-sha256") != expected:
        raise CallRefused(
            400, "InvalidContentSha256", "x-acs-content-sha256 is not the SHA-256 of the body"
        )


def _check_date(value: bytes, now: float, window: float) -> None:
    try:
        moment = datetime.strptime(value.decode("ascii"), "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=timezone.utc
        )
    except ValueError:
        raise CallRefused(
            400, "InvalidTimeStamp.Format", "x-acs-date is not like 2023-10-26T10:22:32Z"
        ) from None
    if not _DATE.match(value):
        raise CallRefused(400, "InvalidTimeStamp.Format", "x-acs-date has an unusual form")
    away = moment.timestamp() - now
    if abs(away) > window:
        raise CallRefused(
            400, "InvalidTimeStamp.Expired", f"x-acs-date is {int(abs(away))} s off the clock here"
        )


def _check_token(request: RawRequest, credential: Credential) -> None:
    given = request.values("x-acs-security-token")
    expected = () if credential.token is None else (credential.token.encode("utf-8"),)
    if given and not expected:
        raise CallRefused(400, "InvalidSecurityToken", "the access key is not a temporary one")
    if given != expected:
        code = "InvalidSecurityToken.MismatchWithAccessKey" if given else "MissingSecurityToken"
        raise CallRefused(400, code, "x-acs-security-token is not the token of this access key")


def _check_names(request: RawRequest, names: Sequence[bytes]) -> None:
    present = {name for name, _unused in request.headers() if name.startswith(b"x-acs-")}
    missing = sorted({*present, *_MUST_BE_SIGNED} - set(names))
    if missing or list(names) != sorted(set(names)):
        what = "these headers are not signed: " + b", ".join(missing).decode("latin-1")
        raise CallRefused(
            400, "IncompleteSignature", what if missing else "SignedHeaders is not sorted"
        )


def _pairs(request: RawRequest) -> list[tuple[bytes, bytes]]:
    _unused, query = request.path_and_query
    found = []
    for item in query.encode("utf-8", "replace").split(b"&"):
        key, _also_unused, value = item.partition(b"=")
        if item:
            found.append((_decoded(key), _decoded(value)))
    return found


def _decoded(text: bytes) -> bytes:
    """Decode a name or value; Alibaba Cloud's SDK sends a space as ``+``."""
    return unquote_to_bytes(text.replace(b"+", b" "))


def _encoded(text: bytes) -> bytes:
    return b"".join(bytes((code,)) if code in _UNRESERVED else b"%%%02X" % code for code in text)


def _parameters(request: RawRequest) -> dict[str, str]:
    try:
        pairs = [(key.decode("utf-8"), value.decode("utf-8")) for key, value in _pairs(request)]
    except UnicodeDecodeError:
        raise CallRefused(400, "InvalidParameter", "a parameter is not UTF-8") from None
    if len(dict(pairs)) != len(pairs):
        raise CallRefused(400, "InvalidParameter", "a parameter is there twice")
    return dict(pairs)
