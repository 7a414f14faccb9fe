# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Classify a response: delivered, worth another attempt, or refused and what to do then. Pure.

Sources: the answer codes of the Cloud Monitor documentation ("Report custom events"), and
Alibaba Cloud's own clients: a refusal may come inside an HTTP 200, and throttling is a 403
with "rate limit" in its msg.
"""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Mapping, TypedDict, Union

from .errors import Outcome
from .frozen import frozen

# A smaller difference of the clocks is not reported. The service's tolerance is not documented.
SKEW_SECONDS = 120
# A longer Retry-After means the same: not today.
_LONGEST_WAIT = 1e9
_CODE = re.compile(r"[2-5][0-9]{2}")


@frozen
class Response:
    """An HTTP answer. Header names are lower-case; ``complete`` is False for a cut-off body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True


@frozen
class Answer:
    """The service's answer, as far as there was one, for error texts and results."""

    http_status: int | None = None
    code: str | None = None
    message: str = ""
    request_id: str | None = None


@frozen
class Delivered:
    """The service has the events."""

    answer: Answer


@frozen
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


@frozen
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


class ErrorFields(TypedDict):
    """The fields of a ServiceError that come from an answer."""

    advice: str
    http_status: int | None
    code: str | None
    message: str
    request_id: str | None
    after: float | None


def error_fields(
    result: Retry | Refused, redact: Callable[[str], str], advice: str | None = None
) -> ErrorFields:
    """Return what the error of a failed request gets from its result.

    ``advice`` replaces that of the result. ``redact`` masks secrets.
    """
    text, answer = advice or result.advice, result.answer
    after = result.after if isinstance(result, Retry) else None
    if after is not None:
        text = f"The service asked to wait {round(after)} s. {text}"
    return {
        "advice": redact(text),
        "http_status": answer.http_status,
        "code": answer.code,
        "message": redact(answer.message or result.problem),
        "request_id": answer.request_id,
        "after": after,
    }


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
        return cut_off_answer(status, "Check the network. The events may have arrived.")
    if 300 <= status <= 399:
        return redirect_refusal(status)
    answer = _service_answer(response, redact)
    if status == 200 and answer is not None and answer.code == "200":
        return Delivered(answer)
    if answer is not None:
        return _classify_service_answer(answer, response, sent_at, temporary)
    return foreign_answer(response, redact)


def _service_answer(response: Response, redact: Callable[[str], str]) -> Answer | None:
    """Return the answer of the service, or None if the response does not have its form."""
    try:
        # In UTF-8, or another encoding of Unicode, with or without a byte order mark.
        body = json.loads(response.body.decode(json.detect_encoding(response.body)))
    except (ValueError, RecursionError):
        return None
    # Answers of login pages and proxies also have a "code". The service's codes are those of HTTP
    # (Cloud Monitor documentation), and it never sends the status of a proxy.
    code = str(body.get("code")).strip() if isinstance(body, dict) else ""
    if not _CODE.fullmatch(code) or response.status == 407:
        return None
    return Answer(
        http_status=response.status,
        code=code,
        message=redact(_text(body.get("msg") or body.get("message") or ""))[:500],
        request_id=_request_id(body, redact),
    )


def _request_id(body: dict[str, Any], redact: Callable[[str], str]) -> str | None:
    value = body.get("requestId") or body.get("RequestId")
    return redact(_text(value))[:100] if value else None


def _text(value: Any) -> str:
    """Return a value of an answer as text that can be printed: without half surrogate pairs."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _classify_service_answer(
    answer: Answer, response: Response, sent_at: float, temporary: bool
) -> SendResult:
    # The code in the body is more specific, but a 5xx or 429 of a proxy still means "later".
    status = response.status
    code = int(str(answer.code))
    number = code if code >= 400 and status < 500 and status != 429 else status
    words = f"HTTP {status}, code {answer.code}, message {answer.message!r}"
    lower = answer.message.lower()
    if number == 429 or "rate limit" in lower or "throttl" in lower:
        return Retry(
            "throttled",
            f"too many requests ({words})",
            "An account may send 20 requests a second in total. Send several events in one task "
            "with events.",
            answer,
            retry_after(response),
            Outcome.THROTTLED,
        )
    if 500 <= number <= 599 or number == 408:
        return Retry(
            "server_error",
            f"an error of the service ({words})",
            "Try again later.",
            answer,
            retry_after(response),
        )
    if number in (401, 403):
        return _forbidden(answer, words, response, sent_at, temporary)
    if number == 400:
        return Refused(
            "bad_request",
            f"the request was refused as wrong ({words})",
            "Check the name, content and time of the events. If they are correct, report a bug.",
            answer,
        )
    return Refused(
        "refused",
        f"the request was refused ({words})",
        "Check endpoint, region and network.",
        answer,
    )


def _forbidden(
    answer: Answer, words: str, response: Response, sent_at: float, temporary: bool
) -> Refused:
    if "ram" in answer.message.lower().replace(",", " ").split() or "permission" in words.lower():
        return Refused(
            "permission",
            f"the AccessKey may not report events ({words})",
            "Attach the policy AliyunCloudMonitorFullAccess, or a policy that allows "
            "cms:PutCustomEvent, to its RAM user or role.",
            answer,
        )
    skew = clock_skew(response, sent_at)
    if skew is not None and abs(skew) >= SKEW_SECONDS:
        return Refused(
            "clock",
            f"the signature was refused ({words}), and this machine's clock is "
            f"{round(abs(skew) / 60)} minutes {'ahead of' if skew > 0 else 'behind'} the "
            "service's",
            "Set the clock, for example with an NTP service.",
            answer,
            Outcome.REFUSED_FOR_NOW,
        )
    return Refused(
        "signature",
        f"the signature was refused ({words})",
        "Check that access_key_secret belongs to access_key_id and that the AccessKey is active. "
        "Temporary credentials also need their security_token and must not have expired.",
        answer,
        Outcome.REFUSED_FOR_NOW if temporary else Outcome.REFUSED,
    )


def cut_off_answer(status: int, advice: str) -> Retry:
    """Return the result of an answer that ended too early."""
    return Retry("connection", f"the answer was cut off (HTTP {status})", advice, Answer(status))


def redirect_refusal(status: int) -> Refused:
    """Return the meaning of a redirect: a signed request does not follow it."""
    return Refused(
        "redirect",
        f"the answer is a redirect (HTTP {status}), and a signed request is not sent to another "
        "host",
        "Check that endpoint does not have http instead of https, and the network for a login "
        "page or a proxy.",
        Answer(http_status=status),
        outcome=Outcome.OUTAGE,
    )


def foreign_answer(response: Response, redact: Callable[[str], str]) -> Retry | Refused:
    """Return the meaning of an answer that is not in the form of the service's answers."""
    status = response.status
    answer = Answer(http_status=status)
    if status == 429:
        return Retry(
            "throttled",
            "too many requests (HTTP 429)",
            "An account may send 20 requests a second in total.",
            answer,
            retry_after(response),
            Outcome.THROTTLED,
        )
    if status >= 500 or status == 408:
        return Retry(
            "server_error",
            f"an error of the service or of a proxy on the way (HTTP {status})",
            "Try again later.",
            answer,
            retry_after(response),
        )
    if status == 407:
        return Refused(
            "proxy",
            "the proxy requires a password (HTTP 407)",
            "Add it to the http_proxy or https_proxy variable.",
            answer,
            outcome=Outcome.OUTAGE,
        )
    return Refused(
        "not_the_service",
        f"something that is not Cloud Monitor answered (HTTP {status}, "
        f"{redact(response.headers.get('content-type') or 'no content type')[:100]})",
        "Check endpoint, and the network for a login page or a proxy that answers instead.",
        answer,
        outcome=Outcome.OUTAGE,
    )


def retry_after(response: Response) -> float | None:
    """Return the seconds of a Retry-After header, in either of its forms (RFC 9110, 10.2.3)."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_WAIT)
    wanted, now = _http_epoch(value), _http_epoch(response.headers.get("date", ""))
    if wanted is None or now is None:
        return None
    return max(0.0, wanted - now)


def clock_skew(response: Response, sent_at: float) -> float | None:
    """Return how many seconds this machine's clock is ahead of the response's Date header.

    None if the response has no usable date.
    """
    theirs = _http_epoch(response.headers.get("date", ""))
    return None if theirs is None else sent_at - theirs


def _http_epoch(value: str) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.timestamp() if moment.tzinfo is not None else None
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
