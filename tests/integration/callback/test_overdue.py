# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs that take too long."""

from __future__ import annotations

import signal
from datetime import datetime

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
    say,
    until,
)

OVERDUE = "stuck"


def test_of_two_playbooks_only_the_one_that_takes_too_long_is_reported_even_if_it_is_stopped(
    project: Project,
) -> None:
    project.config("overdue_after = 3\noverdue_event = stuck")
    project.write("slow.yml", [play(project.wait_task(), hosts="h1")])
    project.write("quick.yml", [play(say(), hosts="h1")])
    run = project.start("slow.yml", "quick.yml", CLOUDMONITOR_DEPLOYMENT_ID="A")
    project.under_way()
    project.noted("A")
    run.kill(signal.SIGSTOP)
    project.receiver.set_faults(["status=503"])  # and the service is down at that moment
    try:
        until(lambda: project.events(event=OVERDUE), "an event about a run that takes too long")
    finally:
        run.kill(signal.SIGCONT)
    received = project.receiver.events[-1]["received_at"]
    project.release()

    assert run.ended().rc == 0
    project.settled()
    assert [event["event"] for event in project.events(name="slow")] == [START, OVERDUE, FINISH]
    assert [event["event"] for event in project.events(name="quick")] == [START, FINISH]
    [start], [overdue] = project.events(event=START, name="slow"), project.events(event=OVERDUE)
    differ = {key for key in {*start, *overdue} if start.get(key) != overdue.get(key)}
    assert differ == {"event", "phase", "time", "duration_s"}
    assert 3 <= overdue["duration_s"] < 4
    begin, arrived = map(datetime.fromisoformat, (start["started_at"], received))
    assert 3 <= (arrived - begin).total_seconds() < 6
