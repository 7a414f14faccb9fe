# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real couriers beside the run of a test, against the local receiver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.clock import (
    Moment,
    present_moment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier import Courier
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_settings import (
    CourierSettings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.launch import (
    CourierProcess,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.signals import (
    CourierSignals,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import (
    OutboxWriter,
    WaitResult,
    run_record,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    NAMING,
    deployment,
    finish_record,
    start_record,
)

KEY_ID = DESTINATION.partition(":")[2]
SECRET = "canary-secret-Uq72"
CREDENTIALS = Credentials(KEY_ID, SECRET, None, "environment")
# As it was imported and not resolved: the checkout may be a symbolic link below this folder.
IMPORTED_FROM = Path(__file__).absolute().parents[7]


def settings_for(url: str, **parts: Any) -> CourierSettings:
    parts = {"linger": 10.0, "flush_timeout": 5.0, "ttl": 3600.0, "timeout": 3.0, **parts}
    return CourierSettings(
        connection=Connection(endpoint=url, timeout=parts.pop("timeout")),
        credentials=parts.pop("credentials", CREDENTIALS),
        destination=parts.pop("destination", DESTINATION),
        **parts,
    )


class Run:
    """A run of this process: its folder and its courier."""

    def __init__(self, outbox: Outbox, settings: CourierSettings, identifier: str = "d1") -> None:
        self.identifier = identifier
        self.writer = OutboxWriter(outbox, settings)
        running = deployment(identifier, started_at=time.time())
        run = run_record(running, NAMING, settings.destination)
        self.writer.open(identifier, run, start_record(identifier))
        assert self.writer._folder is not None
        self.folder: Folder = self.writer._folder

    def start(self) -> subprocess.Popen[bytes]:
        courier = CourierProcess(str(self.folder.path.parents[1]))
        self.writer.hand_over(courier)
        self.courier: subprocess.Popen[bytes] = courier.process
        return self.courier

    def start_thread(self, parent: int | None = None) -> CourierThread:
        """Start the courier in this process; -1 as ``parent`` if Ansible has ended."""
        courier = CourierThread(parent)
        self.writer.hand_over(cast(Any, courier))
        return courier

    def finish(self, status: str = "succeeded") -> None:
        self.writer.write(finish_record(self.identifier, status))


@contextmanager
def run_beside(outbox: Outbox, settings: CourierSettings, identifier: str = "d1") -> Iterator[Run]:
    """Give a run with its courier, which is killed if it outlives the test."""
    run = Run(outbox, settings, identifier)
    courier = run.start()
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            courier.kill()
        courier.wait(10)


@contextmanager
def thread_beside(
    outbox: Outbox, settings: CourierSettings, parent: int | None = None
) -> Iterator[tuple[Run, CourierThread]]:
    """Give a run with a courier in this process, which is stopped if it outlives the test."""
    run = Run(outbox, settings)
    courier = run.start_thread(parent)
    try:
        yield run, courier
    finally:
        courier.stop()


class NoSignals(CourierSignals):
    """The signals of a courier that runs in the process of its test."""

    def __init__(self) -> None:
        self.terminated = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        yield

    def wait(self, seconds: float) -> None:
        time.sleep(min(0.02, max(0.0, seconds)))

    def end_within(self, seconds: float) -> None:
        pass


def courier_beside(
    run: Run,
    settings: CourierSettings,
    signals: CourierSignals | None = None,
    parent: int | None = None,
    now: Callable[[], Moment] = present_moment,
) -> Courier:
    """A courier in this process, beside a run whose Ansible is alive unless ``parent`` is -1."""
    lock = run.writer._lock
    assert lock is not None
    run.writer._lock = None
    settings = settings.for_run(run.folder.path.parents[1], run.folder.name)
    ansible = os.getppid() if parent is None else parent
    return Courier(replace(settings, lock=lock, parent=ansible), signals or NoSignals(), now)


class CourierThread:
    """A courier in this process, with what the writer uses of the process that it is elsewhere.

    For tests in which the process does not matter: to start one takes 0.3 s of processor time.
    """

    class _Stopped(BaseException):
        pass

    class _Signals(NoSignals):
        stopped = False

        def wait(self, seconds: float) -> None:
            if self.stopped:
                raise CourierThread._Stopped
            super().wait(seconds)

    def __init__(self, parent: int | None = None) -> None:
        self._signals = self._Signals()
        self._parent = parent or os.getppid()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def hand_over(self, settings: Mapping[str, object], lock: int) -> None:
        parsed = CourierSettings.parse(json.dumps(settings))
        # The writer closes its descriptor when the courier has the lock.
        parsed = replace(parsed, lock=os.dup(lock), parent=self._parent)
        self._courier = Courier(parsed, self._signals)
        self._thread.start()

    def _run(self) -> None:
        with suppress(self._Stopped):
            self._courier.run()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def wake(self, _number: signal.Signals) -> None:
        pass

    def abandon(self) -> None:
        pass

    def join(self) -> None:
        """Wait until it has delivered everything."""
        self._thread.join(15)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self._signals.stopped = True
        if self._thread.ident is not None:
            self._thread.join()


_PARENT = """
import json, os, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    Run, settings_for)
run = Run(Outbox(sys.argv[2]), settings_for(sys.argv[3], linger=float(sys.argv[4])), sys.argv[5])
courier = run.start()
print(json.dumps([os.getpid(), courier.pid]), flush=True)
sys.stdin.read()
run.finish()
run.writer.wait(5)
run.writer.abandon()
"""


class Parent:
    """A small process that stands for ansible-playbook. ``courier``: the pid of its courier."""

    def __init__(
        self, outbox: Outbox, url: str, linger: float = 10.0, identifier: str = "d1"
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PARENT, str(IMPORTED_FROM), str(outbox.root), url, str(linger),
             identifier],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.pid, self.courier = json.loads(self._process.stdout.readline())

    def kill(self, how: int = signal.SIGKILL) -> None:
        os.kill(self.pid, how)
        self._process.communicate(timeout=10)

    def end_input(self) -> None:
        """Let it finish, without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None

    def end(self) -> None:
        """Let it finish. Returns when every process has closed its output."""
        self._process.communicate(timeout=20)


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def text_of(result: WaitResult | None) -> str:
    """The warning about events that were not delivered."""
    assert result is not None, "everything was delivered"
    return result.text
