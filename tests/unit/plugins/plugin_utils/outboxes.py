# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outboxes with deployments in them, for the tests of those who write and read them."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

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


def all_letters(outbox: Outbox) -> list[tuple[Path, list[dict[str, Any]]]]:
    """Return the files with dead letters and the letters in each."""
    letters = outbox.dead_letters
    return [(path, list(letters.letters(path))) for path in letters.files()]


# What may be in the place of a file.
KINDS = ("fifo", "socket", "directory", "full directory", "link", "dangling link", "device")


@contextmanager
def in_place_of(path: Path, kind: str) -> Iterator[None]:
    """Put something else in the place of a file. Skips what this user or system cannot make."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        path.unlink()
    with ExitStack() as stack:
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            with working_directory(path.parent):
                server.bind(path.name)
        elif kind.endswith("directory"):
            path.mkdir()
            if kind.startswith("full"):
                (path / "precious").write_text("theirs")
        elif kind == "dangling link":
            path.symlink_to(path.parent / "nowhere" / "at all")
        elif kind == "link":
            theirs = Path(stack.enter_context(tempfile.TemporaryDirectory()), "theirs")
            theirs.write_text('{"theirs": 7}\n')
            path.symlink_to(theirs)
            stack.callback(lambda: _assert_text(theirs, '{"theirs": 7}\n'))
        else:
            try:
                os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero has no end
            except OSError as exc:
                pytest.skip(f"no device can be made here: {exc}")
        yield


def _assert_text(path: Path, text: str) -> None:
    assert path.read_text() == text


@contextmanager
def working_directory(path: Path) -> Iterator[None]:
    """Work in another directory: the path of a socket has at most 108 bytes."""
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


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


def holder_of(folder: Folder) -> int:
    """Take the lock of a folder and return what holds it until it is released.

    Locks belong to open files, so others meet this one as they meet that of another process.
    """
    holder = os.open(folder.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(holder, fcntl.LOCK_EX)
    return holder


def release(holder: int) -> None:
    os.close(holder)


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
        kind = {"keep": "connection", "later": "clock", "refused": "signature"}.get(answer, answer)
        outcome = {"keep": Outcome.OUTAGE, "later": Outcome.REFUSED_FOR_NOW}.get(
            answer, Outcome.REFUSED
        )
        return DeliveryError("the service says " + answer, kind, outcome)
