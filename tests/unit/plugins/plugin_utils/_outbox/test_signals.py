# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM ends a courier, whatever it waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
)

_PROGRAM = f"""
import fcntl, os, sys, threading, time
sys.path.insert(0, {str(IMPORTED_FROM)!r})
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.signals import (
    CourierSignals, Terminated)
signals = CourierSignals(grace=0.5)
place = sys.argv[1]
print("ready", flush=True)
"""
WAITS = {
    "a FIFO that nobody writes": "open(place + '/fifo').read()",
    "a lock that another process holds":
        "fcntl.flock(os.open(place + '/lock', os.O_RDWR), fcntl.LOCK_EX)",
    "a pipe that nobody writes": "os.read(os.pipe()[0], 1)",
    "a wait without an end": "time.sleep(600)",
    "a thread that does not end":
        "t = threading.Thread(target=time.sleep, args=(600,), daemon=True); t.start(); t.join()",
    "a loop without an end": "while True: pass",
    "code that catches everything":
        "while True:\n    try: time.sleep(600)\n    except BaseException: pass",
}  # fmt: skip


def _start(code: str, place: Path) -> subprocess.Popen[bytes]:
    # Without a buffer: communicate() would not see what readline() has read ahead.
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM + code, str(place)], stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("name", WAITS)
def test_it_ends_in_time_whatever_it_waits_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "lock").touch()
    holder = _start("fcntl.flock(os.open(place + '/lock', os.O_RDWR), fcntl.LOCK_EX)\n"
                    "print('ready', flush=True)\ntime.sleep(600)", tmp_path)  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    process = _start(WAITS[name], tmp_path)
    try:
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # a second one does not prolong it
        assert process.wait(20) == -signal.SIGALRM
        assert time.monotonic() - begin < 10
    finally:
        for one in (process, holder):
            one.kill()
            one.communicate()


def test_a_request_is_interrupted_and_nothing_else(tmp_path: Path) -> None:
    process = _start(
        """
try:
    with signals.interruptible():
        try: time.sleep(600)
        except Exception: print("swallowed")
except Terminated:
    print("interrupted", signals.terminated)
signals.wait(600)
print("no wait")
""",
        tmp_path,
    )
    process.send_signal(signal.SIGTERM)
    output, _nothing = process.communicate(timeout=20)

    assert output == b"interrupted True\nno wait\n"


def test_no_request_begins_after_sigterm(tmp_path: Path) -> None:
    process = _start(
        """
os.kill(os.getpid(), 15)
try:
    with signals.interruptible():
        print("begun")
except Terminated:
    print("not begun")
""",
        tmp_path,
    )

    assert process.communicate(timeout=20)[0] == b"not begun\n"


def test_a_wake_up_ends_a_wait_and_is_kept_until_then(tmp_path: Path) -> None:
    code = "signals.wait(600)\nprint('woken', flush=True)\n"
    process = _start(code, tmp_path)
    process.send_signal(signal.SIGURG)
    assert process.communicate(timeout=20)[0] == b"woken\n"

    kept = _start("os.kill(os.getpid(), 23)\n" + code.replace("600", "20"), tmp_path)
    begin = time.monotonic()
    assert kept.communicate(timeout=30)[0] == b"woken\n"
    assert time.monotonic() - begin < 15


def test_the_end_never_gets_later(tmp_path: Path) -> None:
    process = _start("signals.end_within(0.3)\nsignals.end_within(600)\ntime.sleep(600)", tmp_path)
    begin = time.monotonic()

    assert process.wait(20) == -signal.SIGALRM
    assert time.monotonic() - begin < 10
    process.communicate()
