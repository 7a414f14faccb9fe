# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as HTML; test_page.py has the tests with hostile values."""

from __future__ import annotations

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.markup import (
    FOLDED_FROM,
    link,
    value,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.views import Link


def test_a_long_text_is_folded_and_complete() -> None:
    text = "é" * (FOLDED_FROM + 1)

    assert value(text) == (
        f"<details><summary><bdi>{'é' * 59}…</bdi></summary><bdi>{text}</bdi></details>"
    )
    assert value(text[:-1]) == f"<bdi>{text[:-1]}</bdi>"


def test_a_text_without_a_link_has_its_long_form_as_a_title() -> None:
    assert link(Link("0123", None, "0123456")) == '<span title="0123456">0123</span>'
    assert link(Link("a<b", "https://example.com/?a&b")) == (
        '<a href="https://example.com/?a&amp;b">a&lt;b</a>'
    )
