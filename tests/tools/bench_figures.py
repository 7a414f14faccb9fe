# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the benchmark: from runs to rows, to a file, and to the tables of the guide. Pure.

A row compares one subject with the first subject of its case. Times are in seconds.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

WITHOUT, OURS, TIMED = "without", "ours", "ours, timed"
PEERS = {
    OURS: "This callback",
    "grafana": "Grafana annotations",
    "slack": "Slack",
    "opentelemetry": "OpenTelemetry",
}
HEALTHY = "healthy"
TROUBLE = {
    "500": "answers 500",
    "refused": "refuses connections",
    "silent": "accepts and never answers",
    "slow": "answers after 2 s",
    "dripping": "drips its answer",
}
MANY_HOSTS, UNFORKED = "many hosts", "without forks"
BACKLOG, TASKS, LOOP = "backlog", "tasks", "loop"
# How many tasks a playbook has, or how many items its loop.
TASK_NUMBER = 20
# A run that takes longer is stopped and counted as this long.
LONGEST = 15.0
# The spaces of the tables in the terminal.
_WIDTHS = (14, 20, 5, 9, 9, 9, 9, 7, 10, 9, 9)
_HEADING = ("case", "subject", "runs", "median", "least", "adds", "work", "x work", "memory",
            "requests", "inside")  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One run of ansible-playbook: the seconds it took, and the peak of its memory in MiB.

    ``work``: the seconds of processor time of all its processes, couriers included. ``stopped``:
    whether it took too long. ``inside``: the seconds inside our callback, None if not measured.
    """

    seconds: float
    work: float
    memory: float
    requests: int
    stopped: bool = False
    inside: float | None = None


@dataclass(frozen=True)
class Row:
    """The runs of one subject. Without a remark, a figure is a median.

    ``least``: the shortest run. ``adds`` and ``work_ratio``: each run compared with the run of the
    first subject in the same round, because the speed of a machine changes. ``adds_mib``: compared
    with the first subject. ``stopped``: the number of runs that took too long.
    """

    case: str
    subject: str
    runs: int
    seconds: float
    least: float
    adds: float
    work: float
    work_ratio: float
    adds_mib: float
    requests: float
    stopped: int
    inside: float | None


@dataclass(frozen=True)
class Figures:
    """Everything that is stored. ``load``: the load average before the first run."""

    date: str
    commit: str
    processors: int
    load: float
    versions: Mapping[str, str]
    rows: tuple[Row, ...]

    def dump(self) -> str:
        """Return the text of the file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def parse(text: str) -> Figures:
        """Return the figures in the text of a file. Raises ValueError, KeyError, TypeError."""
        found: dict[str, Any] = json.loads(text)
        return Figures(**{**found, "rows": tuple(Row(**row) for row in found["rows"])})

    def row(self, case: str, subject: str) -> Row:
        """Return a row. Raises KeyError if it is missing."""
        for row in self.rows:
            if (row.case, row.subject) == (case, subject):
                return row
        raise KeyError(f"{case}: {subject}")


def rows_from_samples(case: str, samples: Mapping[str, Sequence[Sample]]) -> list[Row]:
    """Return the row of each subject; the first subject is the one to compare with."""
    first = next(iter(samples.values()))
    base = _medians(first)
    rows = []
    for subject, runs in samples.items():
        own = _medians(runs)
        rounds = list(zip(runs, first, strict=False))  # a subject may have fewer
        inside = [run.inside for run in runs if run.inside is not None]
        rows.append(
            Row(
                case=case,
                subject=subject,
                runs=len(runs),
                seconds=round(own.seconds, 4),
                least=round(min(run.seconds for run in runs), 4),
                adds=round(statistics.median(run.seconds - one.seconds for run, one in rounds), 4),
                work=round(own.work, 4),
                work_ratio=round(statistics.median(run.work / one.work for run, one in rounds), 3),
                adds_mib=round(own.memory - base.memory, 1),
                requests=own.requests,
                stopped=sum(run.stopped for run in runs),
                inside=round(statistics.median(inside), 4) if inside else None,
            )
        )
    return rows


def _medians(runs: Sequence[Sample]) -> Sample:
    def median(value: Callable[[Sample], float]) -> float:
        return statistics.median(value(run) for run in runs)

    return Sample(
        median(lambda run: run.seconds),
        median(lambda run: run.work),
        median(lambda run: run.memory),
        int(median(lambda run: run.requests)),
    )


# The table in the terminal


def heading() -> str:
    """Return the heading of the table in the terminal."""
    return _spaced(_HEADING)


def line(row: Row) -> str:
    """Return a row of the table in the terminal."""
    cells = (
        row.case, row.subject, str(row.runs), f"{row.seconds:.3f} s", f"{row.least:.3f} s",
        _added(row, 3), f"{row.work:.3f} s", f"{row.work_ratio:.3f}", f"{row.adds_mib:+.1f} MiB",
        f"{row.requests:g}", "" if row.inside is None else f"{row.inside:.3f} s",
    )  # fmt: skip
    return _spaced(cells)


def _spaced(cells: Sequence[str]) -> str:
    texts = []
    for number, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True)):
        texts.append(f"{cell:<{width}}" if number < 2 else f"{cell:>{width}}")
    return " ".join(texts).rstrip()


def _added(row: Row, digits: int = 2) -> str:
    return f"> {LONGEST:.0f} s" if row.stopped else f"{row.adds:+.{digits}f} s"


# The tables of the guide, in Markdown


def setup(figures: Figures) -> str:
    """Return when, where and how the figures were measured."""
    versions = ", ".join(f"{name} {version}" for name, version in figures.versions.items())
    healthy = figures.row(HEALTHY, OURS)
    many = figures.row(MANY_HOSTS, OURS)
    return (
        f"Measured on {figures.date} at commit `{figures.commit}`, on {figures.processors} "
        f"processors with a load average of {figures.load:.1f} before the first run. Versions: "
        f"{versions}.\n\n"
        f"The values for a healthy endpoint are medians of {healthy.runs} rounds, and each run is "
        "compared with the run without a callback in the same round. The others are medians of one "
        f"to {max(many.runs, _most_runs(figures))} rounds.\n"
    )


def _most_runs(figures: Figures) -> int:
    return max(row.runs for row in figures.rows if row.case != HEALTHY)


def callbacks(figures: Figures) -> str:
    """Return the table that compares the callbacks, with 1 host and 5 tasks unless it says so."""

    def cells(case: str, text: Callable[[Row], str]) -> list[str]:
        return [text(figures.row(case, subject)) for subject in PEERS]

    rows = [
        ["is healthy", *cells(HEALTHY, _added)],
        ["is healthy: shortest run", *cells(HEALTHY, lambda row: f"{row.least:.2f} s")],
        ["is healthy: processor time", *cells(HEALTHY, lambda row: f"× {row.work_ratio:.2f}")],
        *([words, *cells(case, _added)] for case, words in TROUBLE.items()),
        ["is healthy, 50 hosts × 20 tasks", *cells(MANY_HOSTS, _added_with_ratio(figures))],
        ["memory of the controller", *cells(HEALTHY, lambda row: f"{row.adds_mib:+.1f} MiB")],
    ]
    return _markdown(["The endpoint", *PEERS.values()], rows)


def _added_with_ratio(figures: Figures) -> Callable[[Row], str]:
    least = figures.row(MANY_HOSTS, WITHOUT).seconds
    return lambda row: f"{_added(row)} (× {row.seconds / least:.2f})"


def backlog(figures: Figures) -> str:
    """Return the table of runs with undelivered deployments, compared with a run without them."""
    rows = [row for row in figures.rows if row.case == BACKLOG]
    none = rows[0]
    cells = [
        [row.subject, f"{row.adds:+.3f} s", f"{(row.inside or 0) - (none.inside or 0):+.3f} s"]
        for row in rows[1:]
    ]
    return _markdown(["Undelivered deployments", "The whole run", "Inside the callback"], cells)


def unforked(figures: Figures) -> str:
    """Return what the callback costs a run of 10,000 tasks, in one sentence."""
    row = figures.row(UNFORKED, TIMED)
    requests = f"{row.requests:g} request{'' if row.requests == 1 else 's'}"
    return (
        "In a run of 500 hosts × 20 tasks, with a strategy that does not fork, the callback itself "
        f"used {row.inside or 0:.2f} s, and the run used {max(row.adds_mib, 0):.1f} MiB more than "
        f"without it. It made {requests}.\n"
    )


def tasks(figures: Figures) -> str:
    """Return the table of tasks, compared with ``debug``."""

    def seconds(case: str, subject: str) -> str:
        return f"{figures.row(case, subject).adds / TASK_NUMBER:.3f} s"

    names = ("custom_event", "ansible.builtin.uri")
    rows = [
        [f"one of {TASK_NUMBER} tasks", *(seconds(TASKS, name) for name in names)],
        [f"one of {TASK_NUMBER} items of a loop", *(seconds(LOOP, name) for name in names)],
    ]
    return _markdown(["Longer than `debug`", *(f"`{name}`" for name in names)], rows)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
