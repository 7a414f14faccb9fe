# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables for terminals. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .._outbox.terminal import WIDTH, cut, width

_GAP = "  "
_LEAST = 4


def text_table(
    heading: Sequence[str], rows: Sequence[Sequence[str]], limit: int = WIDTH
) -> list[str]:
    """Return a table as lines of at most ``limit`` columns, with a heading and a rule.

    Long texts are shortened with an ellipsis, beginning with those of the widest column. Columns
    without any content are left out. A text must not contain control characters.
    """
    used = [number for number in range(len(heading)) if any(row[number] for row in rows)]
    heading, *rows = [[line[number] for number in used] for line in (heading, *rows)]
    lines = [heading, *rows]
    widths = [max(width(line[number]) for line in lines) for number in range(len(heading))]
    room = limit - len(_GAP) * (len(heading) - 1)
    while sum(widths) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    shown = [heading, ["-" * one for one in widths], *rows]
    return [
        _GAP.join(_fill(text, one) for text, one in zip(line, widths, strict=True)).rstrip()
        for line in shown
    ]


def _fill(text: str, size: int) -> str:
    shown = cut(text, size)
    return shown + " " * (size - width(shown))
