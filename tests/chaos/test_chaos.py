# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs on one outbox: killed and stopped at random, with an endpoint that misbehaves.

Nothing is lost, no run gets two different finishes, and nothing hangs. The seed fixes the
decisions; the moments at which they take effect depend on the machine.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    PRODUCT,
    START,
    Content,
    Ended,
    Project,
    fail,
    play,
)

AT_ONCE = 4
# A run that takes longer hangs: its task takes at most 3 s, and flush_timeout is 3 s. The rest is
# for stops, and for a slow machine.
RUN_SECONDS = 90
DRAIN_SECONDS = 120
MOST_DUPLICATES = 0.08
FAULTS = (
    *("ok*inf", "ok*inf", "ok*inf", "slow=0.3*inf", "status=500*inf", "status=503*inf"),
    *("throttle*inf", "reset*inf", "hang*inf", "close*inf", "html*inf"),
)
# Each of these makes a duplicate, because the sender cannot know about the acceptance. They are
# rare, so that the other duplicates show.
AMBIGUOUS = ("accept-then-close", "truncate")
AMBIGUOUS_SHARE = 0.04


@dataclass(frozen=True)
class Outcome:
    """How one run ended; ``began`` and ``done``: its first and its last task were executed."""

    name: str
    fails: bool
    ended: Ended
    began: bool
    done: bool

    def allows(self, status: str) -> bool:
        """Return whether a finish with this status is true."""
        if status == "aborted":
            return self.ended.rc not in (0, 2)
        # A run that is killed after its last task has written the finish, or has not.
        result = "failed" if self.fails else "succeeded"
        return status == result and (self.ended.rc == (2 if self.fails else 0) or self.done)


class Chaos:
    """Starts runs, and disturbs them, their couriers and their endpoint."""

    def __init__(self, project: Project, seed: int) -> None:
        self.figures: Counter[str] = Counter()
        self._project = project
        self._seed = seed
        self._running: dict[str, int] = {}
        self._over = threading.Event()

    def run_all(self, count: int) -> list[Outcome]:
        """Run so many playbooks, several at a time, and return how they ended."""
        disturbers = [
            threading.Thread(target=self._repeat, args=(action, low, high))
            for action, low, high in (
                (self._change_fault, 0.5, 2.5),
                (self._disturb_run, 1.0, 3.0),
                (self._disturb_courier, 1.0, 3.0),
            )
        ]
        for thread in disturbers:
            thread.start()
        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                return list(pool.map(self._run, range(count)))
        finally:
            self._over.set()
            for thread in disturbers:
                thread.join()
            self._project.receiver.set_faults([])

    def _run(self, number: int) -> Outcome:
        rng = random.Random(f"{self._seed} run {number}")
        name, fails = f"run-{number}", rng.random() < 0.25
        began, done = (self._project.folder / f"{name}.{mark}" for mark in ("began", "done"))
        seconds = f"{rng.uniform(0.2, 3):.1f}"
        script = f"touch {shlex.quote(str(began))}; sleep {seconds}; touch {shlex.quote(str(done))}"
        tasks = [{"name": "Work", "ansible.builtin.raw": script}, *([fail()] if fails else [])]
        self._project.write(f"{name}.yml", [play(*tasks, hosts="h1")])
        run = self._project.start(
            f"{name}.yml",
            CLOUDMONITOR_DEPLOYMENT_ID=name,
            CLOUDMONITOR_FLUSH_TIMEOUT="3",
            CLOUDMONITOR_LINGER="5",
            CLOUDMONITOR_TIMEOUT="4",
        )
        self._running[name] = run.process.pid
        try:
            ended = run.ended(RUN_SECONDS).may_warn(PRODUCT)
        finally:
            del self._running[name]
        return Outcome(name, fails, ended, began.exists(), done.exists())

    def _repeat(self, action: Callable[[random.Random], None], low: float, high: float) -> None:
        rng = random.Random(f"{self._seed} {action.__name__}")
        while not self._over.wait(rng.uniform(low, high)):
            action(rng)

    def _change_fault(self, rng: random.Random) -> None:
        self._project.receiver.set_faults(
            [rng.choice(AMBIGUOUS if rng.random() < AMBIGUOUS_SHARE else FAULTS)]
        )
        self.figures["changes of the fault"] += 1

    def _disturb_run(self, rng: random.Random) -> None:
        running = dict(self._running)
        # Most of them after the start, because before it there is nothing to lose.
        begun = [name for name in running if (self._project.folder / f"{name}.began").exists()]
        if chosen := (begun if rng.random() < 0.7 else [*running]):
            self._disturb("run", running[rng.choice(chosen)], rng)

    def _disturb_courier(self, rng: random.Random) -> None:
        couriers = self._project.couriers()
        if couriers:
            self._disturb("courier", rng.choice(couriers), rng)

    def _disturb(self, what: str, pid: int, rng: random.Random) -> None:
        number = rng.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSTOP))
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            self.figures[f"{number.name} of a {what}"] += 1
            if number == signal.SIGSTOP:
                time.sleep(rng.uniform(0.2, 2))
                os.kill(pid, signal.SIGCONT)


def drain(project: Project) -> None:
    """Deliver with flush_outbox what the couriers have left."""
    end = time.monotonic() + DRAIN_SECONDS
    while project.waiting():
        assert time.monotonic() < end, f"not drained: {project.waiting()}"
        task = {"aliops.cloudmonitor.flush_outbox": {"outbox": str(project.outbox)}}
        plays = [play(task, hosts="localhost", connection="local")]
        ended = project.run(plays, **project.without()).may_warn(PRODUCT)
        assert ended.rc == 0, ended.output


def finishes(events: list[Content]) -> list[str]:
    """Return the different finishes among the events of one run, duplicates once."""
    return sorted({json.dumps(event) for event in events if event["event"] == FINISH})


def test_no_event_is_lost_and_no_finish_is_contradicted(
    project: Project, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("--chaos-seed")
    runs = request.config.getoption("--chaos-runs")
    print(f"\nseed {seed}: --chaos-seed={seed} --chaos-runs={runs}")  # noqa: T201
    began = time.monotonic()
    chaos = Chaos(project, seed)

    outcomes = chaos.run_all(runs)
    project.settled()
    drain(project)
    project.settled()

    events = project.events()
    lost, contradicted = [], []
    for outcome in outcomes:
        own = [event for event in events if event["id"] == outcome.name]
        found = finishes(own)
        if outcome.began or own:
            names = {event["event"] for event in own}
            if not {START, FINISH} <= names:
                lost.append(outcome.name)
            statuses = [json.loads(finish)["status"] for finish in found]
            expected = statuses != ["succeeded"]  # a failure event belongs to any other finish
            if not all(map(outcome.allows, statuses)) or len(found) > 1:
                contradicted.append((outcome.name, outcome.ended.rc, found))
            elif found and (FAILURE in names) != expected:
                lost.append(outcome.name)
    counted = Counter((event["id"], event["event"]) for event in events)
    duplicates = len(events) - len(counted)
    # Each run has one finish.
    endings = Counter(json.loads(finish)["status"] for finish in finishes(events))
    figures = {"events": len(events), "duplicates": duplicates, **endings, **chaos.figures}
    print(f"{runs} runs in {time.monotonic() - began:.0f} s: {figures}")  # noqa: T201
    assert (lost, contradicted) == ([], []), f"seed {seed}"
    assert duplicates < MOST_DUPLICATES * len(counted), f"seed {seed}: {figures}"
    history = query(project.outbox, Filters(), time.time() + 1)
    assert {one["id"]: one["status"] for one in history.deployments} == {
        one["id"]: one["status"] for one in map(json.loads, finishes(events))
    }, f"seed {seed}"
    assert (history.damaged, history.running) == (0, [])
    assert project.dead() == []
    assert sorted(path.name for path in project.outbox.glob("damaged/*")) == []
