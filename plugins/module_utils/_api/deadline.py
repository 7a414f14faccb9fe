# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds a blocking call by wall-clock time.

A socket time-out bounds one read, so a response that arrives byte by byte outlives it, and
nothing bounds a name look-up. SIGALRM belongs to Ansible's task keyword ``timeout``. So the call
runs in a daemon thread. At the deadline the call is canceled, which ends the thread if it waits
for a socket. A thread that looks up a name cannot be interrupted and is abandoned.

Use this in a worker process, a module or another short-lived process only. Never use it in
Ansible's controller process, where a thread can deadlock forked workers.
"""

from __future__ import annotations

import threading
from typing import Callable, TypeVar

T = TypeVar("T")

THREAD_NAME = "cloudmonitor-attempt"


class DeadlineExceeded(Exception):
    """The call did not end in time. ``thread`` may still be running it."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__("the call did not end in time")
        self.thread = thread


def within(seconds: float, call: Callable[[], T], cancel: Callable[[], None] | None = None) -> T:
    """Return ``call()``, or raise what it raises, or raise DeadlineExceeded after ``seconds``.

    ``cancel`` makes a call that has not ended return soon. It is also called when the caller is
    interrupted while it waits.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as exc:  # raised in the caller's thread, whatever it is
            errors.append(exc)

    thread = threading.Thread(target=run, name=THREAD_NAME, daemon=True)
    thread.start()
    try:
        thread.join(seconds)
    finally:
        if cancel is not None and thread.is_alive():
            cancel()
    if errors:
        raise errors[0]
    if results:
        return results[0]
    raise DeadlineExceeded(thread)
