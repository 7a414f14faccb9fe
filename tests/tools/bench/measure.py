# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-playbook once and measure it, with everything that it leaves behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench_figures import Sample
from endpoint import Endpoint, wait_until_idle

# Where time_callback.py writes the seconds inside our callback.
INSIDE = "BENCH_INSIDE"


def run(command: list[str], env: Mapping[str, str], endpoint: Endpoint, longest: float) -> Sample:
    """Run a command and measure it. Raises SystemExit when it fails: its time means nothing."""
    inside = Path(env[INSIDE])
    inside.unlink(missing_ok=True)
    before, began = endpoint.requests, time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        usage, status = _wait(process, began + longest)
        seconds = time.monotonic() - began
        if status is not None and status != 0:
            output.seek(0)
            raise SystemExit(output.read().decode("utf-8", "replace")[-3000:])
    wait_until_idle(endpoint, 0.2, 5)
    work = usage.ru_utime + usage.ru_stime + _work_of_orphans(time.monotonic() + 5)
    return Sample(
        seconds=seconds,
        work=work,
        memory=usage.ru_maxrss / 1024,
        requests=endpoint.requests - before,
        stopped=status is None,
        inside=float(inside.read_text()) if inside.exists() else None,
    )


def _wait(process: subprocess.Popen[bytes], end: float) -> tuple[Any, int | None]:
    """Wait for the process, and stop it when it takes too long; None is the status then."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, process.returncode
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            _pid, _status, usage = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
            return usage, None
        time.sleep(0.002)


def adopt_orphans() -> None:
    """Become the parent of what runs leave behind, so that its processor time can be read."""
    set_child_subreaper = 36  # of Linux; elsewhere only what Ansible waits for is counted
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _work_of_orphans(end: float) -> float:
    """Return the processor time of the couriers of a run that is over, in seconds."""
    seconds = 0.0
    with suppress(ChildProcessError):
        while time.monotonic() < end:
            pid, _status, usage = os.wait4(-1, os.WNOHANG)
            seconds += usage.ru_utime + usage.ru_stime
            if not pid:
                time.sleep(0.01)
    return seconds
