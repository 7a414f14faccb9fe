# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks a request as the service documents it: target, headers, digest, date, signature, events.

Everything here is a pure function of the request, the known access keys and the time. The signature
is computed from the raw header lines with separate code, so that a client's mistake cannot hide.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import ipaddress
import re
from datetime import datetime, timezone
from typing import Sequence
from urllib.parse import unquote_to_bytes

from .body import check_events
from .types import Credential, RawRequest, Refused, Verdict

UPLOAD_PATH = "/event/custom/upload"
NO_PERMISSION = "cannot upload event, please use ram to auth"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    rb"(%s), ([0-9]{2}) (%s) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT\Z"
    % ("|".join(_DAYS).encode("ascii"), "|".join(_MONTHS).encode("ascii"))
)
_MD5 = re.compile(rb"[0-9A-F]{32}\Z")
_AUTHORIZATION = re.compile(rb"([^:\s]+):([0-9A-F]{40})\Z")
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


def verify(
    request: RawRequest, credentials: Sequence[Credential], now: float, date_window: float
) -> Verdict:
    """Decide about a request.

    :param credentials: the access keys that are known.
    :param now: the receiver's time, in seconds since the epoch.
    :param date_window: by how many seconds the Date header may differ from ``now``.
    :returns: 200 with the events, or a refusal that says what is wrong.
    """
    try:
        _check_target(request)
        _check_header_lines(request)
        _check_plain_headers(request)
        _check_digest(request)
        _check_authorization(request, credentials, now, date_window)
        events = check_events(request.body)
    except Refused as refusal:
        return Verdict(refusal.status, str(refusal.status), refusal.msg)
    return Verdict(200, "200", "", events)


def string_to_sign(request: RawRequest) -> bytes:
    """Return the bytes that the signature covers.

    VERB, Content-MD5, Content-Type, Date, the ``x-cms*`` and ``x-acs*`` headers sorted by their
    lower-cased names, and the resource, joined by newlines. A missing header counts as empty.
    """
    signed = [pair for pair in request.headers() if pair[0].startswith((b"x-cms", b"x-acs"))]
    signed.sort(key=lambda pair: pair[0])
    parts: list[bytes] = [request.method.encode("ascii", "replace")]
    for name in ("content-md5", "content-type", "date"):
        parts.append(b"".join(request.values(name)[:1]))
    parts.extend(name + b":" + value for name, value in signed)
    parts.append(_resource(request))
    return b"\n".join(parts)


def signature(secret: str, text: bytes) -> bytes:
    """Return the upper-case hex HMAC-SHA1 of ``text`` under ``secret``."""
    mac = hmac.new(secret.encode("utf-8"), text, hashlib.sha1)
    return mac.hexdigest().upper().encode("ascii")


def _resource(request: RawRequest) -> bytes:
    path, query = request.path_and_query
    resource = path.encode("utf-8", "replace")
    if query:
        pairs = []
        for item in query.encode("utf-8", "replace").split(b"&"):
            key, _unused, value = item.partition(b"=")
            pairs.append((_decoded(key), _decoded(value)))
        resource += b"?" + b"&".join(key + b"=" + value for key, value in sorted(pairs))
    return resource


def _decoded(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _check_target(request: RawRequest) -> None:
    if request.trouble is not None:
        raise Refused(400, "syntax error: " + request.trouble)
    if request.path != UPLOAD_PATH:
        raise Refused(404, "there is nothing at this path; events go to " + UPLOAD_PATH)
    if request.method != "POST":
        raise Refused(405, "the method is not POST")


def _check_header_lines(request: RawRequest) -> None:
    for number, line in enumerate(request.header_lines, 1):
        name, colon, _unused = line.partition(b":")
        if not colon or not _HEADER_NAME.match(name):
            raise Refused(400, f"syntax error: header line {number} is not `name: value`")


def _one(request: RawRequest, name: str, status: int = 400) -> bytes:
    """Return the value of a header that must be there once and not be blank."""
    values = request.values(name.lower())
    if len(values) > 1:
        raise Refused(status, f"the header {name} is there {len(values)} times")
    if not values or not values[0]:
        raise Refused(status, f"the header {name} is missing")
    return values[0]


def _check_plain_headers(request: RawRequest) -> None:
    for name in ("Host", "User-Agent"):
        _one(request, name)
    exact = {
        "Content-Type": b"application/json",
        "x-cms-api-version": b"1.0",
        "x-cms-signature": b"hmac-sha1",
    }
    for name, expected in exact.items():
        if _one(request, name) != expected:
            raise Refused(400, f"the header {name} is not `{expected.decode('ascii')}`")
    try:
        ipaddress.ip_address(_one(request, "x-cms-ip").decode("ascii"))
    except ValueError:
        raise Refused(400, "the header x-cms-ip is not an IP address") from None


def _check_digest(request: RawRequest) -> None:
    length = _one(request, "Content-Length")
    if length != str(len(request.body)).encode("ascii"):
        raise Refused(400, f"the header Content-Length is not the body's {len(request.body)} bytes")
    digest = _one(request, "Content-MD5")
    if not _MD5.match(digest):
        raise Refused(400, "the header Content-MD5 is not 32 upper-case hex digits")
    # The service prescribes MD5.
    expected = hashlib.md5(request.body).hexdigest().upper()
    if digest != expected.encode("ascii"):
        raise Refused(
            400,
            f"the header Content-MD5 is not the MD5 of the {len(request.body)} bytes that "
            "Content-Length announces",
        )


def _check_authorization(
    request: RawRequest, credentials: Sequence[Credential], now: float, date_window: float
) -> None:
    parts = _AUTHORIZATION.match(_one(request, "Authorization", 403))
    if parts is None:
        raise Refused(
            403, "the header Authorization is not AccessKeyId:SIGNATURE (40 upper-case hex)"
        )
    key_id, given = parts.groups()
    known = [item for item in credentials if item.id.encode("utf-8") == key_id]
    if not known:
        raise Refused(403, "the access key id is not known")
    _check_date(_one(request, "Date"), now, date_window)
    _check_token(request, known[0])
    expected = signature(known[0].secret, string_to_sign(request))
    if not hmac.compare_digest(expected, given):
        raise Refused(403, "the signature does not match")


def _check_date(value: bytes, now: float, window: float) -> None:
    away = _seconds(value) - now
    if abs(away) > window:
        raise Refused(
            403,
            f"the signature is not valid at this time: the header Date is {int(abs(away))} s "
            f"{'ahead of' if away > 0 else 'behind'} the clock here, {int(window)} s are accepted",
        )


def _seconds(value: bytes) -> int:
    """Return a Date header as seconds since the epoch; refuse what is not RFC 1123 with GMT."""
    parts = _DATE.match(value)
    wrong = Refused(400, "the header Date is not like `Sat, 21 Nov 2026 20:49:58 GMT`")
    if parts is None:
        raise wrong
    day_name, day, month, year, hour, minute, second = (x.decode("ascii") for x in parts.groups())
    month_number = _MONTHS.index(month) + 1
    clock = (int(hour), int(minute), int(second))
    try:
        moment = datetime(int(year), month_number, int(day), *clock, tzinfo=timezone.utc)
    except ValueError:
        raise wrong from None
    if _DAYS[moment.weekday()] != day_name:
        raise Refused(400, "the header Date has the wrong day of the week")
    return calendar.timegm(moment.timetuple())


def _check_token(request: RawRequest, credential: Credential) -> None:
    names = ("x-cms-caller-type", "x-cms-security-token")
    if credential.token is None:
        for name in names:
            if request.values(name):
                raise Refused(403, f"the header {name} is for temporary access keys only")
        return
    if _one(request, names[0], 403) != b"token":
        raise Refused(403, "the header x-cms-caller-type is not `token`")
    given = _one(request, names[1], 403)
    if not hmac.compare_digest(given, credential.token.encode("utf-8")):
        raise Refused(403, "the header x-cms-security-token is not the token of this access key")
