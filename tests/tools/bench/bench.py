# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the callback and an event cost, beside callbacks and modules of other collections.

usage: python bench.py REPOSITORY [--quick] (with ansible-playbook of the "peers" environment on
PATH, the collection in ANSIBLE_COLLECTIONS_PATH, and tests/tools in PYTHONPATH)

It prints one table, and stores the figures in docs/performance.json of the repository once
everything is measured. With --quick, it runs everything once, in small, and stores nothing.

The subjects of a case take turns: without, ours, peer, peer, peer, and backwards in the next
round. The time that is left in the end goes to the runs with a healthy endpoint. "work" is the
processor time of everything that a run has started, couriers included. On a machine that others
use it varies less than the clock.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bench_figures
from backlog import fill
from bench_figures import OURS, PEERS, TIMED, WITHOUT, Figures, Row, Sample
from endpoint import Endpoint
from measure import INSIDE, adopt_orphans, run

PLUGIN = "aliops.cloudmonitor.deployment_events"
PLUGINS = {
    OURS: PLUGIN,
    TIMED: f"time_callback,{PLUGIN}",
    "grafana": "community.grafana.grafana_annotations",
    "slack": "community.general.slack",
    "opentelemetry": "community.general.opentelemetry",
}
EVERYBODY = (WITHOUT, *PEERS)
# The whole benchmark takes less than ten minutes.
SECONDS = 540.0
LEAST_ROUNDS = 10
ROUNDS_OF_BACKLOG = 5
ROUNDS_OF_TASKS = 2
DEPLOYMENTS = (0, 100, 1_000, 10_000)
DOCUMENT = Path("docs", "performance.json")
HERE = Path(__file__).resolve().parent

KEY_ID = "benchKeyId"
KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "benchKeySecret",
}
Task = dict[str, Any]
DEBUG: Task = {"ansible.builtin.debug": {"msg": "one"}}


@dataclass(frozen=True)
class Play:
    """The playbook of a run, and what it reports to.

    ``deployments``: how many wait in the outbox. ``forked`` is False for the strategy that
    answers by itself.
    """

    tasks: tuple[Task, ...] = (DEBUG,) * 5
    hosts: int = 1
    forked: bool = True
    mode: str = bench_figures.HEALTHY
    deployments: int = 0


@dataclass(frozen=True)
class Case:
    """Subjects that are compared: the callback and the play of each, the first without ours.

    ``once``: the subjects of the first round only, because they take long.
    """

    name: str
    subjects: Mapping[str, tuple[str, Play]]
    rounds: int = 1
    longest: float = bench_figures.LONGEST
    once: frozenset[str] = frozenset()


class Bench:
    """Runs cases in one folder, with one outbox for each number of deployments in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def warm_up(self) -> None:
        """Run each callback once, because the first run reads its files from the disk."""
        for callback in EVERYBODY:
            self.sample(callback, Play(), bench_figures.LONGEST)

    def rows(self, case: Case, end: float = 0.0) -> list[Row]:
        """Run the rounds of a case, and further ones until ``end``; return its rows."""
        samples: dict[str, list[Sample]] = {name: [] for name in case.subjects}
        number = 0
        while number < case.rounds or time.monotonic() < end:
            for name in reversed(samples) if number % 2 else list(samples):
                if number and name in case.once:
                    continue
                callback, play = case.subjects[name]
                samples[name].append(self.sample(callback, play, case.longest))
            number += 1
        return bench_figures.rows_from_samples(case.name, samples)

    def sample(self, callback: str, play: Play, longest: float) -> Sample:
        """Run a play once, with a callback, and measure it."""
        outbox = self._folder / f"outbox-{play.deployments}"
        if not outbox.exists():  # the first run stores compiled code there
            self._run(OURS, Play(), longest, outbox)
        return self._run(callback, play, longest, outbox)

    def _run(self, callback: str, play: Play, longest: float, outbox: Path) -> Sample:
        fill(outbox, play.deployments, KEY_ID)
        with Endpoint(play.mode) as endpoint:
            taken = run(
                self._command(play), self._environment(callback, endpoint.url, outbox), endpoint,
                longest,
            )  # fmt: skip
        if not play.deployments:  # what an endpoint did not accept is no backlog of the next run
            shutil.rmtree(outbox / "runs", ignore_errors=True)
        return taken

    def _command(self, play: Play) -> list[str]:
        """Write a playbook and its inventory; return the command that runs it."""
        content: Task = {"hosts": "all", "gather_facts": False, "tasks": play.tasks}
        if not play.forked:
            content["strategy"] = "answer_without_forking"
        playbook, hosts = self._folder / "bench.yml", self._folder / "hosts"
        playbook.write_text(json.dumps([content]))
        names = (f"host{number:03}" for number in range(play.hosts))
        hosts.write_text("".join(f"{name} ansible_connection=local\n" for name in names))
        return ["ansible-playbook", "-i", str(hosts), str(playbook)]

    def _environment(self, callback: str, url: str, outbox: Path) -> dict[str, str]:
        env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            **KEY,
            "ANSIBLE_HOME": str(self._folder / "home"),
            "ANSIBLE_STRATEGY_PLUGINS": str(HERE),
            # A separate folder, because Ansible loads every file there in each run.
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            INSIDE: str(self._folder / "inside"),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "ANSIBLE_FORKS": "5",
            "CLOUDMONITOR_ENDPOINT": url,
            "CLOUDMONITOR_LINGER": "0",
            "CLOUDMONITOR_OUTBOX": str(outbox),
            "GRAFANA_URL": url,
            "GRAFANA_API_KEY": "key",
            "SLACK_WEBHOOK_URL": url + "/slack",
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": "bench",
            "BENCH_URL": url,
        }
        for name in ("ANSIBLE_CALLBACKS_ENABLED", "PYTHONDONTWRITEBYTECODE"):
            env.pop(name, None)
        if callback != WITHOUT:
            env["ANSIBLE_CALLBACKS_ENABLED"] = PLUGINS[callback]
        return env


def everybody(play: Play) -> dict[str, tuple[str, Play]]:
    """Return all callbacks as the subjects of a case."""
    return {name: (name, play) for name in EVERYBODY}


def task_subjects(loop: bool) -> dict[str, tuple[str, Play]]:
    """Return the tasks to compare: many of each, or one with a loop."""
    url = "{{ lookup('ansible.builtin.env', 'BENCH_URL') }}"
    kinds: dict[str, Task] = {
        "debug": DEBUG,
        "custom_event": {"aliops.cloudmonitor.custom_event": {"name": "bench", "content": "one"}},
        "ansible.builtin.uri": {"ansible.builtin.uri": {"url": url}},
    }
    number = bench_figures.TASK_NUMBER
    looped = {"loop": list(range(number))}
    return {
        name: (WITHOUT, Play(({**task, **looped},) if loop else (task,) * number))
        for name, task in kinds.items()
    }


def cases() -> Iterator[Case]:
    """Yield all cases except that of a healthy endpoint."""
    for mode in bench_figures.TROUBLE:
        yield Case(mode, everybody(Play(mode=mode)))
    many = Play((DEBUG,) * 20, hosts=50)
    yield Case(bench_figures.MANY_HOSTS, everybody(many), longest=60.0)
    unforked = Play((DEBUG,) * 20, hosts=500, forked=False)
    subjects = {name: (name, unforked) for name in (WITHOUT, TIMED)}
    yield Case(bench_figures.UNFORKED, subjects, longest=120.0)
    waiting = {f"{number:,}": (TIMED, Play(deployments=number)) for number in DEPLOYMENTS}
    yield Case(bench_figures.BACKLOG, waiting, ROUNDS_OF_BACKLOG)
    uri = frozenset({"ansible.builtin.uri"})
    yield Case(
        bench_figures.TASKS, task_subjects(loop=False), ROUNDS_OF_TASKS, longest=120.0, once=uri
    )
    yield Case(
        bench_figures.LOOP, task_subjects(loop=True), ROUNDS_OF_TASKS, longest=120.0, once=uri
    )


def smaller(case: Case) -> Case:
    """Return a case that shows whether it works, and measures nothing."""
    subjects = {
        name: (
            callback,
            replace(
                play,
                hosts=min(play.hosts, 3),
                tasks=play.tasks[:5],
                deployments=play.deployments // 100,
            ),
        )
        for name, (callback, play) in case.subjects.items()
    }
    return replace(case, subjects=subjects, rounds=1)


def measure(bench: Bench, quick: bool) -> Iterator[Row]:
    """Yield all rows. The runs that matter most get the time that is left."""
    end = time.monotonic() + SECONDS
    bench.warm_up()
    for case in cases():
        yield from bench.rows(smaller(case) if quick else case)
    least, end = (1, 0.0) if quick else (LEAST_ROUNDS, end)
    yield from bench.rows(Case(bench_figures.HEALTHY, everybody(Play()), least), end)


def versions() -> dict[str, str]:
    """Return the versions of everything that the figures depend on."""
    names = ("ansible-core", "urllib3", "opentelemetry-sdk")
    found = {"Python": platform.python_version()}
    found |= {name: importlib.metadata.version(name) for name in names}
    package = importlib.metadata.distribution("ansible")
    for name in ("grafana", "general"):
        manifest = package.locate_file(f"ansible_collections/community/{name}/MANIFEST.json")
        content = json.loads(Path(str(manifest)).read_text(encoding="utf-8"))
        found[f"community.{name}"] = content["collection_info"]["version"]
    return found


def commit(repository: Path) -> str:
    """Return the commit that is checked out, with "-dirty" if other tracked files were changed."""
    git = ("git", "-C", str(repository))
    head = [*git, "rev-parse", "--short=12", "HEAD"]
    found = subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()
    own = (f":!{DOCUMENT}", f":!{DOCUMENT.with_suffix('.md')}")
    changes = [*git, "diff", "--quiet", "HEAD", "--", ".", *own]
    return found + ("-dirty" if subprocess.run(changes, check=False).returncode else "")


def store(path: Path, figures: Figures) -> None:
    """Replace the file with the figures: a reader sees the old ones or the new ones."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(figures.dump(), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def main() -> int:
    """Print the table as it comes, and store the figures at the end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("repository", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    about = {"date": time.strftime("%Y-%m-%d"), "commit": commit(given.repository)}
    load = round(os.getloadavg()[0], 1)
    known = versions()
    adopt_orphans()
    print(bench_figures.heading(), flush=True)
    table = []
    with tempfile.TemporaryDirectory(prefix="cm-bench-", ignore_cleanup_errors=True) as place:
        for row in measure(Bench(Path(place)), given.quick):
            table.append(row)
            print(bench_figures.line(row), flush=True)
    if not given.quick:
        processors = os.cpu_count() or 1
        figures = Figures(**about, processors=processors, load=load, versions=known,
                          rows=tuple(table))  # fmt: skip
        store(given.repository / DOCUMENT, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
