# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells whether a process of an earlier run can still be alive."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def host_identity() -> str:
    """Return what tells this host and container from others: equal while its processes can live."""
    parts = [os.uname().nodename]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def process_mark(pid: int) -> str:
    """Return what tells a living process from a later one with the same pid; "" when it is gone."""
    try:
        # The kernel cuts a process's name where it likes, in the middle of a character, too.
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = text.rpartition(")")[2].split()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return ""
    except OSError:
        return ""
    else:
        return "" if fields[0] in "ZX" else fields[19]  # proc(5): state, starttime
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "alive"
