# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds a blocking call by wall-clock time.

Socket time-outs bound one read, so an answer that drips in byte by byte outlives them, and
nothing bounds a name look-up. SIGALRM belongs to Ansible's task keyword ``timeout``. So the
call runs in a daemon thread that is left behind when the time is up: this is for a worker
process, a module or another short-lived process, and never for Ansible's controller process,
where a thread can deadlock forked workers.
"""

from __future__ import annotations

import threading
from typing import Callable, TypeVar

T = TypeVar("T")


class DeadlineExceeded(Exception):
    """The call did not end in time and has been left behind."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return ``call()``, or raise what it raises, or raise DeadlineExceeded after ``seconds``."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as exc:  # handed over to the caller's thread, whatever it is
            errors.append(exc)

    thread = threading.Thread(target=run, name="cloudmonitor-try", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if results:
        return results[0]
    raise DeadlineExceeded()
