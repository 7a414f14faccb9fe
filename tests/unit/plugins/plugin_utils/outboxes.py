# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outboxes with deployments in them, for the tests of those who write and read them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.events import Naming
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    host_identity,
    process_mark,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import (
    RunRecord,
    events_record,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)

STARTED = 1_763_800_000.25
NAMING = Naming("deployment-start", "deployment-finish", "deployment-failure")
DESTINATION = "key:LTAI5tUnit"


def deployment(identifier: str = "d1", **parts: Any) -> Deployment:
    return Deployment(**{"id": identifier, "name": "shop", "started_at": STARTED, **parts})


def run_of(identifier: str = "d1", **parts: Any) -> RunRecord:
    """The record of a run; without ``pid`` and ``mark``, of one whose process is gone."""
    return RunRecord(
        **{
            "deployment": deployment(identifier),
            "naming": NAMING,
            "destination": DESTINATION,
            "host": host_identity(),
            "pid": os.getpid(),
            "mark": "of a process that is gone",
            **parts,
        }
    )


def alive() -> dict[str, Any]:
    """What makes a run one of this very process."""
    return {"pid": os.getpid(), "mark": process_mark(os.getpid())}


def new_outbox(place: Path) -> Outbox:
    outbox = Outbox(place / "outbox")
    outbox.prepare()
    return outbox


def start_record(identifier: str = "d1", at: float | None = None) -> dict[str, Any]:
    return events_record(deployment(identifier), NAMING, time.time() if at is None else at)


def finish_record(
    identifier: str = "d1", status: str = "succeeded", at: float | None = None
) -> dict[str, Any]:
    at = time.time() if at is None else at
    return events_record(deployment(identifier, status=status, finished_at=at), NAMING, at)


def left_behind(
    outbox: Outbox, identifier: str = "d1", finished: bool = False, **run: Any
) -> Folder:
    """The folder that an earlier run has left: its start, and perhaps its finish."""
    folder = outbox.create(identifier)
    folder.beat(host_identity())
    folder.append(run_of(identifier, **run).dump())
    folder.append(start_record(identifier))
    if finished:
        folder.append(finish_record(identifier))
    return folder


def names_of(events: Any) -> list[str]:
    return [event["name"] if isinstance(event, dict) else event.name for event in events]


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait for a condition to hold, and return what it says."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "not reached in time"
        time.sleep(0.01)
    return found


def open_locks(outbox: Outbox) -> list[str]:
    """What this process has open of an outbox."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # threads of the receiver close theirs meanwhile
            found.append(os.readlink(path))
    return [name for name in found if name.startswith(str(outbox.root))]


def holder_of(folder: Folder) -> subprocess.Popen[bytes]:
    """Another process that holds the lock of a folder until it is ended."""
    code = (
        "import fcntl, os, sys; f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600); "
        "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


def release(holder: subprocess.Popen[bytes]) -> None:
    holder.communicate(timeout=10)


class Service:
    """Answers as it is told to; ``bad`` are names of events that it finds wrong."""

    def __init__(self, answers: Sequence[str] = (), bad: Sequence[str] = ()) -> None:
        self._answers = list(answers)
        self._bad = set(bad)
        self.accepted: list[str] = []
        self.requests: list[list[str]] = []

    def send(self, events: Sequence[Event]) -> DeliveryError | None:
        names = names_of(events)
        self.requests.append(names)
        answer = self._answers.pop(0) if self._answers else "delivered"
        if answer == "delivered" and self._bad & set(names):
            answer = "bad_request"
        if answer == "delivered":
            self.accepted += names
            return None
        kind = {"keep": "connection", "refused": "signature"}.get(answer, answer)
        outcome = Outcome.OUTAGE if answer == "keep" else Outcome.REFUSED
        return DeliveryError("the service says " + answer, kind, outcome)
