# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts for a terminal: how wide they are, and how they fit. Pure."""

from __future__ import annotations

import unicodedata

# Ansible shows each line of a list with indentation, quotes and a comma: 100 columns together.
WIDTH = 88
_ELLIPSIS = "\u2026"


def clean(text: str) -> str:
    """Return a text on one line, without characters that control a terminal."""
    kept = (" " if char.isspace() else char for char in text)
    # Cc, Cf, Co, Cs and Cn: control, format, private, surrogate and unassigned characters.
    shown = "".join(char for char in kept if not unicodedata.category(char).startswith("C"))
    return " ".join(shown.split())


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, limit: int) -> str:
    """Return a text that takes at most ``limit`` columns, with an ellipsis if it was cut."""
    if width(text) <= limit:
        return text
    kept, used = "", 0
    for char in text:
        used += _char_width(char)
        if used > limit - 1:
            break
        kept += char
    return kept.rstrip() + _ELLIPSIS


def wrap(text: str, limit: int, lines: int) -> list[str]:
    """Return a text in at most ``lines`` lines of ``limit`` columns.

    A longer text is cut after a word, or within a word that does not fit into a line.
    """
    found = [""]
    words = clean(text).split(" ")
    for number, word in enumerate(words):
        longer = f"{found[-1]} {word}".strip()
        if width(longer) <= limit:
            found[-1] = longer
        elif len(found) < lines and found[-1]:
            found.append(cut(word, limit))
        else:
            last = found[-1]
            if not last or width(last) > limit - len(_ELLIPSIS):
                last = " ".join([last, *words[number:]]).strip()
                return [*found[:-1], cut(last, limit)]
            return [*found[:-1], last + _ELLIPSIS]
    return found


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 deployment``, ``1,200 deployments``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
