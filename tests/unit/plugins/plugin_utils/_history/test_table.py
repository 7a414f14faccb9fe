# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for terminals have columns, whatever is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.table import (
    text_table,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.terminal import (
    clean,
    width,
)


def test_a_table_has_a_heading_a_rule_and_rows() -> None:
    assert text_table(("name", "version", "user"), [("shop", "1.4.2", ""), ("雪", "", "")]) == [
        "name  version",
        "----  -------",
        "shop  1.4.2",
        "雪",
    ]


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=4), st.integers(20, 60))
def test_a_table_fits(texts: list[tuple[str, str, str]], limit: int) -> None:
    rows = [[clean(text) for text in row] for row in texts]

    lines = text_table(("a", "b", "c"), rows, limit)
    assert len(lines) == (len(rows) + 2 if any(map(any, rows)) else len(lines))
    assert all(width(line) <= limit for line in lines)


def test_the_widest_column_is_shortened_first() -> None:
    lines = text_table(("a", "b"), [("x" * 40, "short")], 20)

    assert lines[2] == "xxxxxxxxxxxx…  short"
