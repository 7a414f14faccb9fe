# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means: delivered, try again, or refused and what to do about it. Pure.

Sources: the answer codes of the Cloud Monitor documentation ("Report custom events"), and
Alibaba Cloud's own clients: a refusal may come inside an HTTP 200, and throttling is a 403
with "rate limit" in its msg.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Mapping, Union

from .errors import Outcome

# From here on a difference of clocks is worth telling; the service's tolerance is not documented.
SKEW_SECONDS = 120
# A Retry-After of more digits than this means the same: not today.
_LONGEST_WAIT = 1e9
_CODE = re.compile(r"[2-5][0-9]{2}")


@dataclass(frozen=True)
class Response:
    """An HTTP answer. Header names are lower-case; ``complete`` is False for a cut-off body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True


@dataclass(frozen=True)
class Answer:
    """What the service said, as far as it said it: for error texts and results."""

    http_status: int | None = None
    code: str | None = None
    message: str = ""
    request_id: str | None = None


@dataclass(frozen=True)
class Delivered:
    """The service has the events."""

    answer: Answer


@dataclass(frozen=True)
class Retry:
    """The same request may succeed in a moment.

    ``outcome``: ``OUTAGE`` or ``THROTTLED``. ``after``: the seconds that the service asked to wait.
    """

    kind: str
    problem: str
    advice: str
    answer: Answer = Answer()
    after: float | None = None
    outcome: Outcome = Outcome.OUTAGE


@dataclass(frozen=True)
class Refused:
    """Another attempt right away cannot succeed.

    ``outcome`` is ``OUTAGE`` if something other than the service answered, and
    ``REFUSED_FOR_NOW`` if the cause of the service's refusal can pass.
    """

    kind: str
    problem: str
    advice: str
    answer: Answer = Answer()
    outcome: Outcome = Outcome.REFUSED


SendResult = Union[Delivered, Retry, Refused]


def classify(
    response: Response,
    sent_at: float,
    redact: Callable[[str], str] = str,
    temporary: bool = False,
) -> SendResult:
    """Return Delivered, Retry or Refused for an answer.

    ``sent_at``: the epoch seconds of the request's Date header, to recognize a wrong clock.
    ``redact`` masks the secrets in the text of the answer. The text is masked before it is cut,
    because half of a security token would not be recognized. ``temporary``: whether the
    credentials are temporary, so that a later attempt has other ones.
    """
    status = response.status
    if not response.complete:
        return Retry(
            "connection",
            f"the answer was cut off (HTTP {status})",
            "check the network; whether the events arrived is unknown",
            Answer(status),
        )
    if 300 <= status <= 399:
        return _redirect(status)
    said = _service_answer(response, redact)
    if status == 200 and said is not None and said.code == "200":
        return Delivered(said)
    if said is not None:
        return _said_by_service(said, response, sent_at, temporary)
    return _said_by_something_else(response, redact)


def _service_answer(response: Response, redact: Callable[[str], str]) -> Answer | None:
    """Return the service's own words, or None when this is not the form of its answers."""
    try:
        body = json.loads(response.body.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    # Other interfaces have a "code", too: a login page's, a proxy's. The service's are those of
    # HTTP (Cloud Monitor documentation), and none of its answers is about a proxy.
    code = str(body.get("code")).strip() if isinstance(body, dict) else ""
    if not _CODE.fullmatch(code) or response.status == 407:
        return None
    return Answer(
        http_status=response.status,
        code=code,
        message=redact(str(body.get("msg") or body.get("message") or ""))[:500],
        request_id=_request_id(body, redact),
    )


def _request_id(body: dict[str, Any], redact: Callable[[str], str]) -> str | None:
    value = body.get("requestId") or body.get("RequestId")
    return redact(str(value))[:100] if value else None


def _said_by_service(
    said: Answer, response: Response, sent_at: float, temporary: bool
) -> SendResult:
    # The body's code is the finer one; a 5xx or 429 of a proxy on the way still says "later".
    status = response.status
    code = int(str(said.code))
    number = code if code >= 400 and status < 500 and status != 429 else status
    words = f"HTTP {status}, code {said.code}, message {said.message!r}"
    lower = said.message.lower()
    if number == 429 or "rate limit" in lower or "throttl" in lower:
        return Retry(
            "throttled",
            f"too many requests ({words})",
            "an account may send 20 requests a second, over all hosts and runs; send several "
            "events in one task with events",
            said,
            _retry_after(response),
            Outcome.THROTTLED,
        )
    if 500 <= number <= 599 or number == 408:
        return Retry(
            "server_error",
            f"an error of the service ({words})",
            "try again later",
            said,
            _retry_after(response),
        )
    if number in (401, 403):
        return _forbidden(said, words, response, sent_at, temporary)
    if number == 400:
        return Refused(
            "bad_request",
            f"the request was refused as wrong ({words})",
            "look at the name, content and time of the events; if they are right, please report "
            "this as a bug",
            said,
        )
    return Refused(
        "refused",
        f"the request was refused ({words})",
        "check endpoint, region and network",
        said,
    )


def _forbidden(
    said: Answer, words: str, response: Response, sent_at: float, temporary: bool
) -> Refused:
    if "ram" in said.message.lower().replace(",", " ").split() or "permission" in words.lower():
        return Refused(
            "permission",
            f"the AccessKey may not report events ({words})",
            "give its RAM user or role the policy AliyunCloudMonitorFullAccess, or a policy that "
            "allows cms:PutCustomEvent",
            said,
        )
    skew = clock_skew(response, sent_at)
    if skew is not None and abs(skew) >= SKEW_SECONDS:
        return Refused(
            "clock",
            f"the signature was refused ({words}), and this machine's clock is "
            f"{round(abs(skew) / 60)} minutes {'ahead of' if skew > 0 else 'behind'} the "
            "service's",
            "set the clock, for example with an NTP service",
            said,
            Outcome.REFUSED_FOR_NOW,
        )
    return Refused(
        "signature",
        f"the signature was refused ({words})",
        "check that access_key_secret belongs to access_key_id, that the AccessKey is active, "
        "and that a temporary one comes with its security_token and has not expired",
        said,
        Outcome.REFUSED_FOR_NOW if temporary else Outcome.REFUSED,
    )


def _redirect(status: int) -> Refused:
    return Refused(
        "redirect",
        f"the answer is a redirect (HTTP {status}), which is not followed: it would hand the "
        "signed request to another host",
        "check endpoint for http instead of https, and the network for a login page or a proxy",
        Answer(http_status=status),
        outcome=Outcome.OUTAGE,
    )


def _said_by_something_else(response: Response, redact: Callable[[str], str]) -> SendResult:
    status = response.status
    answer = Answer(http_status=status)
    if status == 429:
        return Retry(
            "throttled",
            "too many requests (HTTP 429)",
            "an account may send 20 requests a second, over all hosts and runs",
            answer,
            _retry_after(response),
            Outcome.THROTTLED,
        )
    if status >= 500 or status == 408:
        return Retry(
            "server_error",
            f"an error of the service or of a proxy on the way (HTTP {status})",
            "try again later",
            answer,
            _retry_after(response),
        )
    if status == 407:
        return Refused(
            "proxy",
            "the proxy wants a password (HTTP 407)",
            "put it into the http_proxy or https_proxy variable",
            answer,
            outcome=Outcome.OUTAGE,
        )
    return Refused(
        "not_the_service",
        f"something that is not Cloud Monitor answered (HTTP {status}, "
        f"{redact(response.headers.get('content-type') or 'no content type')[:100]})",
        "check endpoint, and the network for a login page or a proxy that answers by itself",
        answer,
        outcome=Outcome.OUTAGE,
    )


def _retry_after(response: Response) -> float | None:
    """Return the seconds of a Retry-After header, in either of its forms (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_WAIT)
    wanted, now = _http_epoch(value), _http_epoch(response.headers.get("date", ""))
    if wanted is None or now is None:
        return None
    return max(0.0, wanted - now)


def clock_skew(response: Response, sent_at: float) -> float | None:
    """Return how many seconds our clock is ahead of the answer's Date header."""
    theirs = _http_epoch(response.headers.get("date", ""))
    return None if theirs is None else sent_at - theirs


def _http_epoch(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
