# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command of a session ends in time, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BOUNDED = Path(__file__).resolve().parents[2] / "tools" / "bounded.py"
# Starts a process in its own session, writes its pid, and waits for it or does not.
SCRIPT = """
import subprocess, sys, pathlib
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid) + "\\n")
child.wait() if sys.argv[2] == "wait" else sys.exit(int(sys.argv[2]))
"""


def start(pid_file: Path, seconds: str, ending: str) -> subprocess.Popen[bytes]:
    script = (sys.executable, "-c", SCRIPT, str(pid_file), ending)
    return subprocess.Popen(
        [sys.executable, BOUNDED, seconds, *script],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_pid(pid_file: Path) -> int:
    end = time.monotonic() + 30
    while not pid_file.exists() or not pid_file.read_text().endswith("\n"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return int(pid_file.read_text())


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("status", [0, 3])
def test_the_exit_status_is_that_of_the_command(tmp_path: Path, status: int) -> None:
    bounded = start(tmp_path / "pid", "30", str(status))

    assert bounded.wait(30) == status
    if sys.platform == "linux":
        assert not is_running(wait_for_pid(tmp_path / "pid"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds processes in other sessions")
@pytest.mark.parametrize(
    ("seconds", "number", "status"),
    [("0.5", None, 124), ("60", signal.SIGINT, 130), ("60", signal.SIGTERM, 143)],
)
def test_nothing_is_left_after_a_limit_or_a_signal(
    tmp_path: Path, seconds: str, number: int | None, status: int
) -> None:
    bounded = start(tmp_path / "pid", seconds, "wait")
    pid = wait_for_pid(tmp_path / "pid")
    if number is not None:
        bounded.send_signal(number)

    assert bounded.wait(30) == status
    assert not is_running(pid)
