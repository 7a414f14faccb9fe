# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets: none survives, wherever it hides, and nothing else is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.redact import MASK, Redactor

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
    text = st.lists(st.sampled_from([*secrets, "x", " ", "ab"])).map("".join)
    value = draw(
        st.recursive(
            text | st.integers() | st.none(),
            lambda inner: st.lists(inner) | st.dictionaries(text, inner),
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
