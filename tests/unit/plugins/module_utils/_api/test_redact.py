# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: none survives, wherever it hides, and nothing else is lost."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.redact import (
    MASK,
    Redactor,
    without_userinfo,
)

SECRET = "wJalrXUtnFEMI/K7MDENG"


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (SECRET, MASK),
        (f"a {SECRET} b {SECRET}", f"a {MASK} b {MASK}"),
        ({"key": SECRET}, {"key": MASK}),
        ({SECRET: "value"}, {MASK: "value"}),
        ([1, [SECRET, {"a": [SECRET]}]], [1, [MASK, {"a": [MASK]}]]),
        ((SECRET, 2), [MASK, 2]),
        ({"n": 1, "x": None, "b": True, "f": 1.5}, {"n": 1, "x": None, "b": True, "f": 1.5}),
    ],
)
def test_a_secret_is_masked_wherever_it_is(value: Any, clean: Any) -> None:
    assert Redactor([SECRET]).value(value) == clean


def test_a_secret_that_holds_another_goes_as_a_whole() -> None:
    assert Redactor(["abcd", "xxabcdyy"]).text("1 xxabcdyy 2 abcd 3") == f"1 {MASK} 2 {MASK} 3"


def test_the_original_is_not_changed() -> None:
    original = {"list": [SECRET]}

    Redactor([SECRET]).value(original)

    assert original == {"list": [SECRET]}


@pytest.mark.parametrize("secrets", [[], [""], ["abc"]], ids=["none", "empty", "a word"])
def test_what_cannot_be_a_secret_masks_nothing(secrets: list[str]) -> None:
    assert Redactor(secrets).value({"abc": "abc"}) == {"abc": "abc"}


SECRETS = st.lists(st.text("abAB/+=", min_size=4, max_size=12), min_size=1, max_size=4)


@st.composite
def secrets_and_values(draw: st.DrawFn) -> tuple[list[str], Any]:
    """Values that are full of the secrets."""
    secrets = draw(SECRETS)
    text = st.lists(st.sampled_from([*secrets, "x", " ", "ab"]), max_size=8).map("".join)
    value = draw(
        st.recursive(
            text | st.integers() | st.none(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
            max_leaves=8,
        )
    )
    return secrets, value


@given(case=secrets_and_values())
def test_no_secret_survives_anywhere(case: tuple[list[str], Any]) -> None:
    secrets, value = case

    shown = json.dumps(Redactor(secrets).value(value), ensure_ascii=False)

    assert not [secret for secret in secrets if secret in shown]


@given(case=secrets_and_values())
def test_cleaning_twice_changes_nothing_more(case: tuple[list[str], Any]) -> None:
    secrets, value = case
    redactor = Redactor(secrets)

    assert redactor.value(redactor.value(value)) == redactor.value(value)


@given(text=st.text("xyz "))
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Redactor([SECRET]).text(text) == text


def lower_case_codes(url: str) -> str:
    return re.sub("%..", lambda code: code.group().lower(), url)


ODD_SECRET = 'a"b\\c/d+e=f&g h%i?jü'


@pytest.mark.parametrize("secret", [SECRET, ODD_SECRET, "abcdefghijklmnopqrstuvwxyz0123"])
@pytest.mark.parametrize(
    "write",
    [
        lambda secret: json.dumps({"key": secret}),
        lambda secret: json.dumps({"key": secret}, ensure_ascii=False),
        lambda secret: json.dumps({"key": json.dumps({"key": secret})}),
        lambda secret: json.dumps({"key": secret}).replace("/", "\\/"),
        lambda secret: "https://x.example/?key=" + quote(secret, safe=""),
        lambda secret: "https://x.example/?key=" + quote(secret),
        lambda secret: "https://x.example/?" + urlencode({"key": secret}),
        lambda secret: "https://x.example/?key=" + lower_case_codes(quote(secret, safe="")),
    ],
)
def test_a_secret_is_masked_however_it_is_escaped(secret: str, write: Callable[[str], str]) -> None:
    shown = Redactor([secret]).text(write(secret))

    assert MASK in shown
    assert secret[:6] not in shown
    assert "wJalr" not in shown
    assert "g%20h" not in shown


@given(before=st.text(max_size=8), after=st.text(max_size=8), secret=st.sampled_from([SECRET]))
def test_a_secret_is_masked_in_base64_whatever_surrounds_it(
    before: str, after: str, secret: str
) -> None:
    raw = (before + secret + after).encode("utf-8", "surrogatepass")
    for encode in (b64encode, urlsafe_b64encode):
        shown = Redactor([secret]).text(encode(raw).decode())

        assert MASK in shown
        assert len(shown) <= len(MASK) + 4 * (len(before.encode()) + len(after.encode())) + 8


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://bot:pw@git.example/x", "https://git.example/x"),
        ("https://bot@git.example/x", "https://git.example/x"),
        ("https://:pw@git.example/x", "https://git.example/x"),
        ("https://@git.example/x", "https://git.example/x"),
        ("HTTPS://bot:pw@git.example:8443/x?y#z", "HTTPS://git.example:8443/x?y#z"),
        ("https://bot:p@w@git.example/x", "https://git.example/x"),
        ("https://bot:p/w@git.example/x", "https://git.example/x"),
        ("https://bot:p#w@git.example/x", "https://git.example/x"),
        ("https://bot:p?w@git.example/x", "https://git.example/x"),
        ("https://bot:p\\w@git.example/x", "https://git.example/x"),
        ("https://bot:p:w@git.example/x", "https://git.example/x"),
        ("https://bot:p w@git.example/x", "https://git.example/x"),
        ("https://bot:p'w@git.example/x", "https://git.example/x"),
        ("https://bot:p://w@git.example/x", "https://git.example/x"),
        ("https://bot:p@s/w#r?d@git.example/x", "https://git.example/x"),
        ("https://bot:12/34@git.example/x", "https://git.example/x"),
        ("https://bot:12/34@host/x", "https://host/x"),
        ("https://to/ken@git.example/x", "https://git.example/x"),
        ("https://me@corp.example:p/w@git.example/x", "https://git.example/x"),
        ("https://me%40corp.example:p%2Fw@git.example/x", "https://git.example/x"),
        ("https://bot:pw@[::1]:8443/x", "https://[::1]:8443/x"),
        ("https://bot:pw@10.0.0.1/x", "https://10.0.0.1/x"),
        ("https://bot:密码@git.example/x", "https://git.example/x"),
        ("ssh://git@git.example:22/x.git", "ssh://git.example:22/x.git"),
        ("git+https://bot:pw@git.example/x", "git+https://git.example/x"),
        ("git::https://bot:pw@git.example/x", "git::https://git.example/x"),
        ("jdbc:mysql://bot:pw@db/x", "jdbc:mysql://db/x"),
        ("socks5h://bot:pw@proxy:1080", "socks5h://proxy:1080"),
        ("//bot:pw@git.example/x", "//git.example/x"),
        ("bot:pw@proxy:3128", "proxy:3128"),
        ("bot:p/w@proxy:3128", "proxy:3128"),
        (
            "fatal: https://a:b@c.example/x and https://d:e@f.example/y failed",
            "fatal: https://c.example/x and https://f.example/y failed",
        ),
        ("https://a:b@c.example/x,https://d:e@f.example", "https://c.example/x,https://f.example"),
        ("https://c.example/?to=https://d:e@f.example", "https://c.example/?to=https://f.example"),
        ('{"url":"https://a:b@c.example"}', '{"url":"https://c.example"}'),
    ],
)
def test_a_url_loses_its_user_information(text: str, clean: str) -> None:
    assert without_userinfo(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "git@git.example:group/project.git",
        "git.example:group/project@2",
        "https://git.example/x",
        "https://git.example:8443/@scope/package",
        "https://git.example/job/a@b.example?mail=a@b.example",
        "http://jenkins:8080/job/shop/7/",
        "http://jenkins/job/a@2/",
        "http://localhost:8080/job/a@b.example/",
        "http://[::1]:8080/job/a@b.example/",
        "https://git.example:8443: timed out, ask ops@example.com",
        "(see https://git.example:8443), or ask ops@example.com",
        "https://git.example: timed out, ask ops@example.com",
        '{"url": "https://host", "mail": "a@b.example"}',
        "mailto:ops@example.com",
        "ops@example.com",
        "shop:1.2@sha256:0123456789abcdef",
        "a: text, and an @ sign",
        "12:30@noon is a time",
        "://",
        "http://",
        "https:///x",
    ],
)
def test_a_text_without_user_information_stays_as_it_is(text: str) -> None:
    assert without_userinfo(text) == text


@given(
    user=st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=8),
    password=st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=8),
    path=st.sampled_from(["", "/", "/x/y", "/x?y=z#f"]),
)
def test_no_password_survives_whatever_is_in_it(user: str, password: str, path: str) -> None:
    # Encoded as it should be, it can contain anything.
    encoded = f"https://{quote(user, safe='')}:{quote(password, safe='')}@git.example{path}"

    assert without_userinfo(encoded) == f"https://git.example{path}"


@given(password=st.text("aB0@/#?\\:%&+=~!$*()[]{}|^;,.", min_size=1, max_size=12))
def test_no_password_survives_unencoded(password: str) -> None:
    assert without_userinfo(f"https://bot:x{password}@git.example/x") == "https://git.example/x"


@given(password=st.text("aB0/#?:% '\"<>", min_size=1, max_size=12))
def test_no_password_with_spaces_and_quotes_survives_unencoded(password: str) -> None:
    assert without_userinfo(f"https://bot:x{password}@git.example/x") == "https://git.example/x"


@given(text=st.text("ab0.:/@?# \n'\"[]\\", max_size=40))
def test_removing_user_information_twice_changes_nothing_more(text: str) -> None:
    once = without_userinfo("https://" + text)

    assert without_userinfo(once) == once
