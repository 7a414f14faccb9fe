# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs in containers, as far as processes go: what is left in one is killed when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
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
CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--uts", "--fork", "--mount-proc"]
CONTAINER += ["--kill-child"]
# An execution environment begins with an init, other images begin with the command.
# And another name: the kernel may use the number of a namespace again for the next one.
_NAMED = (
    "import os, socket, sys; socket.sethostname(sys.argv[1]); os.execv(sys.argv[2], sys.argv[2:])"
)
FIRST = {"init": ["/bin/bash", "-c", '"$@"; exit $?', "init"], "playbook": []}


@pytest.fixture(autouse=True)
def _containers() -> None:
    """Skip where the kernel, or the container that we are in, does not allow any."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    done = subprocess.run([*CONTAINER, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no namespaces here: " + done.stderr.strip())


def start(project: Project, first: str, id_: str, name: str, **variables: str) -> Running:
    """Start the deployment with this id, of the playbook of that name, in a container."""
    named = [sys.executable, "-c", _NAMED, f"container-{id_}"]
    command = [*CONTAINER, *named, *FIRST[first], ansible_playbook(), name]
    return project.command(*command, CLOUDMONITOR_DEPLOYMENT_ID=id_, **variables)


def two_minutes_later(project: Project) -> None:
    """Make the outbox look as when nothing has touched it for so long."""
    before = time.time() - 180
    for folder in (project.outbox / "runs").iterdir():
        os.utime(folder / "heartbeat", (before, before))


def test_what_containers_could_not_report_is_reported_by_a_later_one_and_not_too_early(
    project: Project,
) -> None:
    patient = {"CLOUDMONITOR_FLUSH_TIMEOUT": "30"}
    project.write("site.yml", [play(say(), hosts="h1")])
    project.write("long.yml", [play(project.wait_task(), hosts="h1")])
    project.receiver.set_faults(["status=503*inf"])
    ended = start(project, "init", "A", "site.yml", CLOUDMONITOR_LINGER="600").ended()
    # The courier does not hold up the container's end, and does not survive it either.
    assert ended.rc == 0, ended.output
    assert ["Events wait in" in text for text in ended.warnings] == [True]
    until(lambda: not project.processes(), "the container's end")
    job = start(project, "playbook", "cancelled", "long.yml")
    project.under_way()
    until(project.couriers, "a courier")
    job.kill(signal.SIGKILL)
    job.ended()
    until(lambda: not project.processes(), "the container's end")
    project.receiver.set_faults([])

    soon = start(project, "playbook", "B", "site.yml", **patient).ended()

    # A job in a container is reported before it ends.
    assert (soon.rc, soon.warnings) == (0, []), soon.output
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == ["A", "cancelled"]

    two_minutes_later(project)
    later = start(project, "init", "C", "long.yml", **patient)
    until(lambda: project.waiting() == ["C"], "an end of the other folders")
    project.release()
    ended = later.ended()

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert project.waiting() == project.dead() == []
    assert [event["status"] for event in project.events(id="A")] == ["running", "succeeded"]
    lost = project.events(id="cancelled")
    assert [event["event"] for event in lost] == [START, FINISH, FAILURE]
    assert {event["reason"] for event in lost[1:]} == {"lost"}
