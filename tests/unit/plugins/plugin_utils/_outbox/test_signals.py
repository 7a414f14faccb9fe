# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM ends a courier, whatever it waits for."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.signals import (
    CourierSignals,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Folder
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    holder_of,
    release,
)

_PROGRAM = f"""
import os, sys, time
sys.path.insert(0, {str(IMPORTED_FROM)!r})
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.signals import (
    CourierSignals, Terminated)
signals = CourierSignals(grace=0.5)
print("ready", flush=True)
"""


def _loop() -> None:
    while True:
        pass


def _catch_everything() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(600)


def _wait_for_a_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(600,), daemon=True)
    thread.start()
    thread.join()


WAITS: dict[str, Callable[[Path], object]] = {
    "a FIFO that nobody writes": lambda place: (place / "fifo").read_bytes(),
    "a lock that another process holds": lambda place: fcntl.flock(
        os.open(place / "lock", os.O_RDWR), fcntl.LOCK_EX
    ),
    "a pipe that nobody writes": lambda _place: os.read(os.pipe()[0], 1),
    "a wait without an end": lambda _place: time.sleep(600),
    "a thread that does not end": lambda _place: _wait_for_a_thread(),
    "a loop without an end": lambda _place: _loop(),
    "code that catches everything": lambda _place: _catch_everything(),
}


def _start(code: str) -> subprocess.Popen[bytes]:
    # Without a buffer: communicate() would not see what readline() has read ahead.
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM + code], stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize("name", WAITS)
def test_it_ends_in_time_whatever_it_waits_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "lock").touch()
    holder = holder_of(Folder(tmp_path))
    context = get_context("fork")
    is_ready = context.Event()

    def work() -> None:
        CourierSignals(grace=0.5)
        is_ready.set()
        WAITS[name](tmp_path)

    process = context.Process(target=work)
    process.start()
    try:
        assert is_ready.wait(20)
        begin = time.monotonic()
        process.terminate()
        process.terminate()  # a second one does not prolong it
        process.join(20)
        assert process.exitcode == -signal.SIGALRM
        assert time.monotonic() - begin < 10
    finally:
        process.kill()
        process.join()
        release(holder)


def test_a_request_is_interrupted_and_nothing_else() -> None:
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
"""
    )
    process.send_signal(signal.SIGTERM)
    output, _nothing = process.communicate(timeout=20)

    assert output == b"interrupted True\nno wait\n"


def test_no_request_begins_after_sigterm() -> None:
    process = _start(
        """
os.kill(os.getpid(), 15)
try:
    with signals.interruptible():
        print("begun")
except Terminated:
    print("not begun")
"""
    )

    assert process.communicate(timeout=20)[0] == b"not begun\n"


def test_a_wake_up_ends_a_wait_and_is_kept_until_then() -> None:
    code = "signals.wait(600)\nprint('woken', flush=True)\n"
    process = _start(code)
    process.send_signal(signal.SIGURG)
    assert process.communicate(timeout=20)[0] == b"woken\n"

    kept = _start("os.kill(os.getpid(), 23)\n" + code.replace("600", "20"))
    begin = time.monotonic()
    assert kept.communicate(timeout=30)[0] == b"woken\n"
    assert time.monotonic() - begin < 15


def test_the_end_never_gets_later() -> None:
    process = _start("signals.end_within(0.3)\nsignals.end_within(600)\ntime.sleep(600)")
    begin = time.monotonic()

    assert process.wait(20) == -signal.SIGALRM
    assert time.monotonic() - begin < 10
    process.communicate()
