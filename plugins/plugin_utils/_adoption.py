# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes on what earlier runs left in the outbox: whose run is over for certain, and who may."""

from __future__ import annotations

import contextlib
import math
import os
import time

from ._delivery import Delivery
from ._liveness import host_identity, process_mark
from ._outbox import Folder, Outbox

# A folder of another host is taken over when nothing has touched it for so long.
ABANDONED_SECONDS = 120.0


def adopt(
    outbox: Outbox, folder: Folder, destination: str, ttl: float
) -> tuple[Delivery, int] | None:
    """Take on a folder that nobody looks after; return it with its lock, or None.

    It must be meant for ``destination``, and its run must be over for certain: on this host
    its process is gone, on another one nothing has touched the folder for two minutes. A run
    without a finish gets one, ``lost``. What cannot be read is set aside. Raises OSError.
    """
    lock = folder.lock()
    if lock is None:
        return None
    mine = False
    try:
        delivery = Delivery(outbox, folder, ttl, time.time)
        with contextlib.suppress(FileNotFoundError):
            delivery.refresh()
        if not _is_over(outbox, folder, delivery, destination):
            return None
        delivery.end("lost", folder.heartbeat()[1] or time.time())
        folder.beat(host_identity())
        mine = True
    finally:
        if not mine:
            os.close(lock)
    return delivery, lock


def ask_for(outbox: Outbox, folder: Folder, destination: str) -> bool:
    """Ask the courier that holds a folder to hand it over; return whether there is hope.

    There is none unless the folder is meant for ``destination`` and its run is over: beside a
    run that is alive its courier keeps it. Raises OSError.
    """
    delivery = Delivery(outbox, folder, math.inf, time.time)
    delivery.refresh()
    if delivery.run is None or not _is_over(outbox, folder, delivery, destination):
        return False
    folder.ask()
    return True


def _is_over(outbox: Outbox, folder: Folder, delivery: Delivery, destination: str) -> bool:
    host, beat = folder.heartbeat()
    with outbox.probe() as present:
        age = present - (beat or folder.path.stat().st_mtime)
    run = delivery.run
    if run is None:
        if age >= ABANDONED_SECONDS and folder.size():
            outbox.set_aside(folder)
        elif age >= ABANDONED_SECONDS:
            folder.remove()  # its run was killed before it had written anything
        return False
    if run.destination != destination:
        return False
    if host == host_identity():
        return process_mark(run.pid) != run.mark
    return age >= ABANDONED_SECONDS
