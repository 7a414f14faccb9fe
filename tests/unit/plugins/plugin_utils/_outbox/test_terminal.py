# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts fit into the columns of a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.terminal import (
    clean,
    cut,
    width,
    wrap,
)


@given(st.text(), st.integers(1, 100))
def test_a_cut_text_fits_and_shows_that_it_was_cut(text: str, limit: int) -> None:
    shown = cut(clean(text), limit)

    assert width(shown) <= limit
    assert shown == clean(text) or shown.endswith("\u2026")


@given(st.text(), st.integers(1, 60), st.integers(1, 4))
def test_a_wrapped_text_fits_and_loses_nothing_but_what_an_ellipsis_stands_for(
    text: str, limit: int, lines: int
) -> None:
    found = wrap(text, limit, lines)

    assert 1 <= len(found) <= lines
    assert all(width(line) <= limit for line in found)
    assert "\u2026" in "".join(found) or " ".join(found) == clean(text)


def test_a_text_is_cut_after_a_word_that_fits() -> None:
    assert wrap("Check the network", 12, 1) == ["Check the\u2026"]
    assert wrap("Check", 3, 1) == ["Ch\u2026"]
