# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where one kind of answer ends and the next begins, and what exactly is repeated of it."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

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


def said(code: str, msg: str = "", **more: Any) -> bytes:
    return json.dumps({"code": code, "msg": msg, **more}).encode()


def answered(status: int, body: bytes, **headers: str) -> SendResult:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(Response(status, named, body), SENT_AT)


def kind_of(verdict: SendResult) -> str:
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
    assert kind_of(answered(200, said(code))) == kind


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
    assert kind_of(answered(status, said(code))) == kind


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
    assert kind_of(answered(status, HTML)) == kind


@pytest.mark.parametrize("status", [199, 201, 299])
def test_only_http_200_is_a_success(status: int) -> None:
    assert kind_of(answered(status, said("200"))) == "refused"


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
