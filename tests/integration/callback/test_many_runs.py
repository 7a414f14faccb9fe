# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs on one outbox, undisturbed and with couriers and runs killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from contextlib import suppress

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    PRODUCT,
    START,
    Project,
    Running,
    fail,
    play,
    say,
)

KILLS = 50
PLAYBOOKS = 20  # of each run
AT_ONCE = 3
ALL_EVENTS = (START, FINISH, FAILURE)


def test_ten_runs_at_once_on_one_outbox_deliver_every_event_once(project: Project) -> None:
    project.write("works.yml", [play(say())])
    project.write("fails.yml", [play(fail())])
    runs = {
        f"run-{number}": project.start(
            "fails.yml" if number % 2 else "works.yml",
            CLOUDMONITOR_DEPLOYMENT_ID=f"run-{number}",
            CLOUDMONITOR_LINGER="30",
            CLOUDMONITOR_FLUSH_TIMEOUT="30",
        )
        for number in range(10)
    }
    for name, run in runs.items():
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (2 * (int(name[-1]) % 2), []), ended.output
    project.settled()
    counted = Counter((event["id"], event["event"]) for event in project.events())
    expected = {(name, event) for name in runs for event in (START, FINISH)}
    expected |= {(f"run-{number}", FAILURE) for number in range(1, 10, 2)}
    assert counted == dict.fromkeys(expected, 1)
    assert project.waiting() == project.dead() == []


def test_runs_and_couriers_killed_at_random_moments_lose_nothing(project: Project) -> None:
    takes_a_moment = {"name": "Restart", "ansible.builtin.raw": "sleep 0.2"}
    project.write("works.yml", [play(say(), takes_a_moment, hosts="h1")])
    rng = random.Random(20260)
    chaos = Chaos(project)
    threads = [
        threading.Thread(target=chaos.work, args=(random.Random(rng.random()),))
        for _number in range(AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    project.settled()
    assert chaos.kills >= KILLS

    healthy = project.run("works.yml", CLOUDMONITOR_DEPLOYMENT_ID="healthy")

    assert (healthy.rc, healthy.warnings) == (0, []), healthy.output
    project.settled()
    counted = Counter((event["id"], event["event"]) for event in project.events())
    ids = {name for name, _event in counted}
    for name in ids | chaos.completed:
        assert counted[name, FINISH] >= 1, name
        assert counted[name, START] >= 1, name
    aborted = {event["id"] for event in project.events(status="aborted")}
    assert {name for name, event in counted if event == FAILURE} == aborted
    assert aborted
    assert not aborted & chaos.completed
    repeated = [one for one, number in counted.items() if number > 1]
    # A kill between the service's acceptance and the note of its answer repeats a request. It is
    # milliseconds long, and longer on a busy machine: two such kills are luck, more are a bug.
    print(f"{chaos.kills} kills, {len(counted)} events, repeated: {repeated}")  # noqa: T201
    assert len(repeated) <= 2 * len(ALL_EVENTS), repeated
    assert project.dead() == []
    # What was killed before it had written a line has nothing to deliver.
    journals = project.outbox.glob("runs/*/journal")
    assert [path.parent.name for path in journals if b"\n" in path.read_bytes()] == []


class Chaos:
    """Starts runs and kills them, or their couriers, or both, at random moments."""

    def __init__(self, project: Project) -> None:
        self.kills = 0
        self.completed: set[str] = set()
        self._project = project
        self._started = 0
        self._lock = threading.Lock()

    def work(self, rng: random.Random) -> None:
        """Go on until there were enough kills."""
        while self.kills < KILLS:
            with self._lock:
                self._started += 1
                name = f"run-{self._started}"
            run = self._project.start(
                *["works.yml"] * PLAYBOOKS,
                CLOUDMONITOR_DEPLOYMENT_ID=name,
                CLOUDMONITOR_LINGER="20",
            )
            self._disturb(run, rng)
            ended = run.ended().may_warn(PRODUCT)
            if ended.rc == 0:
                ids = [name, *(f"{name}/{number}" for number in range(2, PLAYBOOKS + 1))]
                self.completed.update(ids)

    def _disturb(self, run: Running, rng: random.Random) -> None:
        """Kill couriers of any run, and at last perhaps the run itself, while it lives."""
        while run.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                run.process.wait(rng.uniform(0.3, 2.4))
            couriers = self._project.couriers()
            chosen = rng.random()
            if chosen < 0.4 and couriers:
                self._kill(rng.choice(couriers))
            elif chosen < 0.7 and run.process.poll() is None:
                self._kill(run.process.pid)
                return

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            with self._lock:
                self.kills += 1
