# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outbox with something of everything, and what is on disk, to see that nothing changes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.log import LogDecision
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.queue import (
    Origin,
    queue_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    alive,
    deployment,
    finish_record,
    left_behind,
    run_of,
    start_record,
)

DOWN = DeliveryError("It is down.", "connection", Outcome.OUTAGE)


def fill(outbox: Outbox) -> None:
    """Put something of everything into an outbox."""
    running = outbox.create("running")
    running.append(
        run_of("running", deployment=deployment("running", environment="live"), **alive()).dump()
    )
    running.append(start_record("running"))
    left_behind(outbox, "waiting", finished=True).set_status({"text": "It is down."})
    left_behind(outbox, "lost")
    events = [Event("export", str(number), 0, "20171023T064439.948+0000") for number in range(3)]
    queue_events(outbox, events, Origin("export", None, DESTINATION), DOWN)
    for reason in ("first", "second"):
        letter = {"kind": "refused", "reason": reason, "added_at": time.time() - 60}
        outbox.dead_letters.add(
            "dead", {**letter, "events": finish_record("dead", "failed")["events"]}
        )
    (outbox.damaged / "old").mkdir()
    outbox.log.add("waiting", LogDecision.RETRY, "2 events: no answer; next attempt in 42.0 s")
    outbox.log.add("done", LogDecision.ACCEPTED, "2 events, cn-hangzhou, 0.103 s")
    outbox.history.add({"id": "done", "name": "site", "status": "succeeded"}, "callback")


def snapshot(root: Path) -> dict[str, tuple[Any, ...]]:
    """Return mode, owner, size, times, inode and links of everything below a directory."""
    return {
        str(path): (
            found.st_mode,
            found.st_uid,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_ino,
            found.st_nlink,
        )
        for path in [root, *sorted(root.rglob("*"))]
        for found in [path.lstat()]
    }
