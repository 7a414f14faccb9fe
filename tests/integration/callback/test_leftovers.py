# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does with that which earlier runs have left in the outbox."""

from __future__ import annotations

import os
import time

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Folder
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    play,
    say,
)

ALL_EVENTS = [START, FINISH, FAILURE]
HOUR = 3600.0


def age(folder: Folder, seconds: float) -> None:
    """Make a folder of the outbox look as if nothing had touched it for so long."""
    then = time.time() - seconds
    for path in (folder.path / "heartbeat", folder.path):
        os.utime(path, (then, then))


def test_the_next_run_says_in_one_line_what_waits_and_delivers_it(project: Project) -> None:
    here = project.store("A")
    lost = project.store("elsewhere", None, host="another-host")
    alive = project.store("alive", None, host="another-host")
    for folder in (lost, alive):
        folder.beat("another-host")
    for folder, seconds in ((here, HOUR), (lost, HOUR), (alive, 60)):
        age(folder, seconds)
    records = [entry.record or {} for entry in here.entries()]
    written = [event for record in records for event in record.get("events", [])]

    ended = project.run([play(say(), hosts="h1")], CLOUDMONITOR_DEPLOYMENT_ID="healthy")

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    lines = [line for line in ended.output.splitlines() if line.startswith("aliops.cloudmonitor:")]
    assert lines == [
        f"aliops.cloudmonitor: 3 earlier deployments with undelivered events in {project.outbox}"
    ]
    arrived = [event for event in project.receiver.events if '"id":"A"' in event["content"]]
    assert [event["name"] for event in arrived] == ALL_EVENTS
    for event, original in zip(arrived, written, strict=True):  # with the time of the occurrence
        assert (event["time"], event["content"]) == (original["time"], original["content"])
    # A deployment of another host is lost only when nothing touches it.
    assert [event["event"] for event in project.events(id="elsewhere")] == ALL_EVENTS
    finish = project.events(id="elsewhere")[1]
    assert (finish["status"], finish["reason"]) == ("aborted", "lost")
    assert project.events(id="alive") == []
    assert project.waiting() == ["alive"]
