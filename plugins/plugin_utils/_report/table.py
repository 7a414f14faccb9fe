# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for terminals. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

WIDTH = 100
_GAP = "  "
_LEAST = 4


def columns(text: str) -> int:
    """Return the number of columns of a terminal that a text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_columns_of_character, text))


def _columns_of_character(one: str) -> int:
    if unicodedata.combining(one) or unicodedata.category(one) in ("Cf", "Me", "Mn"):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1


def text_table(
    heading: Sequence[str], rows: Sequence[Sequence[str]], width: int = WIDTH
) -> list[str]:
    """Return a table as lines of at most ``width`` columns, with a heading and a rule.

    Long texts are shortened with an ellipsis, beginning with those of the widest column. A text
    must not contain control characters.
    """
    lines = [heading, *rows]
    widths = [max(columns(line[number]) for line in lines) for number in range(len(heading))]
    room = width - len(_GAP) * (len(heading) - 1)
    while sum(widths) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    shown = [heading, ["-" * one for one in widths], *rows]
    return [
        _GAP.join(_fill(text, one) for text, one in zip(line, widths, strict=True)).rstrip()
        for line in shown
    ]


def _fill(text: str, width: int) -> str:
    return text + " " * (width - columns(text)) if columns(text) <= width else _cut(text, width)


def _cut(text: str, width: int) -> str:
    kept, used = "", 0
    for one in text:
        if used + columns(one) > width - 1:
            break
        kept, used = kept + one, used + columns(one)
    return kept + "…" + " " * (width - used - 1)
