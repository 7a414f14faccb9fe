# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adopts orphans: folders that earlier runs left in the outbox.

Every decision here is made in the same order. First it is established that the run is over: from
then on its folder does not change. Only then its journal is read, to decide whether a finish is
missing or the folder is damaged. In the other order, a run that writes its finish in between would
be reported twice.

Nothing here raises an exception. Whatever is wrong with a folder harms that folder only.
"""

from __future__ import annotations

import contextlib
import math
import os
import time

from ...module_utils._api.frozen import frozen
from .delivery import Delivery
from .destination import Account
from .liveness import host_identity, is_running
from .log import LogDecision, event_count
from .records import QueueRecord, RunRecord
from .storage import DamagedFolder, Folder, Outbox, damage_reported

# A folder of another host is adopted after nothing has touched it for so long.
ABANDONED_SECONDS = 120.0


@frozen
class Evidence:
    """Whether a process still looks after a folder. To be collected before the journal is read.

    ``host``: the host of the process that touched the folder last; ``is_silent``: nothing has
    touched it for two minutes.
    """

    host: str
    is_silent: bool

    @staticmethod
    def collect(outbox: Outbox, folder: Folder) -> Evidence:
        """Collect the evidence. Raises OSError.

        A heartbeat in the future is a wrong one: the two minutes begin now.
        """
        (host, beat), present = folder.heartbeat(), outbox.present()
        if beat > present:
            folder.beat()
        return Evidence(host, present - beat >= ABANDONED_SECONDS)

    def shows_end(self, head: RunRecord | QueueRecord) -> bool:
        """Return whether nothing is written any more and no process delivers, for certain.

        Only a process that has adopted a queue touches it.
        """
        here = host_identity()
        if isinstance(head, QueueRecord):
            return self.host in ("", here) or self.is_silent
        run = head
        if run.host == here and is_running(run.pid, run.mark):
            return False
        # The last process that touched the folder was the courier of the run or, once the run
        # was known to be over, a process that had adopted the folder.
        return self.host == here or self.is_silent


def adopt(
    outbox: Outbox, folder: Folder, account: Account, ttl: float
) -> tuple[Delivery, int] | None:
    """Adopt a folder that no process looks after; return it with its lock, or None.

    It must be meant for ``account``, and its run must be over for certain: on this host
    its process is gone, on another one nothing has touched the folder for two minutes. A run
    without a finish gets one, ``lost``. A folder that cannot be read is set aside. Events that
    have waited for ``ttl`` (seconds) are given up, even if they are meant for another destination.
    Never raises an exception.
    """
    lock: int | None = None
    delivery: Delivery | None = None
    with contextlib.suppress(OSError, MemoryError):
        try:
            with damage_reported(folder):
                lock = folder.lock()
                if lock is not None:
                    delivery = _adopted(outbox, folder, account, ttl, lock)
        except DamagedFolder:
            set_aside_damaged(outbox, folder)
    if lock is not None and delivery is not None:
        return delivery, lock
    if lock is not None:
        os.close(lock)
    return None


def _adopted(
    outbox: Outbox, folder: Folder, account: Account, ttl: float, lock: int
) -> Delivery | None:
    """Return the delivery of a folder whose lock is held, None if it is not ours to deliver."""
    evidence = Evidence.collect(outbox, folder)
    delivery = Delivery(outbox, folder, ttl, time.time)
    delivery.refresh()
    if delivery.head is None:
        if evidence.is_silent:  # else it is being made
            _clear_away(outbox, folder, lock)
        return None
    if not evidence.shows_end(delivery.head) or _is_behind_another(outbox, delivery):
        return None
    # The run is over, and no courier of it is left: from here on nobody else writes.
    delivery.refresh()
    destination = delivery.destination
    if destination not in account.accepted:
        if delivery.expired:
            _give_up(outbox, folder, delivery, lock)
        return None
    if destination != account.destination:
        folder.set_destination(account.destination)
    delivery.end("lost", _last_alive(outbox, folder))
    folder.beat(host_identity())
    text = f"{event_count(delivery.events)} to deliver, by process {os.getpid()}"
    outbox.log.add(folder.name, LogDecision.ADOPTED, text)
    return delivery


def request_handover(outbox: Outbox, folder: Folder, account: Account) -> bool:
    """Request a folder from the courier that holds it; return whether it may hand it over.

    It will not unless the folder is meant for ``account`` and its run is over: while a run is
    alive its courier keeps the folder. Never raises an exception.
    """
    with contextlib.suppress(OSError, MemoryError, DamagedFolder), damage_reported(folder):
        evidence = Evidence.collect(outbox, folder)
        delivery = Delivery(outbox, folder, math.inf, time.time)
        delivery.refresh()
        if delivery.head is None or delivery.destination not in account.accepted:
            return False
        if not evidence.shows_end(delivery.head):
            return False
        folder.request_handover()
        return True
    return False


def _is_behind_another(outbox: Outbox, delivery: Delivery) -> bool:
    """Return whether the part of a queue with the events before these still waits."""
    queue = delivery.queue
    if queue is None or queue.after is None or delivery.expired:
        return False
    return Folder(outbox.runs / queue.after).exists()


def set_aside_damaged(outbox: Outbox, folder: Folder) -> bool:
    """Move a folder that cannot be used to ``damaged``; return whether it was moved.

    It stays where it is as long as its run may be alive. Never raises an exception.
    """
    with contextlib.suppress(OSError, MemoryError, DamagedFolder), damage_reported(folder):
        if not Evidence.collect(outbox, folder).is_silent:
            return False
        run = _first_run(outbox, folder)
        if run is not None and run.host == host_identity() and is_running(run.pid, run.mark):
            return False
        outbox.set_aside(folder)
        return True
    return False


def _first_run(outbox: Outbox, folder: Folder) -> RunRecord | None:
    """Return the run of a damaged folder, as far as it can still be read."""
    delivery = Delivery(outbox, folder, math.inf, time.time)
    with contextlib.suppress(DamagedFolder):
        delivery.refresh()
    return delivery.run


def _last_alive(outbox: Outbox, folder: Folder) -> float:
    """Return when a run was last seen alive, in epoch seconds."""
    return max(0.0, min(folder.heartbeat()[1], outbox.present()))


def _give_up(outbox: Outbox, folder: Folder, delivery: Delivery, lock: int) -> None:
    """Give up events for another destination that are too old: its AccessKey may never return."""
    delivery.end("lost", _last_alive(outbox, folder))
    delivery.give_up()
    if delivery.done:
        folder.remove(lock)


def _clear_away(outbox: Outbox, folder: Folder, lock: int) -> None:
    """Set a folder aside that does not name its run, or remove it if it is empty."""
    if folder.size():
        outbox.set_aside(folder)
    else:
        folder.remove(lock)  # its run was killed before it had written anything
