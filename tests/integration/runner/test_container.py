# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in containers, as far as processes go: what is left in one is killed when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    Running,
    play,
    say,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import ansible_playbook

# Process ids of its own, of which the first takes all others along when it ends; and its user is
# root inside and the caller outside, as in podman without root.
CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
CONTAINER += ["--kill-child"]
# An execution environment begins with an init, other images begin with the command.
FIRST = {"init": ["bash", "-c", '"$@"; exit $?', "init"], "playbook": []}

first = pytest.mark.parametrize("first", FIRST)


@pytest.fixture(autouse=True)
def _containers() -> None:
    """Skip where the kernel, or the container that we are in, does not allow any."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    done = subprocess.run([*CONTAINER, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no namespaces here: " + done.stderr.strip())


def start(project: Project, first: str, **variables: str) -> Running:
    """Start the project's playbook in a container."""
    command = [*CONTAINER, *FIRST[first], ansible_playbook(), "site.yml"]
    return project.command(*command, **variables)


def two_minutes_later(project: Project) -> None:
    """Make the outbox look as when nothing has touched it for so long."""
    before = time.time() - 180
    for folder in (project.outbox / "runs").iterdir():
        os.utime(folder / "heartbeat", (before, before))


def run_until_reported(project: Project, first: str, name: str, other: str) -> None:
    """Run a job that is at work until it has delivered what another one has left."""
    project.write("site.yml", [play(project.wait_task("work-of-" + name))])
    job = start(project, first, CLOUDMONITOR_DEPLOYMENT_ID=name, CLOUDMONITOR_FLUSH_TIMEOUT="30")
    until(lambda: project.events(id=other, event=FINISH), "the finish of " + other)
    until(lambda: other not in project.waiting(), "an end of the folder of " + other)
    project.release()
    ended = job.ended()
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert project.waiting() == project.dead() == []


@first
def test_a_job_in_a_container_is_reported_before_it_ends(project: Project, first: str) -> None:
    project.write("site.yml", [play(say())])

    ended = start(project, first, CLOUDMONITOR_FLUSH_TIMEOUT="30").ended()

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == project.dead() == []


@first
def test_what_a_container_could_not_deliver_is_delivered_by_a_later_one(
    project: Project, first: str
) -> None:
    project.write("site.yml", [play(say())])
    project.receiver.set_faults(["status=503*inf"])

    ended = start(project, first, CLOUDMONITOR_DEPLOYMENT_ID="A", CLOUDMONITOR_LINGER="600").ended()

    # The courier does not hold up the container's end, and does not survive it either.
    assert ended.rc == 0, ended.output
    assert ["Events wait in" in text for text in ended.warnings] == [True]
    until(lambda: not project.processes(), "the container's end")
    assert project.waiting() == ["A"]
    project.receiver.set_faults([])
    two_minutes_later(project)

    run_until_reported(project, first, "B", "A")

    assert [event["status"] for event in project.events(id="A")] == ["running", "succeeded"]


@first
def test_a_cancelled_container_is_reported_by_a_later_one_and_not_too_early(
    project: Project, first: str
) -> None:
    project.write("site.yml", [play(project.wait_task())])
    job = start(project, first, CLOUDMONITOR_DEPLOYMENT_ID="A")
    project.under_way()
    project.noted("A")
    job.kill(signal.SIGKILL)
    job.ended()
    until(lambda: not project.processes(), "the container's end")
    project.write("site.yml", [play(say())])

    soon = start(
        project, first, CLOUDMONITOR_DEPLOYMENT_ID="B", CLOUDMONITOR_FLUSH_TIMEOUT="30"
    ).ended()

    assert (soon.rc, soon.warnings) == (0, []), soon.output
    assert project.waiting() == ["A"]
    two_minutes_later(project)
    run_until_reported(project, first, "C", "A")
    lost = project.events(id="A")
    assert [event["event"] for event in lost] == [START, FINISH, FAILURE]
    assert {event["reason"] for event in lost[1:]} == {"lost"}
