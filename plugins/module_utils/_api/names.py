# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in messages: the one that somebody probably meant, and long ones shortened. Pure."""

from __future__ import annotations

from typing import Collection

_SIMILARITY = 0.7


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the name that was probably meant, None if no name is similar.

    An abbreviation means the name that it begins, even if another one has more equal letters.
    """
    folded = {one.lower().replace("-", "_"): one for one in sorted(known)}
    wanted = name.strip().lower().replace("-", "_")
    if not wanted:
        return None
    longer = [one for one in folded if one.startswith(wanted)]
    import difflib  # only a mistake needs it

    near = longer or difflib.get_close_matches(wanted, folded, 1, _SIMILARITY)
    return folded[min(near, key=len)] if near else None


def shortened(text: str, limit: int) -> str:
    """Return ``text`` in at most ``limit`` characters; an ellipsis marks a text that was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
