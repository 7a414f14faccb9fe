# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure what the callback costs a run, beside a run without it and beside other callbacks.

usage: python callbacks.py RESULT.json (with ansible-playbook of the "peers" environment on PATH
and the collection in ANSIBLE_COLLECTIONS_PATH)

All runs of one comparison are interleaved: without, ours, peer, peer, peer, and again backwards.
The figures are medians of whole ansible-playbook processes, less the median without a callback.
"work" is the processor time of everything that a run has started, couriers included, as a ratio
to that without a callback. On a machine that others use as well it varies less than the clock.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from endpoint import MODES, Endpoint, wait_until_idle

OURS = "aliops.cloudmonitor.deployment_events"
CALLBACKS = {
    "without": "",
    "ours": OURS,
    "ours, timed": OURS,
    "grafana": "community.grafana.grafana_annotations",
    "slack": "community.general.slack",
    "opentelemetry": "community.general.opentelemetry",
}
ROUNDS = 5
# What takes long is measured less often; the first round of each only warms the machine up.
ROUNDS_OF_LARGE = 3
# What the callback adds to a large run is less than what one run differs from the next.
ROUNDS_OF_PAIRS = 10
ROUNDS_IN_TROUBLE = 2
# A run that takes longer is stopped and counted as this long.
LONGEST = 20.0
HERE = Path(__file__).resolve().parent

KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "benchKeyId",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "benchKeySecret",
}


@dataclass(frozen=True)
class Size:
    """How large a run is; ``forked`` is False for the strategy that answers by itself."""

    hosts: int
    tasks: int
    forked: bool = True

    @property
    def title(self) -> str:
        """The size in words."""
        kind = "" if self.forked else ", without forks"
        return f"{self.hosts} host{'' if self.hosts == 1 else 's'} x {self.tasks} tasks{kind}"


@dataclass(frozen=True)
class Sample:
    """One run: seconds, the controller's peak memory in MiB, requests, whether it was stopped.

    ``work`` are the seconds of processor time of all its processes, ``inside`` the seconds
    inside our callback, where they were measured.
    """

    seconds: float
    work: float
    memory: float
    requests: int
    stopped: bool
    inside: float | None = None


def environment(callback: str, url: str, folder: Path) -> dict[str, str]:
    """Return the environment of a run with one callback, or with none."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        **KEY,
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_STRATEGY_PLUGINS": str(HERE),
        # A folder of its own: Ansible loads every file there, in each run.
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "BENCH_INSIDE": str(folder / "inside"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_FORKS": "5",
        "CLOUDMONITOR_ENDPOINT": url,
        "CLOUDMONITOR_LINGER": "0",
        "CLOUDMONITOR_OUTBOX": str(folder / "outbox"),
        "GRAFANA_URL": url,
        "GRAFANA_API_KEY": "key",
        "SLACK_WEBHOOK_URL": url + "/slack",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_SERVICE_NAME": "bench",
    }
    env.pop("ANSIBLE_CALLBACKS_ENABLED", None)
    if CALLBACKS[callback]:
        env["ANSIBLE_CALLBACKS_ENABLED"] = CALLBACKS[callback]
    if callback == "ours, timed":
        env["ANSIBLE_CALLBACKS_ENABLED"] = f"time_callback,{OURS}"
    return env


def playbook(size: Size, folder: Path) -> list[str]:
    """Write a playbook of that size and return the command that runs it."""
    play: dict[str, Any] = {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.debug": {"msg": "one"}}] * size.tasks,
    }
    if not size.forked:
        play["strategy"] = "answer_without_forking"
    (folder / "bench.yml").write_text(json.dumps([play]))
    inventory = "".join(
        f"host{number:03} ansible_connection=local\n" for number in range(size.hosts)
    )
    (folder / "hosts").write_text(inventory)
    return ["ansible-playbook", "-i", str(folder / "hosts"), str(folder / "bench.yml")]


def run(command: list[str], env: Mapping[str, str], endpoint: Endpoint, longest: float) -> Sample:
    """Run a command and measure it. Raises SystemExit when it fails: its time means nothing."""
    before, began = endpoint.requests, time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        usage, status = _wait(process, began + longest)
        seconds = time.monotonic() - began
        if status is not None and status != 0:
            output.seek(0)
            raise SystemExit(output.read().decode("utf-8", "replace")[-3000:])
    wait_until_idle(endpoint, 0.3, 5)
    memory = usage.ru_maxrss / 1024
    work = usage.ru_utime + usage.ru_stime + _work_of_orphans(time.monotonic() + 5)
    told = Path(env["BENCH_INSIDE"])
    inside = float(told.read_text()) if told.exists() else None
    return Sample(seconds, work, memory, endpoint.requests - before, status is None, inside)


def _wait(process: subprocess.Popen[bytes], end: float) -> tuple[Any, int | None]:
    """Wait for the process, and stop it when it takes too long; None is the status then."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, process.returncode
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            _pid, _status, usage = os.wait4(process.pid, 0)
            process.returncode = -signal.SIGKILL
            return usage, None
        time.sleep(0.005)


def adopt_orphans() -> None:
    """Become the parent of what runs leave behind, so that its processor time can be read."""
    set_child_subreaper = 36  # of Linux; elsewhere only what Ansible waits for is counted
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def _work_of_orphans(end: float) -> float:
    """Return the processor time of the couriers of a run that is over, in seconds."""
    seconds = 0.0
    with suppress(ChildProcessError):
        while time.monotonic() < end:
            pid, _status, usage = os.wait4(-1, os.WNOHANG)
            seconds += usage.ru_utime + usage.ru_stime
            if not pid:
                time.sleep(0.02)
    return seconds


def compare(
    size: Size, mode: str, names: list[str], rounds: int, longest: float = LONGEST
) -> Iterator[dict[str, Any]]:
    """Yield one row for each callback: its medians, and what it adds to a run without."""
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in reversed(names) if number % 2 else names:
            with Endpoint(mode) as endpoint, tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                command = playbook(size, folder)
                env = environment(name, endpoint.url, folder)
                sample = run(command, env, endpoint, longest)
            if number:  # the first round only warms the machine up
                samples[name].append(sample)
    floor = statistics.median(sample.seconds for sample in samples["without"])
    least = statistics.median(sample.work for sample in samples["without"])
    low = statistics.median(sample.memory for sample in samples["without"])
    for name, taken in samples.items():
        seconds = statistics.median(sample.seconds for sample in taken)
        yield {
            "size": size.title,
            "endpoint": mode,
            "callback": name,
            "runs": len(taken),
            "seconds": round(seconds, 3),
            "adds_seconds": round(seconds - floor, 3),
            "ratio": round(seconds / floor, 3),
            "work_ratio": round(statistics.median(sample.work for sample in taken) / least, 3),
            "adds_mib": round(statistics.median(sample.memory for sample in taken) - low, 1),
            "requests": statistics.median(sample.requests for sample in taken),
            "stopped": sum(sample.stopped for sample in taken),
            "inside_seconds": _inside(taken),
        }


def _inside(samples: list[Sample]) -> float | None:
    """Return the median of the seconds inside our callback, None where nobody measured them."""
    taken = [sample.inside for sample in samples if sample.inside is not None]
    return round(statistics.median(taken), 3) if taken else None


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of the whole table."""
    everybody = [name for name in CALLBACKS if name != "ours, timed"]
    pair = ["without", "ours"]
    yield from compare(Size(1, 5), "healthy", everybody, ROUNDS)
    yield from compare(Size(50, 20), "healthy", pair, ROUNDS_OF_PAIRS)
    yield from compare(Size(50, 20), "healthy", everybody, ROUNDS_OF_LARGE)
    # Where a run of this size takes minutes, the others would take more.
    unforked = Size(500, 20, forked=False)
    yield from compare(unforked, "healthy", [*pair, "ours, timed"], ROUNDS_OF_LARGE, 120.0)
    for mode in MODES:
        if mode != "healthy":
            yield from compare(Size(1, 5), mode, everybody, ROUNDS_IN_TROUBLE)


def line(row: Mapping[str, Any]) -> str:
    """Return a row of the table as text."""
    adds = f"> {LONGEST:.0f} s" if row["stopped"] else f"{row['adds_seconds']:+.2f} s"
    inside = "" if row["inside_seconds"] is None else f"{row['inside_seconds']:9.3f} s"
    return (
        f"{row['size']:34} {row['endpoint']:9} {row['callback']:14} {row['seconds']:8.2f} s "
        f"{adds:>10} {row['ratio']:7.3f} {row['work_ratio']:7.3f} {row['adds_mib']:+7.1f} MiB "
        f"{row['requests']:9g} {inside}"
    )


def main() -> int:
    """Print the table as it comes, and write it as JSON."""
    adopt_orphans()
    names = "wall", "adds", "ratio", "work", "memory", "requests", "inside"
    widths = 10, 10, 7, 7, 11, 9, 11
    head = " ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    print(f"{'run':34} {'endpoint':9} {'callback':14} {head}", flush=True)
    table = []
    for row in rows():
        table.append(row)
        print(line(row), flush=True)
    result = {"date": time.strftime("%Y-%m-%d"), "processors": os.cpu_count(), "rows": table}
    Path(sys.argv[1]).write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
