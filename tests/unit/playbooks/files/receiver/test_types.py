# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the receiver reads the lines of a request, and what it answers with."""

from __future__ import annotations

import json

import pytest
from receiver.types import Credential, RawRequest, Verdict

LINES = (b"Host: here", b"X-CMS-IP:  10.0.0.8\t", b"x-cms-ip: 10.0.0.9", b"No colon")


def request(target: str = "/event/custom/upload") -> RawRequest:
    return RawRequest("POST", target, LINES)


def test_names_are_lower_case_and_values_without_the_spaces_around_them() -> None:
    assert request().headers()[:2] == ((b"host", b"here"), (b"x-cms-ip", b"10.0.0.8"))


def test_every_line_of_a_name_is_there_in_order_and_the_first_is_shown() -> None:
    assert request().values("x-cms-ip") == (b"10.0.0.8", b"10.0.0.9")
    assert request().text("x-cms-ip") == "10.0.0.8"
    assert request().text("x-cms-caller-type") is None


@pytest.mark.parametrize("start", ["", "http://127.0.0.1:80", "https://monitor.example"])
def test_a_proxy_s_target_is_the_same_path(start: str) -> None:
    assert request(start + "/a/b?x=1&y=2").path_and_query == ("/a/b", "x=1&y=2")
    assert request(start + "/a/b").path == "/a/b"


def test_an_answer_is_the_service_s_json_unless_a_page_is_set() -> None:
    kind, body = Verdict(200, "200", "").body("r-1")
    assert kind == "application/json"
    assert json.loads(body) == {"code": "200", "msg": "", "requestId": "r-1"}

    page = ("text/html", b"<html>")
    assert Verdict(200, "200", "", page=page).body("r-1") == page


def test_a_credential_does_not_show_its_secret() -> None:
    shown = repr(Credential("an-id", "hunter22", "a-token"))

    assert "an-id" in shown
    assert "hunter22" not in shown
    assert "a-token" not in shown
