# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for terminals have columns, whatever is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._report.table import (
    columns,
    text_table,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._report.words import plain


def test_a_table_has_a_heading_a_rule_and_rows() -> None:
    assert text_table(("name", "version"), [("shop", "1.4.2"), ("雪", "")]) == [
        "name  version",
        "----  -------",
        "shop  1.4.2",
        "雪",
    ]


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=4), st.integers(20, 60))
def test_a_table_fits(texts: list[tuple[str, str, str]], width: int) -> None:
    rows = [[plain(text) for text in row] for row in texts]

    lines = text_table(("a", "b", "c"), rows, width)
    assert len(lines) == len(rows) + 2
    assert all(columns(line) <= width for line in lines)


def test_the_widest_column_is_shortened_first() -> None:
    lines = text_table(("a", "b"), [("x" * 40, "short")], 20)

    assert lines[2] == "xxxxxxxxxxxx…  short"
