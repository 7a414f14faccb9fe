# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of a deployment when somebody sets the clock meanwhile."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.clock import (
    Moment,
    present_moment,
)

START = Moment(wall=1_700_000_000.0, steady=50.0)


@pytest.mark.parametrize(
    ("step", "finished_after"),
    [
        (0.0, 60.0),
        (-3600.0, 60.0),  # back an hour
        (-60.0, 60.0),  # back to the very start
        (3600.0, 3660.0),  # forward: probably corrected
        (1.7e9, 1.7e9 + 60.0),  # a board without a clock gets the time
    ],
)
def test_a_clock_that_is_set(step: float, finished_after: float) -> None:
    finished_at, elapsed = START.end(Moment(START.wall + 60.0 + step, START.steady + 60.0))

    assert finished_at == START.wall + finished_after
    assert elapsed == 60.0


@given(step=st.floats(-1e10, 1e10), passed=st.floats(0, 1e7))
def test_a_finish_is_never_before_its_start(step: float, passed: float) -> None:
    finished_at, elapsed = START.end(Moment(START.wall + step, START.steady + passed))

    assert finished_at >= START.wall
    assert elapsed == pytest.approx(passed)


def test_the_present_moment_is_now() -> None:
    before, now, after = time.time(), present_moment(), time.time()

    assert before <= now.wall <= after
    assert present_moment().steady >= now.steady
