# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the process of a run can still be alive, and for how long this host has been up."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from ...module_utils._api.frozen import frozen

# Stands for a boot that has no name.
_PROCESS = os.urandom(6).hex()


@frozen
class Uptime:
    """Seconds since a boot. ``boot`` tells boots apart."""

    boot: str
    seconds: float


def host_identity() -> str:
    """Return a text that differs between hosts, boots and containers, in ASCII.

    It is equal where the process ids of one mean something to the other.
    """
    parts = [os.uname().nodename.encode("ascii", "backslashreplace").decode("ascii")]
    with suppress(OSError):
        parts.append(_boot_id())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def process_mark(pid: int) -> str | None:
    """Return what tells a process from a later one with the same pid, None if it has ended.

    Raises OSError if neither is certain.
    """
    try:
        # The kernel cuts a process's name where it likes, even in the middle of a character.
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except ProcessLookupError:  # it ended between open(2) and read(2)
        return None
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    else:
        fields = text.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]  # proc(5): state, starttime
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # it is there, and belongs to somebody else
        pass
    return "alive"


def is_running(pid: int, mark: str) -> bool:
    """Return whether the process can still be there; True if that is uncertain."""
    try:
        return process_mark(pid) == mark
    except (OSError, OverflowError):
        return True


def uptime() -> Uptime:
    """Return for how long this host has been up. The time does not depend on the clock."""
    boot = _boot()
    if boot is None:  # other processes cannot compare it with theirs
        return Uptime(_PROCESS, time.monotonic())
    return Uptime(boot, time.clock_gettime(time.CLOCK_BOOTTIME))


@cache
def _boot() -> str | None:
    """Return which boot this is, None if this host does not name its boots."""
    try:
        boot = _boot_id()
    except OSError:
        return None
    with suppress(OSError):  # the time since the boot has an offset in a time namespace
        boot += " " + os.readlink("/proc/self/ns/time")
    return boot


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
