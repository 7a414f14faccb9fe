# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every end of a run is reported: one start, and one finish with the true status."""

from __future__ import annotations

import os
import signal
from datetime import datetime

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Content,
    Project,
    fail,
    play,
    say,
)

HOSTS = {"total": 2, "ok": 2, "changed": 0, "failed": 0, "unreachable": 0, "rescued": 0}
GONE = {"ansible_connection": "gone"}
ON_H1 = {"when": "inventory_hostname == 'h1'"}


@pytest.mark.every_core
def test_each_playbook_of_a_command_line_is_reported_once_and_correctly(project: Project) -> None:
    project.write("one.yml", [play(say(), {"block": [fail(**ON_H1)], "rescue": [say()]})])
    project.write("nobody.yml", [play(say(), hosts="nobody")])
    reach = {"name": "Reach", "ansible.builtin.raw": "true", "vars": GONE, **ON_H1}
    restart = fail(name="Restart", when="inventory_hostname == 'h2'")
    project.write("three.yml", [play(fail(ignore_errors=True), reach, restart)])
    project.write("four.yml", [play(say())])

    ended = project.start(
        "one.yml", "nobody.yml", "three.yml", "four.yml", CLOUDMONITOR_DEPLOYMENT_ID="release"
    ).ended()

    # Ansible stops at the first playbook that fails.
    assert (ended.rc in (2, 4, 6), ended.warnings) == (True, []), ended.output
    project.settled()
    one = check_events(project.events(id="release"), "succeeded")
    assert (one["name"], one["hosts"]) == ("one", {**HOSTS, "changed": 2, "rescued": 1})
    nobody = check_events(project.events(id="release/2"), "empty")
    assert nobody["hosts"] == {**HOSTS, "total": 0, "ok": 0}
    three = check_events(project.events(id="release/3"), "failed")
    assert three["hosts"] == {**HOSTS, "ok": 0, "failed": 1, "unreachable": 1}
    assert three["failures"] == [{"host": "h1", "task": "Reach"}, {"host": "h2", "task": "Restart"}]
    assert len(project.events()) == 7
    assert project.waiting() == project.dead() == []


BROKEN = {
    "in an include": [
        play(say(), {"name": "Include", "ansible.builtin.include_tasks": "broken.yml"})
    ],
    "in the second play": [play(say()), play(say(), hosts="{{ nowhere }}")],
}


@pytest.mark.every_core
@pytest.mark.parametrize("name", BROKEN)
def test_a_run_that_ends_with_an_exception_is_reported_as_aborted(
    project: Project, name: str
) -> None:
    project.write("broken.yml", "- debug: {msg: [\n")

    ended = project.run(BROKEN[name])

    assert (ended.rc, ended.warnings) == (4, []), ended.output
    finish = check_events(project.events(), "aborted", "stopped")
    assert not {"hosts", "failures"} & finish.keys()
    assert project.waiting() == project.dead() == []


def check_events(events: list[Content], status: str, reason: str | None = None) -> Content:
    """Check the events of one deployment against a status; return the finish."""
    names = [START, FINISH] + [FAILURE] * (status in ("failed", "aborted"))
    assert [event["event"] for event in events] == names, events
    start, finish = events[0], events[1]
    assert (start["phase"], start["status"], start.get("reason")) == ("start", "running", None)
    assert (finish["phase"], finish["status"], finish.get("reason")) == ("finish", status, reason)
    assert {event["id"] for event in events} == {start["id"]}
    assert {event["started_at"] for event in events} == {start["started_at"]}
    assert "finished_at" not in start
    took = datetime.fromisoformat(finish["finished_at"].rstrip("Z")) - datetime.fromisoformat(
        finish["started_at"].rstrip("Z")
    )
    # Each is rounded by itself.
    assert finish["duration_s"] == pytest.approx(took.total_seconds(), abs=0.002)
    for failure in events[2:]:
        assert {**failure, "event": FINISH} == finish
    return finish


@pytest.mark.every_core
@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (signal.SIGINT, "stopped"),
        (signal.SIGTERM, "killed"),
        (signal.SIGKILL, "killed"),
    ],
)
def test_an_interrupted_run_is_reported_as_aborted(
    project: Project, sent: signal.Signals, reason: str
) -> None:
    run = project.start([play(say(), project.wait_task(), say(), hosts="h1")])
    project.under_way()

    if sent == signal.SIGINT:
        run.press_ctrl_c()
    else:
        run.kill(sent)

    ended = run.ended()
    assert (ended.rc != 0, ended.warnings) == (True, []), ended.output
    if sent == signal.SIGTERM and ended.rc != -sent:
        # ansible-core hands this one to its workers first, and may end by itself over that.
        reason = "stopped"
    project.receiver.wait_for(3, deadline=30)
    finish = check_events(project.events(), "aborted", reason)
    assert "hosts" not in finish
    project.settled()
    assert len(project.events()) == 3
    assert project.waiting() == project.dead() == []


def test_the_next_run_reports_a_run_whose_machine_is_gone(project: Project) -> None:
    run = project.start(
        [play(project.wait_task(), hosts="h1")],
        CLOUDMONITOR_DEPLOYMENT_ID="A",
        CLOUDMONITOR_GROUP_ID="7",
    )
    project.under_way()
    project.noted("A")
    for courier in project.couriers():
        os.kill(courier, signal.SIGKILL)
    run.kill()
    run.ended()
    project.settled()
    assert project.waiting() == ["A"]
    assert len(project.events()) == 1

    ended = project.run([play(say(), hosts="h1")], CLOUDMONITOR_DEPLOYMENT_ID="B")

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    finish = check_events(project.events(id="A"), "aborted", "lost")
    assert finish["group"] == 7
    check_events(project.events(id="B"), "succeeded")
    assert project.waiting() == project.dead() == []
