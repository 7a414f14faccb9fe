# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means: delivered, try again, or refused, and what to do about it."""

from __future__ import annotations

import codecs
import json
from dataclasses import FrozenInstanceError
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import Outcome
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import (
    Answer,
    Delivered,
    Refused,
    Response,
    Retry,
    SendResult,
    classify,
)

SENT_AT = 1508741079.0
HTML = b"<html>"
DENIED = "cannot upload event, please use ram to auth"


def said(code: Any, msg: str = "", **more: Any) -> bytes:
    return json.dumps({"code": code, "msg": msg, **more}).encode()


def answered(status: int, body: bytes = b"", complete: bool = True, **headers: str) -> SendResult:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(Response(status, named, body, complete), SENT_AT)


@pytest.mark.parametrize(
    "body",
    [
        said("200"),
        said(200),
        said("200", "", requestId="r"),
        b' {"msg": "", "code": "200"}\n',
    ],
)
def test_http_200_with_code_200_is_delivered(body: bytes) -> None:
    assert isinstance(answered(200, body), Delivered)


def test_the_request_id_is_kept() -> None:
    for name in ("requestId", "RequestId"):
        verdict = answered(200, said("200", **{name: "7B1C"}))
        assert verdict.answer == Answer(200, "200", "", "7B1C")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, said("500", "oops"), "server_error"),
        (502, b"<html>", "server_error"),
        (503, b"", "server_error"),
        (504, said("504"), "server_error"),
        (599, b"", "server_error"),
        (408, b"", "server_error"),
        (429, b"", "throttled"),
        (429, said("400", "slow down"), "throttled"),
        (200, said("500", "internal"), "server_error"),
        (200, said("503"), "server_error"),
        (200, said("429"), "throttled"),
        (400, said("500"), "server_error"),
        (403, said("403", "Rate limit exceeded"), "throttled"),
        (200, said("403", "request was throttled"), "throttled"),
        (403, said("403", "Throttling.User"), "throttled"),
        (503, said("403", "from a proxy that read the body"), "server_error"),
    ],
)
def test_trouble_that_may_pass_is_tried_again(status: int, body: bytes, kind: str) -> None:
    verdict = answered(status, body)

    assert isinstance(verdict, Retry)
    assert verdict.kind == kind
    assert verdict.answer.http_status == status


@pytest.mark.parametrize(
    ("status", "body", "kind", "advice"),
    [
        (400, said("400", "syntax error"), "bad_request", "name, content and time"),
        (200, said("400", "syntax error"), "bad_request", "name, content and time"),
        (403, said("403", "Signature does not match"), "signature", "access_key_secret belongs to"),
        (200, said("403", "bad sign"), "signature", "access_key_secret belongs to"),
        (401, said("401", ""), "signature", "must not have expired"),
        (403, said("403", DENIED), "permission", "cms:PutCustomEvent"),
        (200, said("403", DENIED), "permission", "AliyunCloudMonitorFullAccess"),
        (403, said("403", "No Permission"), "permission", "cms:PutCustomEvent"),
        (404, said("404", "not found"), "refused", "endpoint, region and network"),
        (200, said("206", "for metrics only"), "refused", "endpoint"),
        (201, said("200"), "refused", "endpoint"),
        (403, said("200"), "signature", "access_key_secret"),
    ],
)
def test_a_refusal_of_the_service_is_final_and_says_what_to_do(
    status: int, body: bytes, kind: str, advice: str
) -> None:
    verdict = answered(status, body)

    assert isinstance(verdict, Refused)
    assert verdict.kind == kind
    assert advice in verdict.advice
    assert verdict.outcome is Outcome.REFUSED


def test_a_word_that_holds_ram_is_no_permission_trouble() -> None:
    verdict = answered(403, said("403", "wrong parameter: program"))

    assert isinstance(verdict, Refused)
    assert verdict.kind == "signature"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>Please log in</html>"),
        (200, b"OK"),
        (200, b"[]"),
        (200, b"200"),
        (200, b'"200"'),
        (200, b"{}"),
        (200, b'{"code": null}'),
        (200, b'{"code": ["200"]}'),
        (200, said("")),
        (200, said("OK")),
        (200, said(True)),
        (200, said(0, "please log in")),
        (200, said(-1)),
        (200, said("199")),
        (200, said("600")),
        (200, said("2000")),
        (200, said("4_3")),
        (200, said("\u0664\u0660\u0660")),
        (403, said(40001, "quota of the gateway")),
        (200, b'{"code": "200"'),
        (200, b"\xff\xfe\x00"),
        (200, b"[" * 100_000),
        (201, b""),
        (204, b""),
        (403, b"<html>Forbidden</html>"),
        (404, b"<html>Not found</html>"),
        (401, b""),
    ],
)
def test_an_answer_of_something_else_is_no_success_and_keeps_the_events(
    status: int, body: bytes
) -> None:
    verdict = answered(status, body, content_type="text/html")

    assert isinstance(verdict, Refused)
    assert verdict.kind == "not_the_service"
    assert verdict.outcome is Outcome.OUTAGE
    assert f"HTTP {status}, text/html" in verdict.problem
    assert "login page or a proxy" in verdict.advice


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("body", [b"", said("200"), b"<html>Moved</html>"])
def test_a_redirect_is_refused_whatever_it_says(status: int, body: bytes) -> None:
    verdict = answered(status, body, location="https://elsewhere.example/")

    assert isinstance(verdict, Refused)
    assert (verdict.kind, verdict.outcome) == ("redirect", Outcome.OUTAGE)
    assert "elsewhere" not in verdict.problem


@pytest.mark.parametrize("body", [b"<html>", said("407", "proxy authentication required")])
def test_a_proxy_that_wants_a_password_is_called_that(body: bytes) -> None:
    verdict = answered(407, body)

    assert isinstance(verdict, Refused)
    assert (verdict.kind, verdict.outcome) == ("proxy", Outcome.OUTAGE)


@pytest.mark.parametrize("body", [said("200"), b'{"code":"2', b""])
@pytest.mark.parametrize("status", [200, 302, 400, 500])
def test_an_answer_that_was_cut_off_proves_nothing(status: int, body: bytes) -> None:
    verdict = answered(status, body, complete=False)

    assert isinstance(verdict, Retry)
    assert verdict.kind == "connection"
    assert "The events may have arrived." in verdict.advice


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("3", "", 3.0),
        (" 120 ", "", 120.0),
        ("0", "", 0.0),
        ("9" * 400, "", 1e9),
        ("", "", None),
        ("soon", "", None),
        ("-3", "", None),
        ("1.5", "", None),
        ("²", "", None),
        (formatdate(SENT_AT + 7, usegmt=True), formatdate(SENT_AT, usegmt=True), 7.0),
        (formatdate(SENT_AT - 7, usegmt=True), formatdate(SENT_AT, usegmt=True), 0.0),
        (formatdate(SENT_AT + 7, usegmt=True), "", None),
        (formatdate(SENT_AT + 7, usegmt=True), "yesterday", None),
    ],
)
@pytest.mark.parametrize(("status", "body"), [(503, b""), (429, b""), (503, said("503"))])
def test_retry_after_is_read_in_both_of_its_forms(
    status: int, body: bytes, value: str, date: str, seconds: float | None
) -> None:
    verdict = answered(status, body, retry_after=value, date=date)

    assert isinstance(verdict, Retry)
    assert verdict.after == seconds


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (SENT_AT - 600, "clock is 10 minutes ahead of the service's"),
        (SENT_AT + 7200, "clock is 120 minutes behind the service's"),
        (SENT_AT - 120, "clock is 2 minutes ahead of"),
    ],
)
def test_a_refused_signature_with_a_wrong_clock_blames_the_clock(theirs: float, words: str) -> None:
    verdict = answered(403, said("403", "bad sign"), date=formatdate(theirs, usegmt=True))

    assert isinstance(verdict, Refused)
    assert (verdict.kind, verdict.outcome) == ("clock", Outcome.REFUSED_FOR_NOW)
    assert words in verdict.problem
    assert "NTP" in verdict.advice


@pytest.mark.parametrize("date", [formatdate(SENT_AT + 119, usegmt=True), "", "garbage", "\x00"])
def test_a_refused_signature_with_a_right_or_unknown_clock_blames_the_key(date: str) -> None:
    verdict = answered(403, said("403", "bad sign"), date=date)

    assert isinstance(verdict, Refused)
    assert verdict.kind == "signature"


def test_a_secret_is_taken_out_before_the_answer_is_cut() -> None:
    token = "T" * 800
    body = said(token, "signed: " + token, requestId=token)

    for status, headers in ((403, {}), (200, {}), (500, {}), (404, {"content-type": token})):
        for content in (body, b"<html>"):
            verdict = classify(
                Response(status, headers, content), SENT_AT, lambda text: text.replace(token, "*")
            )
            assert "TTTT" not in repr(verdict)


def test_what_the_service_says_is_cut_to_a_bearable_length() -> None:
    verdict = answered(500, said("5" * 1000, "m" * 100_000, requestId="r" * 1000))

    assert len(repr(verdict)) < 2500


HEADERS = st.dictionaries(
    st.sampled_from(["date", "retry-after", "content-type", "location", "x"]),
    st.text() | st.sampled_from(["5", formatdate(SENT_AT - 1e6, usegmt=True), "1 2 3 4 5 6"]),
)
CODES: st.SearchStrategy[Any] = st.sampled_from(
    ["200", "400", "403", "429", "500", "", "x", 200, 403, 10**30, -1, None, []]
)
BODIES = st.binary() | st.builds(
    lambda code, msg, more: json.dumps({"code": code, "msg": msg, **more}).encode(),
    CODES,
    st.sampled_from(["", "rate limit", DENIED, "bad sign", None, 5, {"a": 1}]) | st.text(),
    st.dictionaries(st.sampled_from(["requestId", "message", "data"]), st.text() | st.integers()),
)


@given(status=st.integers(100, 599), headers=HEADERS, body=BODIES, complete=st.booleans())
def test_any_answer_gets_exactly_one_verdict(
    status: int, headers: dict[str, str], body: bytes, complete: bool
) -> None:
    verdict = classify(Response(status, headers, body, complete), SENT_AT)

    assert isinstance(verdict, (Delivered, Retry, Refused))
    if isinstance(verdict, Delivered):
        assert complete
        assert status == 200
        assert str(json.loads(body)["code"]).strip() == "200"
    else:
        assert verdict.kind
        assert verdict.problem
        assert verdict.advice
    if isinstance(verdict, Retry) and verdict.after is not None:
        assert 0 <= verdict.after <= 1e9 or "date" in headers


@given(status=st.integers(100, 599), body=BODIES)
def test_no_other_status_is_ever_a_success(status: int, body: bytes) -> None:
    if status != 200:
        assert not isinstance(answered(status, body), Delivered)


def kind_name(verdict: SendResult) -> str:
    return "delivered" if isinstance(verdict, Delivered) else verdict.kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("199", "not_the_service"),
        ("200", "delivered"),
        ("201", "refused"),
        ("399", "refused"),
        ("400", "bad_request"),
        ("401", "signature"),
        ("402", "refused"),
        ("403", "signature"),
        ("404", "refused"),
        ("407", "refused"),
        ("408", "server_error"),
        ("409", "refused"),
        ("428", "refused"),
        ("429", "throttled"),
        ("430", "refused"),
        ("499", "refused"),
        ("500", "server_error"),
        ("599", "server_error"),
        ("600", "not_the_service"),
    ],
)
def test_inside_http_200_the_code_decides(code: str, kind: str) -> None:
    assert kind_name(answered(200, said(code))) == kind


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (600, "500", "refused"),
        (403, "399", "signature"),
        (403, "400", "bad_request"),
        (403, "404", "refused"),
        (404, "403", "signature"),
        (428, "400", "bad_request"),
        (429, "400", "throttled"),
        (430, "400", "bad_request"),
        (499, "400", "bad_request"),
        (500, "400", "server_error"),
        (501, "400", "server_error"),
        (599, "400", "server_error"),
    ],
)
def test_a_code_of_an_error_is_finer_than_the_status_unless_that_says_later(
    status: int, code: str, kind: str
) -> None:
    assert kind_name(answered(status, said(code))) == kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (199, "not_the_service"),
        (299, "not_the_service"),
        (300, "redirect"),
        (399, "redirect"),
        (400, "not_the_service"),
        (406, "not_the_service"),
        (407, "proxy"),
        (408, "server_error"),
        (409, "not_the_service"),
        (428, "not_the_service"),
        (429, "throttled"),
        (430, "not_the_service"),
        (499, "not_the_service"),
        (500, "server_error"),
        (501, "server_error"),
        (599, "server_error"),
    ],
)
def test_without_words_of_the_service_the_status_decides(status: int, kind: str) -> None:
    assert kind_name(answered(status, HTML)) == kind


@pytest.mark.parametrize("status", [199, 201, 299])
def test_only_http_200_is_a_success(status: int) -> None:
    assert kind_name(answered(status, said("200"))) == "refused"


@pytest.mark.parametrize(
    ("code", "msg"),
    [
        ("400", "syntax"),
        ("403", "bad sign"),
        ("403", "no permission"),
        ("404", "what?"),
        ("429", "slow down"),
        ("500", "oops"),
    ],
)
def test_a_problem_repeats_what_the_service_said_once_and_in_brackets(code: str, msg: str) -> None:
    verdict = answered(200, said(code, msg))

    assert not isinstance(verdict, Delivered)
    assert verdict.problem.endswith(f"(HTTP 200, code {code}, message {msg!r})")
    assert "%" not in verdict.problem


def test_a_wrong_clock_is_told_after_what_the_service_said() -> None:
    verdict = answered(403, said("403", "bad"), date="Mon, 23 Oct 2017 06:00:00 GMT")

    assert isinstance(verdict, Refused)
    assert verdict.problem == (
        "the signature was refused (HTTP 403, code 403, message 'bad'), and this machine's clock "
        "is 45 minutes ahead of the service's"
    )


def test_what_is_repeated_is_cut_at_a_fixed_length() -> None:
    verdict = answered(500, said("500", "m" * 1000, requestId="r" * 1000))

    assert verdict.answer == Answer(500, "500", "m" * 500, "r" * 100)


def test_the_type_of_a_foreign_answer_is_cut_at_a_fixed_length() -> None:
    verdict = answered(404, HTML, content_type="t" * 1000)

    assert isinstance(verdict, Refused)
    assert verdict.problem.endswith(f"(HTTP 404, {'t' * 100})")


def test_an_answer_is_whole_unless_it_is_said_to_be_cut_off() -> None:
    assert Response(200, {}, b"").complete is True


@pytest.mark.parametrize(
    "value",
    [
        Response(200, {}, b""),
        Answer(200),
        Delivered(Answer(200)),
        Retry("timeout", "p", "a"),
        Refused("proxy", "p", "a"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_said_cannot_be_changed(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, next(iter(vars(value))), None)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-16-le"),
    ],
)
def test_an_answer_with_a_byte_order_mark_is_the_service_s(mark: bytes, encoding: str) -> None:
    assert isinstance(answered(200, mark + '{"code":"200","msg":""}'.encode(encoding)), Delivered)

    refused = answered(400, mark + '{"code":"400","msg":"错误"}'.encode(encoding))
    assert isinstance(refused, Refused)
    assert (refused.kind, refused.answer.message) == ("bad_request", "错误")


@pytest.mark.parametrize(
    "body",
    [
        codecs.BOM_UTF8,
        codecs.BOM_UTF8 * 2 + said("200"),
        codecs.BOM_UTF16_LE + said("200"),
        said("200")[:-1] + b"\xff}",
        b"\0",
    ],
)
def test_a_byte_order_mark_alone_does_not_make_an_answer(body: bytes) -> None:
    refused = answered(200, body)

    assert isinstance(refused, Refused)
    assert refused.kind == "not_the_service"


def test_the_text_of_an_answer_can_be_printed() -> None:
    refused = answered(400, b'{"code":"400","msg":"\\ud800","requestId":"\\udfff"}')

    assert (refused.answer.message, refused.answer.request_id) == ("?", "?")
