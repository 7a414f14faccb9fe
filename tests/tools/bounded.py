# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in bounded time, and leave nothing of it behind.

usage: bounded.py SECONDS COMMAND [ARGUMENT...]

The command gets no input. At its end, at the time limit (exit status 124) and at SIGINT or SIGTERM
(130, 143), every process that it started is ended, even in a session of its own where the system
makes this process their parent (Linux).
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1  # linux/prctl.h: a signal when the parent ends
PR_SET_CHILD_SUBREAPER = 36  # orphans below this process become its children
GRACE = 10.0


class _Stopped(Exception):
    """A signal to end; the argument is its number."""


def _stop(number: int, _frame: object) -> None:
    raise _Stopped(number)


def _children() -> list[int]:
    """Return the processes whose parent is this one."""
    with suppress(OSError):
        return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]
    return []


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process group, first as Ctrl-C does, so that tests clean up; then everything else."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + GRACE
    while (left := _children()) and time.monotonic() < end:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def main(seconds: float, command: list[str]) -> int:
    """Run the command and return the exit status."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"{Path(command[0]).name} was stopped after {seconds:.0f} s", file=sys.stderr)
        return 124
    except _Stopped as stopped:
        return 128 + int(stopped.args[0])
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        _end(process)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
