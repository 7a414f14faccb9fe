# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that show how far a long task is."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.progress import (
    INTERVAL_SECONDS,
    Progress,
)


def test_a_line_has_the_numbers_in_groups_of_three_digits() -> None:
    now, shown = [0.0], list[str]()
    progress = Progress(shown.append, lambda: now[0])
    progress.update(3_300, 10_000)
    now[0] = 5.0
    progress.update(3_400, 10_000)

    assert shown == ["3,400 of 10,000 events delivered"]


@given(st.lists(st.floats(0, 20), max_size=30))
def test_lines_are_never_less_than_five_seconds_apart(steps: list[float]) -> None:
    now, shown_at = [1000.0], [1000.0]
    progress = Progress(lambda _text: shown_at.append(now[0]), lambda: now[0])
    for step in steps:
        now[0] += step
        progress.update(0, 1)
        assert now[0] - shown_at[-1] < INTERVAL_SECONDS

    gaps = [later - earlier for earlier, later in pairwise(shown_at)]
    assert all(gap >= INTERVAL_SECONDS for gap in gaps)
