# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, durations, ages and links as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.words import (
    age_words,
    duration_words,
    isolated,
    text_from,
    tick_words,
    time_words,
    web_link,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (-3, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3599.7, "1 h"),
        (7500, "2 h 5 min"),
        (86_400, "1 day"),
        (273_600, "3 days 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float | None, words: str) -> None:
    assert duration_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (59, "just now"),
        (60, "1 minute ago"),
        (47.5 * 3600, "47 hours ago"),
        (48 * 3600, "2 days ago"),
        (61 * 86_400, "2 months ago"),
        (800 * 86_400, "2 years ago"),
    ],
)
def test_an_age_has_one_unit(seconds: float | None, words: str) -> None:
    assert age_words(seconds) == words


def test_times_are_in_utc() -> None:
    assert time_words(1_795_651_200.0) == "2026-11-26 00:00"
    assert [tick_words(1_795_651_200.0, step) for step in (3600, 86_400, 604_800)] == [
        "00:00",
        "Thu 26 Nov",
        "26 Nov",
    ]


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://ci.example.com/jobs/1?a=b#c", "https://ci.example.com/jobs/1?a=b#c"),
        ("http://ci.example.com", "http://ci.example.com"),
        ("https://ada:secret@ci.example.com/x", "https://ci.example.com/x"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt://example.com/%0aalert(1)", None),
        ("data:text/html,x", None),
        ("https:/example.com", None),
        ("https:\\\\example.com", None),
        ("https:///path", None),
        (" https://example.com", None),
        ("https://example.com/a b", None),
        ("https://example.com/\nx", None),
        ("//example.com", None),
        ("git@example.com:acme/shop.git", None),
        (None, None),
        (7, None),
    ],
)
def test_only_web_addresses_become_links(url: object, link: str | None) -> None:
    assert web_link(url) == link


@given(st.text())
def test_a_text_can_be_written_and_is_isolated(text: str) -> None:
    text_from(text).encode("utf-8")

    assert not any(one < " " for one in isolated(text))
    # What changes the direction of text cannot reach beyond the isolated value.
    inside = isolated(text).removeprefix("\u2068").removesuffix("\u2069")
    assert not {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"} & {*inside}
