# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what one event costs a playbook, beside ansible.builtin.debug and ansible.builtin.uri.

usage: python tasks.py (ansible-playbook on PATH, which must find the collection)

Each figure is the time of a whole ansible-playbook run less that of the same run with debug
tasks, on this machine, against the bundled receiver. The best of several runs counts, because
whatever else the machine does only adds time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RECEIVER = Path(__file__).resolve().parents[3] / "playbooks" / "files" / "cloudmonitor_receiver.py"
KEY = {"ACCESS_KEY_ID": "benchKeyId", "ACCESS_KEY_SECRET": "benchKeySecret"}
TASKS = 20
LOOP = 100
RUNS = 3

# What the figures of the events may be at most, on two cores.
TASK_LIMIT = 0.08
LOOP_LIMIT = 8.0

Task = dict[str, Any]


@contextmanager
def receiver() -> Iterator[str]:
    """Run the receiver while the context lasts; yields its URL."""
    env = os.environ | {f"RECEIVER_{name}": value for name, value in KEY.items()}
    command = [sys.executable, str(RECEIVER), "--port", "0", "--exit-with-parent"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit(f"the receiver did not start: {line}")
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait(timeout=10)


def tasks_of(url: str) -> dict[str, Task]:
    """Return the tasks to compare, by the name that the table shows."""
    event = {"name": "bench", "content": "one event", "endpoint": url}
    return {
        "debug": {"ansible.builtin.debug": {"msg": "one message"}},
        "custom_event": {"aliops.cloudmonitor.custom_event": event},
        "ansible.builtin.uri": {"ansible.builtin.uri": {"url": f"{url}/control/state"}},
    }


def seconds_of(tasks: list[Task], folder: Path) -> float:
    """Run a playbook of these tasks and return how long it took.

    Raises SystemExit with Ansible's output when a task fails: its time would mean nothing.
    """
    playbook = folder / "bench.yml"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    env = os.environ | {f"ALIBABA_CLOUD_{name}": value for name, value in KEY.items()}
    began = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", str(playbook)],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return time.monotonic() - began


def best(tasks: list[Task], folder: Path, runs: int = RUNS) -> float:
    """Return the shortest time of several runs."""
    return min(seconds_of(tasks, folder) for attempt in range(runs))


def main() -> int:
    """Print the table; return 1 when an event costs more than it may, else 0."""
    figures = {}
    with receiver() as url, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = tasks_of(url)
        for title, task in tasks.items():
            runs = 1 if title == "ansible.builtin.uri" else RUNS  # slow, and only for comparison
            single = best([task] * TASKS, folder, runs) / TASKS
            loop = best([task | {"loop": list(range(LOOP))}], folder, 1)
            figures[title] = (single, loop)
    floor = figures["debug"][0]
    print(f"\n{'':<22}{'one task over debug':>22}{f'a loop of {LOOP}, whole run':>28}")
    for title, (single, loop) in figures.items():
        print(f"{title:<22}{single - floor:>20.3f} s{loop:>26.1f} s")
    single, loop = figures["custom_event"]
    print(f"{'limit of custom_event':<22}{TASK_LIMIT:>20.3f} s{LOOP_LIMIT:>26.1f} s")
    return 1 if single - floor > TASK_LIMIT or loop > LOOP_LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
