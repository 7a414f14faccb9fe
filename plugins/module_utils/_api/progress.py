# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports every five seconds how many events are delivered. Clock and output are arguments."""

from __future__ import annotations

import time
from typing import Callable

INTERVAL_SECONDS = 5.0


class Progress:
    """The progress of one task. Work that takes less than five seconds is never reported."""

    def __init__(
        self, show: Callable[[str], None], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """``show`` displays a line. The five seconds begin now."""
        self._show = show
        self._monotonic = monotonic
        self._due_at = monotonic() + INTERVAL_SECONDS

    @property
    def is_due(self) -> bool:
        """Whether five seconds have passed since the last line."""
        return self._monotonic() >= self._due_at

    def update(self, delivered: int, total: int) -> None:
        """Show that ``delivered`` of ``total`` events are delivered, if a line is due."""
        if self.is_due:
            self._due_at = self._monotonic() + INTERVAL_SECONDS
            self._show(f"{delivered:,} of {total:,} events delivered")
