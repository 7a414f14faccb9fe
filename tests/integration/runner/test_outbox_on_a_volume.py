# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An outbox on a volume: what one job could not deliver, a later one does, on any node."""

from __future__ import annotations

import configparser
import os
import re
import time

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Ended,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import (
    FILES,
    Job,
)


def leave_to_another_node(project: Project) -> None:
    """Make the outbox look as when a node has left it, and two minutes have gone by since."""
    before = time.time() - 180
    for folder in (project.outbox / "runs").iterdir():
        (folder / "heartbeat").write_text("another-node", encoding="utf-8")
        os.utime(folder / "heartbeat", (before, before))


def expect_unknown_callback(ended: Ended) -> None:
    """See that Ansible missed AWX's own callback; it is in AWX's images only."""
    assert "indirect_instance_count" in ended.warnings[0]


def test_the_example_configuration_keeps_events_in_its_volume_for_the_next_job(job: Job) -> None:
    project = job.project
    example = (FILES / "ansible.cfg").read_text(encoding="utf-8")
    text, count = re.subn(r"(?m)^outbox = .*$", f"outbox = {project.outbox}", example)
    assert count == 1
    job.write("project/ansible.cfg", text)
    settings = configparser.ConfigParser()
    settings.read_string(text)
    # AWX puts one of its own before what the project enables (RunJob.build_env).
    enabled = "indirect_instance_count," + settings["defaults"]["callbacks_enabled"]
    job.play([play(say(), hosts="h1")])
    given: dict[str, str | None] = {
        "CLOUDMONITOR_OUTBOX": None,
        "ANSIBLE_CALLBACKS_ENABLED": enabled,
    }
    project.receiver.set_faults(["status=503*inf"])

    first = job.run(**given, CLOUDMONITOR_LINGER="0", CLOUDMONITOR_DEPLOYMENT_ID="A").ended()

    assert first.rc == 0, first.output
    project.settled()
    assert project.waiting() == ["A"]
    assert "Events wait in" in job.shown()
    expect_unknown_callback(first)
    project.store("lost", None)  # of a job that went with its node
    leave_to_another_node(project)
    project.receiver.set_faults([])

    second = job.run(**given, CLOUDMONITOR_LINGER="60", CLOUDMONITOR_DEPLOYMENT_ID="B").ended()

    assert second.rc == 0, second.output
    expect_unknown_callback(second)
    project.settled()
    events = project.events()
    assert sorted((event["id"], event["event"]) for event in events) == [
        ("A", FINISH),
        ("A", START),
        ("B", FINISH),
        ("B", START),
        ("lost", FAILURE),
        ("lost", FINISH),
        ("lost", START),
    ]
    assert {event["reason"] for event in project.events(id="lost")[1:]} == {"lost"}
    events = [event for event in events if event["id"] != "lost"]
    assert {event["environment"] for event in events} == {"production"}
    assert project.waiting() == project.dead() == []
