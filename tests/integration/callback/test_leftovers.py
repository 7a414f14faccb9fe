# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does with that which earlier runs have left in the outbox."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Ended,
    Project,
    play,
    say,
)

OTHER = "LTAI5tOther"
ALL_EVENTS = [START, FINISH, FAILURE]
HOUR = 3600.0


def age(folder: Path, seconds: float = HOUR, host: str | None = None) -> None:
    """Make a folder of the outbox look as if nothing had touched it for so long."""
    if host is not None:
        (folder / "heartbeat").write_text(host)
    then = time.time() - seconds
    for path in (folder / "heartbeat", folder):
        if path.exists():
            os.utime(path, (then, then))


def names(project: Project, name: str, receiver: Receiver | None = None) -> list[str]:
    return [event["event"] for event in project.events(receiver, id=name)]


def healthy(project: Project, name: str = "healthy", **variables: str) -> Ended:
    """Run once more, undisturbed, and wait for all couriers."""
    ended = project.run([play(say())], CLOUDMONITOR_DEPLOYMENT_ID=name, **variables)
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert names(project, name) == [START, FINISH]
    return ended


def test_the_next_run_says_in_one_line_what_waits_and_delivers_it(project: Project) -> None:
    project.leave("A")
    project.leave("B")
    for name in ("A", "B"):
        age(project.outbox / "runs" / name)
    written = _journalled(project, "A")

    ended = healthy(project)

    lines = [line for line in ended.output.splitlines() if line.startswith("aliops.cloudmonitor:")]
    assert lines == [
        f"aliops.cloudmonitor: 2 earlier deployments with undelivered events in {project.outbox}"
    ]
    assert names(project, "A") == names(project, "B") == ALL_EVENTS
    arrived = [event for event in project.receiver.events if '"A"' in event["content"]]
    for event, original in zip(arrived, written, strict=True):  # with the time of the occurrence
        assert (event["time"], event["content"]) == (original["time"], original["content"])
    assert project.waiting() == []


def _journalled(project: Project, name: str) -> list[dict[str, str]]:
    lines = (project.outbox / "runs" / name / "journal").read_text().splitlines()
    events = [event for line in lines for event in json.loads(line).get("events", [])]
    return [{**event, "event": event["name"]} for event in events]


def test_a_deployment_of_another_host_is_lost_only_when_nothing_touches_it(
    project: Project,
) -> None:
    run = project.start([play(project.wait_task())], CLOUDMONITOR_DEPLOYMENT_ID="elsewhere")
    project.under_way()
    project.noted("elsewhere")
    for pid in (*project.couriers(), run.process.pid):
        os.kill(pid, signal.SIGKILL)
    run.ended()
    project.settled()
    folder = project.outbox / "runs" / "elsewhere"
    age(folder, 60, "another-host")

    healthy(project, "first")

    assert names(project, "elsewhere") == [START]
    age(folder, HOUR, "another-host")
    healthy(project, "second")
    assert names(project, "elsewhere") == ALL_EVENTS
    finish = project.events(id="elsewhere")[1]
    assert (finish["status"], finish["reason"]) == ("aborted", "lost")
    # The last sign of life is the best that is known.
    assert finish["duration_s"] == 0


def test_two_runs_with_one_id_at_the_same_time_do_not_meet(project: Project) -> None:
    project.write("site.yml", [play(say())])
    runs = [project.start("site.yml", CLOUDMONITOR_DEPLOYMENT_ID="../same id") for _number in "12"]
    for run in runs:
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert sorted(names(project, "../same id")) == sorted([START, FINISH] * 2)
    assert not (project.folder / "same id").exists()
    assert project.waiting() == []
