# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the lines of a journal have waited, whatever the clocks did meanwhile.

The time at which an event happened says little: a board without a battery starts in 1970, and its
clock jumps to the present when the network is there. So processes that look at a folder observe
how long it waits, and keep the sum in the folder, with the sum at which each line was first seen.
The rule:

- While the same boot of the same host lasts, the kernel's time since the boot counts. No
  adjustment of the clock changes it. (CLOCK_BOOTTIME, clock_gettime(2))
- Across a boot, or on another host, the clock of the outbox's file system counts, but at most half
  of ``outbox_ttl`` for one gap, not backwards, and not at all if it began before this collection
  was written.

A single wrong clock can therefore never expire an event, and an event never waits for ever.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from ...module_utils._api.frozen import frozen
from .files import parse_record
from .liveness import Uptime

# 2025-01-01. A file cannot be older than the code that wrote it.
_PLAUSIBLE_SINCE = 1_735_689_600.0


@frozen
class WaitingTime:
    """The seconds that a folder has waited, as observed up to ``uptime``.

    ``seen``: pairs in ascending order, the end of a line and the value of ``waited`` when the
    lines up to there were first seen.
    """

    waited: float
    uptime: Uptime
    seen: tuple[tuple[int, float], ...] = ()

    def until(
        self, now: Uptime, noted_at: float, present: Callable[[], float], ttl: float
    ) -> WaitingTime:
        """Return it as of ``now``.

        ``noted_at`` and ``present``: when this was noted, and what time it is, in epoch seconds
        of the outbox's file system. ``ttl``: seconds.
        """
        if now.boot == self.uptime.boot:
            passed = max(0.0, now.seconds - self.uptime.seconds)
        elif noted_at < _PLAUSIBLE_SINCE:
            passed = 0.0
        else:
            passed = min(max(0.0, present() - noted_at), ttl / 2)
        return replace(self, waited=self.waited + passed, uptime=now)

    def with_lines(self, end: int, ago: float = 0.0) -> WaitingTime:
        """Note that the lines up to ``end`` are there.

        They were first seen ``ago`` seconds ago, but not before the lines in front of them.
        """
        if self.seen and end <= self.seen[-1][0]:
            return self
        before = self.seen[-1][1] if self.seen else 0.0
        return replace(self, seen=(*self.seen, (end, max(before, self.waited - ago))))

    def age(self, end: int) -> float:
        """Return the seconds for which the line that ends at ``end`` has been seen to wait."""
        at = bisect_left(self.seen, (end, -math.inf))
        return self.waited - self.seen[at][1] if at < len(self.seen) else 0.0

    def dump(self) -> str:
        """Return it as text."""
        return json.dumps(
            {
                "waited": self.waited,
                "boot": self.uptime.boot,
                "uptime": self.uptime.seconds,
                "seen": self.seen,
            }
        )

    @staticmethod
    def read(text: str) -> WaitingTime | None:
        """Return what ``dump`` wrote, None if the text is damaged."""
        found = parse_record(text) or {}
        try:
            times = WaitingTime(
                waited=float(found["waited"]),
                uptime=Uptime(str(found["boot"]), float(found["uptime"])),
                seen=tuple((int(end), float(at)) for end, at in found["seen"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        ends, values = [end for end, _at in times.seen], [at for _end, at in times.seen]
        in_order = ends == sorted(ends) and values == sorted(values)
        finite = math.isfinite(times.waited) and math.isfinite(times.uptime.seconds)
        within = all(0 <= at <= times.waited for at in values)
        return times if in_order and finite and within else None
