# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Classify an answer of the OpenAPI: success, worth another attempt, or refused. Pure.

Sources: "Public error codes" of the Alibaba Cloud API documentation and the retries of Alibaba
Cloud's Terraform provider. A failure may come inside an HTTP 200, and ``Code`` is a text or a
number.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Mapping, Union

from .errors import Outcome
from .frozen import frozen
from .response import (
    SKEW_SECONDS,
    Answer,
    Refused,
    Response,
    Retry,
    clock_skew,
    cut_off_answer,
    foreign_answer,
    redirect_refusal,
    retry_after,
)

_THROTTLING = ("Throttling", "Rejected.Throttling", "ExceedingQuota", "SystemBusy")
_PASSING = ("ServiceUnavailable", "InternalError", "ServerBusy", "SignatureNonceUsed")
_SIGNATURE = ("SignatureDoesNotMatch", "IncompleteSignature", "InvalidAccessKey", "InvalidSecurity")
_TIMESTAMP = ("InvalidTimeStamp", "Timestamp")
_PERMISSION = ("Forbidden", "NoPermission", "NotAuthorized", "Unauthorized", "401", "403")


@frozen
class Success:
    """The call has succeeded. ``body``: the members of the answer."""

    body: Mapping[str, Any]
    answer: Answer


CallResult = Union[Success, Retry, Refused]


def classify_call(
    response: Response,
    action: str,
    sent_at: float,
    redact: Callable[[str], str] = str,
    temporary: bool = False,
) -> CallResult:
    """Return what the answer to a call of ``action`` means.

    ``sent_at``: the epoch seconds of the request. ``redact`` masks secrets in the text of the
    answer. ``temporary``: whether a later attempt has other credentials.
    """
    status = response.status
    if not response.complete:
        return cut_off_answer(status, "Check the network.")
    if 300 <= status <= 399:
        return redirect_refusal(status)
    body = _service_body(response)
    if body is None:
        return foreign_answer(response, redact)
    answer = Answer(
        http_status=status,
        code=redact(_text(body.get("Code")))[:100],
        message=redact(_text(body.get("Message") or ""))[:500],
        request_id=redact(_text(body["RequestId"]))[:100],
    )
    if status == 200 and answer.code == "200" and not _is_false(body.get("Success")):
        return Success(body, answer)
    return _classify_failure(answer, response, action, sent_at, temporary)


def _service_body(response: Response) -> dict[str, Any] | None:
    """Return the body of an answer of the service, None if something else has answered."""
    try:
        body = json.loads(response.body.decode(json.detect_encoding(response.body)))
    except (ValueError, RecursionError):
        return None
    # Login pages and proxies also have answers in JSON, but no RequestId.
    known = isinstance(body, dict) and body.get("RequestId") and body.get("Code") is not None
    return body if known and response.status != 407 else None


def _text(value: Any) -> str:
    """Return a value of an answer as text that can be printed: without half surrogate pairs."""
    return str(value).strip().encode("utf-8", "replace").decode("utf-8")


def _is_false(success: Any) -> bool:
    """Return whether ``Success``, a boolean or a text, reports a failure. It may be missing."""
    return success is not None and str(success).strip().lower() == "false"


def _classify_failure(
    answer: Answer, response: Response, action: str, sent_at: float, temporary: bool
) -> Retry | Refused:
    code = answer.code or ""
    words = f"HTTP {answer.http_status}, code {code}, message {answer.message!r}"
    lower = answer.message.lower()
    number = int(code) if code.isascii() and code.isdigit() and len(code) == 3 else response.status
    if (
        code.startswith(_THROTTLING)
        or 429 in (number, response.status)
        or "flow control" in lower
        or "throttl" in lower
    ):
        return Retry(
            "throttled",
            f"too many requests ({words})",
            "Try again later, or make fewer calls with this account.",
            answer,
            retry_after(response),
            Outcome.THROTTLED,
        )
    if code.startswith(_PASSING) or number >= 500 or response.status >= 500:
        return Retry(
            "server_error",
            f"an error of the service ({words})",
            "Try again later.",
            answer,
            retry_after(response),
        )
    if code.startswith(_TIMESTAMP):
        return _wrong_time(answer, words, response, sent_at)
    if code.startswith(_SIGNATURE):
        return Refused(
            "signature",
            f"the signature or the AccessKey was refused ({words})",
            "Check that access_key_secret belongs to access_key_id and that the AccessKey is "
            "active. Temporary credentials also need their security_token and must not have "
            "expired.",
            answer,
            Outcome.REFUSED_FOR_NOW if temporary else Outcome.REFUSED,
        )
    if code.startswith(_PERMISSION):
        return Refused(
            "permission",
            f"the AccessKey may not call {action} ({words})",
            f"Attach a policy that allows cms:{action} to its RAM user or role.",
            answer,
        )
    return Refused(
        "bad_request" if number == 400 else "refused",
        f"the call was refused ({words})",
        "Check the options of the task. Compare the message with the documentation of the API "
        f"{action}.",
        answer,
    )


def _wrong_time(answer: Answer, words: str, response: Response, sent_at: float) -> Refused:
    skew = clock_skew(response, sent_at)
    clock = ""
    if skew is not None and abs(skew) >= SKEW_SECONDS:
        side = "ahead of" if skew > 0 else "behind"
        clock = (
            f", and this machine's clock is {round(abs(skew) / 60)} minutes {side} the service's"
        )
    return Refused(
        "clock",
        f"the time of the request was refused ({words}){clock}",
        "Set the clock, for example with an NTP service.",
        answer,
        Outcome.REFUSED_FOR_NOW,
    )
