# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of a deployment, also if somebody sets the clock meanwhile."""

from __future__ import annotations

import time

from ...module_utils._api.frozen import frozen

# Both also count while the machine sleeps: CLOCK_BOOTTIME on Linux (clock_gettime(2)),
# CLOCK_MONOTONIC on macOS and the BSDs, where time.monotonic() stops.
_STEADY_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@frozen
class Moment:
    """One moment on two clocks.

    ``wall``: epoch seconds. ``steady``: seconds on a clock that nobody sets; only differences
    between moments of one boot have a meaning. Processes of one host can compare theirs.
    """

    wall: float
    steady: float

    def end(self, now: Moment) -> tuple[float, float]:
        """Return when something that began at this moment ends, and how long it took.

        The first value is in epoch seconds and never before the beginning: if the clock went
        back, it is the beginning plus the time that passed. The second value is that time, in
        seconds. A clock that went forward is believed, because it was probably corrected.
        """
        elapsed = max(0.0, now.steady - self.steady)
        return max(now.wall, self.wall + elapsed), elapsed


def present_moment() -> Moment:
    """Return the present moment."""
    return Moment(time.time(), time.clock_gettime(_STEADY_CLOCK))
