# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes on what earlier runs left in the outbox: whose run is over for certain, and who may."""

from __future__ import annotations

import contextlib
import math
import os
import time

from .delivery import Delivery
from .destination import Account
from .liveness import host_identity, process_mark
from .records import RunRecord
from .storage import Folder, Outbox

# A folder of another host is taken over when nothing has touched it for so long.
ABANDONED_SECONDS = 120.0


def adopt(
    outbox: Outbox, folder: Folder, account: Account, ttl: float
) -> tuple[Delivery, int] | None:
    """Take on a folder that nobody looks after; return it with its lock, or None.

    It must be meant for ``account``, and its run must be over for certain: on this host
    its process is gone, on another one nothing has touched the folder for two minutes. A run
    without a finish gets one, ``lost``. What cannot be read is set aside, and what is older than
    ``ttl`` (seconds) is given up, whatever it is meant for. Raises OSError.
    """
    lock = folder.lock()
    if lock is None:
        return None
    mine = False
    try:
        delivery = Delivery(outbox, folder, ttl, time.time)
        with contextlib.suppress(FileNotFoundError):
            delivery.refresh()
        if delivery.run is None:
            _clear_away(outbox, folder)
            return None
        if not _is_over(outbox, folder, delivery.run):
            return None
        destination = delivery.destination
        if destination not in account.accepted:
            if _silence(outbox, folder) > ttl:
                _give_up(folder, delivery)
            return None
        if destination != account.destination:
            folder.set_destination(account.destination)
        delivery.end("lost", _last_alive(folder))
        folder.beat(host_identity())
        mine = True
    finally:
        if not mine:
            os.close(lock)
    return delivery, lock


def ask_for(outbox: Outbox, folder: Folder, account: Account) -> bool:
    """Ask the courier that holds a folder to hand it over; return whether there is hope.

    There is none unless the folder is meant for ``account`` and its run is over: beside a
    run that is alive its courier keeps it. Raises OSError.
    """
    delivery = Delivery(outbox, folder, math.inf, time.time)
    delivery.refresh()
    if delivery.run is None or delivery.destination not in account.accepted:
        return False
    if not _is_over(outbox, folder, delivery.run):
        return False
    folder.ask()
    return True


def _is_over(outbox: Outbox, folder: Folder, run: RunRecord) -> bool:
    if folder.heartbeat()[0] == host_identity():
        return process_mark(run.pid) != run.mark
    return _silence(outbox, folder) >= ABANDONED_SECONDS


def _give_up(folder: Folder, delivery: Delivery) -> None:
    """Bury what is too old though it is meant for others: their AccessKey may never come back."""
    delivery.end("lost", _last_alive(folder))
    delivery.give_up()
    if delivery.done:
        folder.remove()


def _last_alive(folder: Folder) -> float:
    return folder.heartbeat()[1] or time.time()


def _silence(outbox: Outbox, folder: Folder) -> float:
    """Return for how many seconds nothing has touched a folder."""
    beat = folder.heartbeat()[1]
    with outbox.probe() as present:
        return present - (beat or folder.path.stat().st_mtime)


def _clear_away(outbox: Outbox, folder: Folder) -> None:
    """Set a folder aside that does not say whose it is, or remove it when it is empty."""
    if _silence(outbox, folder) < ABANDONED_SECONDS:
        return  # it is being made
    if folder.size():
        outbox.set_aside(folder)
    else:
        folder.remove()  # its run was killed before it had written anything
