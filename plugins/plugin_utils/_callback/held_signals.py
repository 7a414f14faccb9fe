# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds SIGINT and SIGTERM back while a finish is written and its delivery is waited for.

After the first Ctrl-C ansible-core (2.19 and later) restores the default action, so a second one
would kill the process while it waits, with exit status 130 instead of 99.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class HeldSignals:
    """The signals that arrived meanwhile. ``received`` is the first one, None without one."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def has_any(self) -> bool:
        """Return whether a signal has arrived."""
        return self.received is not None

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal; a handler as ``signal.signal`` takes it."""
        if self.received is None:
            self.received = signal.Signals(number)


@contextmanager
def held_signals() -> Iterator[HeldSignals]:
    """Hold SIGINT and SIGTERM back. They are lost unless the caller raises them again.

    A signal that the process ignores stays ignored. Outside of the main thread, where Python
    allows no handlers, nothing is held back.
    """
    held = HeldSignals()
    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                before[number] = handler
                signal.signal(number, held.note)
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
