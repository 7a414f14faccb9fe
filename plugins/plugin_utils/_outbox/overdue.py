# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a run is overdue. Pure.

The time since the start is measured on a clock that nobody sets and that does not stop while the
machine sleeps, see ``clock.py``. A clock that was wrong at the start makes no run overdue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...module_utils._api.frozen import frozen
from .._deployment.clock import Moment


@frozen
class OverdueLimit:
    """The limit of a run that began at ``started``. ``seconds``: 0 for no limit."""

    started: Moment
    seconds: float

    def remaining(self, now: Moment) -> float:
        """Return the seconds until the run is overdue, at most 0 from then on."""
        if not self.seconds:
            return math.inf
        _at, elapsed = self.started.end(now)
        return self.seconds - elapsed

    @staticmethod
    def parse(raw: Mapping[str, Any]) -> OverdueLimit:
        """Return the limit that ``dataclasses.asdict`` made plain data of."""
        return OverdueLimit(Moment(**raw["started"]), raw["seconds"])
