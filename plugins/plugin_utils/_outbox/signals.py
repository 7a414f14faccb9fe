# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signals that a courier reacts to: wake up, and terminate."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterator
from types import FrameType

from .storage import WAKE_SIGNAL


class Terminated(BaseException):
    """SIGTERM came while a request was under way. No ``except Exception`` may catch it."""


class CourierSignals:
    """Installed signal handlers, and waits that they end."""

    def __init__(self, grace: float) -> None:
        """``grace``: seconds from SIGTERM until the kernel ends this process, whatever it does."""
        self._grace = grace
        self._interruptible = False
        self._end_at = float("inf")
        self.terminated = False
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ignored signals are inherited
        signal.signal(WAKE_SIGNAL, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self._on_terminate)
        # Blocked signals are inherited also, and SIGTERM was blocked until now on purpose.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise Terminated when SIGTERM comes, or if it has come before.

        Outside, files are written to their end.
        """
        self._interruptible = True
        try:
            if self.terminated:  # between the last look at it and here
                raise Terminated
            yield
        finally:
            self._interruptible = False

    def wait(self, seconds: float) -> None:
        """Wait until a signal comes or the time is over."""
        if self.terminated:
            return
        ready, _writable, _errors = select.select([self._read_end], [], [], max(0.0, seconds))
        if ready:
            os.read(self._read_end, 4096)

    def end_within(self, seconds: float) -> None:
        """Have the kernel end this process then, whatever it is doing. It never gets later."""
        now = time.monotonic()
        if now + seconds < self._end_at:
            self._end_at = now + seconds
            signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds))

    def _on_terminate(self, _number: int, _frame: FrameType | None) -> None:
        if not self.terminated:
            self.terminated = True
            self.end_within(self._grace)
        if self._interruptible:
            self._interruptible = False
            raise Terminated
