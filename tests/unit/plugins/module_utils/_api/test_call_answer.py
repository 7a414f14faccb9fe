# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of the OpenAPI means."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.call_answer import (
    Success,
    classify_call,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import Outcome
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import (
    Refused,
    Response,
    Retry,
)

SENT_AT = 1698315752.0


def answer(status: int = 200, headers: dict[str, str] | None = None, **members: Any) -> Response:
    body = json.dumps({"RequestId": "R-1", **members}).encode()
    return Response(status, headers or {}, body)


def classify(response: Response, temporary: bool = False) -> Any:
    return classify_call(response, "PutCustomEventRule", SENT_AT, temporary=temporary)


@pytest.mark.parametrize("code", ["200", 200])
@pytest.mark.parametrize("success", [{}, {"Success": True}, {"Success": "true"}])
def test_a_code_of_200_is_a_success_as_text_or_number(code: Any, success: dict[str, Any]) -> None:
    result = classify(answer(Code=code, Total=3, **success))

    assert isinstance(result, Success)
    assert (result.body["Total"], result.answer.request_id) == (3, "R-1")


@pytest.mark.parametrize(
    ("response", "kind", "outcome"),
    [
        # A failure inside an HTTP 200.
        (answer(Code="200", Success=False), "refused", Outcome.REFUSED),
        (answer(Code=200, Success="false"), "refused", Outcome.REFUSED),
        (answer(Code="403", Success=False), "permission", Outcome.REFUSED),
        (answer(Code=403, Message="user flow control"), "throttled", Outcome.THROTTLED),
        (answer(Code="Throttling.User"), "throttled", Outcome.THROTTLED),
        (answer(Code="500", Success=False), "server_error", Outcome.OUTAGE),
        # A failure with its HTTP status.
        (answer(400, Code="Throttling.User"), "throttled", Outcome.THROTTLED),
        (answer(503, Code="Rejected.Throttling"), "throttled", Outcome.THROTTLED),
        (answer(400, Code="ExceedingQuota"), "throttled", Outcome.THROTTLED),
        (answer(429, Code="Other"), "throttled", Outcome.THROTTLED),
        (answer(503, Code="ServiceUnavailable"), "server_error", Outcome.OUTAGE),
        (answer(400, Code="SignatureNonceUsed"), "server_error", Outcome.OUTAGE),
        (answer(400, Code="SignatureDoesNotMatch"), "signature", Outcome.REFUSED),
        (answer(404, Code="InvalidAccessKeyId.NotFound"), "signature", Outcome.REFUSED),
        (answer(400, Code="InvalidTimeStamp.Expired"), "clock", Outcome.REFUSED_FOR_NOW),
        (answer(403, Code="NoPermission"), "permission", Outcome.REFUSED),
        (answer(403, Code="Forbidden.RAM"), "permission", Outcome.REFUSED),
        (answer(400, Code="MissingRuleName"), "bad_request", Outcome.REFUSED),
        (answer(404, Code="ResourceNotFound"), "refused", Outcome.REFUSED),
        # Something else has answered, or nothing complete.
        (answer(302, Code="200"), "redirect", Outcome.OUTAGE),
        (answer(407, Code="200"), "proxy", Outcome.OUTAGE),
        (Response(200, {}, b'{"Code":"200"}'), "not_the_service", Outcome.OUTAGE),
        (Response(200, {}, b"<html>"), "not_the_service", Outcome.OUTAGE),
        (Response(502, {}, b""), "server_error", Outcome.OUTAGE),
        (Response(200, {}, b'{"Cod', complete=False), "connection", Outcome.OUTAGE),
    ],
)
def test_a_failure_is_recognized_wherever_it_is(
    response: Response, kind: str, outcome: Outcome
) -> None:
    result = classify(response)

    assert (result.kind, result.outcome) == (kind, outcome)
    passing = kind in ("throttled", "server_error", "connection")
    assert isinstance(result, Retry if passing else Refused)


def test_advice_names_the_permission_and_the_error_of_the_clock() -> None:
    assert "cms:PutCustomEventRule" in classify(answer(403, Code="NoPermission")).advice
    late = {"date": "Thu, 26 Oct 2023 10:42:32 GMT"}
    assert "20 minutes behind" in classify(answer(400, late, Code="InvalidTimeStamp")).problem
    retry = classify(answer(429, {"retry-after": "7"}, Code="Throttling"))
    assert retry.after == 7


def test_a_signature_of_temporary_credentials_can_be_accepted_later() -> None:
    refused = classify(answer(400, Code="InvalidSecurityToken.Expired"), temporary=True)

    assert refused.outcome is Outcome.REFUSED_FOR_NOW
