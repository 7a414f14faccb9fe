# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The producer side of the outbox: writes the events of one run and waits for their delivery.

It runs in Ansible's controller process: no network, no threads.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...module_utils._api.endpoint import shown_endpoint
from ...module_utils._api.frozen import frozen
from .._deployment.events import Naming
from .courier_settings import CourierSettings
from .end_of_run import Decision, decide, warning
from .launch import CourierProcess
from .liveness import host_identity, process_mark
from .records import RunRecord, finish_content
from .status import DeliveryStatus
from .storage import WAKE_SIGNAL, Folder, Outbox, OutboxError

if TYPE_CHECKING:
    from .log import LogLine

_LOCK_SECONDS = 1.0
_POLL_SECONDS = 0.01
# A healthy service accepts the finish within some milliseconds.
_FIRST_SECONDS, _FIRST_POLL_SECONDS = 0.1, 0.001


@frozen
class WaitResult:
    """Why a run stopped waiting although not everything is delivered.

    ``text``: one warning of at most about 200 characters. ``detail``: the whole error of the last
    attempt, None if there is no such error.
    """

    decision: Decision
    text: str
    detail: str | None = None


class OutboxWriter:
    """Writes one deployment's folder in the outbox, and hands it over to the courier."""

    def __init__(self, outbox: Outbox, settings: CourierSettings) -> None:
        self._outbox = outbox
        self._settings = settings
        self._folder: Folder | None = None
        self._courier: CourierProcess | None = None
        self._lock: int | None = None
        self._dead_letters_before = 0
        self.history_problem: str | None = None

    def open(self, run_id: str, run: RunRecord, start: Mapping[str, Any]) -> None:
        """Create the folder of a run and write its start. Raises OutboxError.

        Both at once: a run that is killed in between would have a finish and no start.
        """
        folder = self._outbox.create(run_id)
        self._folder = folder
        self._dead_letters_before = self._outbox.dead_letters.size(folder.name)
        try:
            self._lock = _lock(folder)
            folder.beat(host_identity())
            folder.reserve()
            folder.append(run.dump(), dict(start))
        except OSError as exc:
            self.discard()
            raise OutboxError(
                f"{self._outbox.root} cannot be written ({exc.strerror or exc})",
                option="outbox",
                advice="Name another directory as outbox.",
            ) from exc

    def write(self, record: Mapping[str, Any]) -> None:
        """Write a record durably, and wake the courier. Raises OutboxError.

        A finish is added to the history first: if this process is killed in between, the courier
        writes another finish and adds that. ``history_problem`` then is None or one line of text.
        """
        folder = self._opened
        finish = finish_content(record)
        self._add_to_history(finish)
        try:
            folder.append(dict(record))
        except OSError as exc:
            raise OutboxError(
                f"{self._outbox.root} cannot be written ({exc.strerror or exc})",
                option="outbox",
                advice="An event of this run is lost.",
            ) from exc
        if self.history_problem is not None:  # on a full disk, the reserve is free now
            self._add_to_history(finish)
        if self._courier is not None:
            self._courier.wake(WAKE_SIGNAL)
        if finish is not None:  # while the courier sends it
            self._outbox.history.update_current()

    def _add_to_history(self, finish: Mapping[str, Any] | None) -> None:
        if finish is not None:
            self.history_problem = self._outbox.history.add_line(finish, "callback")

    def count_events(self) -> int:
        """Return how many events are in the journal, also those that the courier has added.

        Only before the finish is written: the folder goes when that is delivered. 0 if the
        journal cannot be read.
        """
        try:
            entries = self._opened.entries()
        except (OSError, OutboxError):
            return 0
        return sum(len((entry.record or {}).get("events") or ()) for entry in entries)

    def log_lines(self) -> Iterator[LogLine]:
        """Yield the lines about this deployment in the log of the outbox, the oldest first."""
        return self._outbox.log.lines(self._opened.name)

    @property
    def where(self) -> str:
        """Where the events go: the region or the endpoint."""
        return shown_endpoint(self._settings.connection.endpoint)

    @property
    def has_courier(self) -> bool:
        """Whether a courier delivers this deployment."""
        return self._courier is not None

    def discard(self) -> None:
        """Remove the folder of a run that is not reported: nobody is to find it unfinished."""
        # Another run may get a folder of this name as soon as this one is removed.
        folder, self._folder = self._folder, None
        if folder is not None:
            with contextlib.suppress(OSError):
                folder.remove()
        self._release_lock()

    def hand_over(self, courier: CourierProcess) -> None:
        """Let a courier deliver what is written; it takes over the lock. Raises OSError."""
        folder, lock = self._opened, self._lock
        if lock is None:
            raise RuntimeError("a courier has the lock already")
        settings = self._settings.for_run(self._outbox.root, folder.name)
        # Before the courier can send anything: after Ctrl-C, this is a run like any other.
        self._courier = courier
        try:
            courier.hand_over(settings.plain(), lock)
        except Exception:
            self._courier = None
            raise
        # From here on the courier alone has the lock; workers forked later must not inherit it.
        self._release_lock()

    def wait(
        self, seconds: float, interrupted: Callable[[], bool] = lambda: False
    ) -> WaitResult | None:
        """Wait for the delivery of everything, at most ``seconds`` (see ``end_of_run.decide``).

        Returns what is wrong and where the events are, None if all were accepted. It only reads,
        so it can be interrupted at any time. It also ends when ``interrupted`` returns true.
        """
        if self._folder is None:
            return None
        begin = time.monotonic()
        while True:
            # Asked first: a courier that has delivered everything removes the folder, then ends.
            courier_is_alive = self._courier is not None and self._courier.is_alive
            delivered = not self._folder.exists()
            status = DeliveryStatus.parse(self._folder.status())
            decision = decide(
                status,
                delivered=delivered,
                courier_is_alive=courier_is_alive,
                waited=time.monotonic() - begin,
                limit=seconds,
            )
            if decision is Decision.DELIVERED:
                return self._refusal()
            if decision is Decision.KEEP_WAITING and interrupted():
                decision = Decision.INTERRUPTED
            if decision is not Decision.KEEP_WAITING:
                return self._result(decision, status, seconds)
            _pause(self._folder, is_first=time.monotonic() - begin < _FIRST_SECONDS)

    def abandon(self) -> None:
        """Part with the courier without Python's warning about a process that still runs."""
        if self._courier is not None:
            self._courier.abandon()

    @property
    def _opened(self) -> Folder:
        if self._folder is None:
            raise RuntimeError("open() comes first")
        return self._folder

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refusal(self) -> WaitResult | None:
        """Return why the service refused events of this run, None if it did not."""
        name = self._opened.name
        if self._outbox.dead_letters.size(name) <= self._dead_letters_before:
            return None
        letter = self._outbox.dead_letters.last(name)
        if letter is None:
            return None
        brief, reason = letter.get("brief"), letter.get("reason")
        return self._refused(str(brief) if brief else None, str(reason) if reason else None)

    def _refused(self, brief: str | None, detail: str | None) -> WaitResult:
        # Reported here, so that the next run need not.
        self._outbox.dead_letters.announce(self._opened.name)
        return self._unfinished(Decision.REFUSED, brief, 0.0, detail)

    def _result(self, decision: Decision, status: DeliveryStatus, seconds: float) -> WaitResult:
        if decision is Decision.REFUSED:
            return self._refused(status.brief, status.text)
        return self._unfinished(decision, status.brief, seconds, status.text)

    def _unfinished(
        self, decision: Decision, brief: str | None, limit: float, detail: str | None
    ) -> WaitResult:
        text = warning(decision, brief, self._outbox.root, self._outbox.dead, limit)
        return WaitResult(decision, text, detail)


def run_record(deployment: Any, naming: Naming, destination: str) -> RunRecord:
    """Return the record of a run of this process."""
    return RunRecord(
        deployment=deployment,
        naming=naming,
        destination=destination,
        host=host_identity(),
        pid=os.getpid(),
        mark=process_mark(os.getpid()) or "",
    )


def _pause(folder: Folder, is_first: bool) -> None:
    """Wait until it is time to look at everything again.

    If ``is_first``, it ends within a millisecond after the folder is gone. Only to look for the
    folder costs a tenth of reading the status, and the courier may need the processor.
    """
    if not is_first:
        time.sleep(_POLL_SECONDS)
        return
    until = time.monotonic() + _POLL_SECONDS
    while time.monotonic() < until and folder.exists():
        time.sleep(_FIRST_POLL_SECONDS)


def _lock(folder: Folder) -> int:
    """Take the lock of a folder that was just made. Raises OSError.

    Another run's courier that looks for orphans may hold it for a moment.
    """
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        lock = folder.lock()
        if lock is not None:
            return lock
        if time.monotonic() >= end:
            raise OSError(0, "its lock is held by another process")
        time.sleep(_POLL_SECONDS)
