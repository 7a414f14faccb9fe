# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark: its figures become rows and tables, and it stores all of them or none."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backlog
import bench
import bench_figures
import pytest
from bench_figures import Figures, Row, Sample

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import (
    Account,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.orphans import adopt
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox

# Seconds of a run on a quiet machine with two processors, and of what has to be done around it.
USUAL, AROUND = 1.0, 0.6
SECONDS = {50: 12.0, 500: 45.0}
# With an endpoint that hangs; the others are stopped.
HANGING = {"silent": {"ours": 6.0, "opentelemetry": 12.0}, "dripping": {"ours": 6.0},
           "slow": dict.fromkeys(bench_figures.PEERS, 6.0)}  # fmt: skip


class Quiet:
    """A quiet machine: runs take no time, and a clock shows when they would be over."""

    def __init__(self) -> None:
        self.now = 0.0

    def sample(self, callback: str, play: bench.Play, longest: float) -> Sample:
        seconds = SECONDS.get(play.hosts, USUAL)
        if play.mode in HANGING and callback != bench_figures.WITHOUT:
            seconds = HANGING[play.mode].get(callback, longest)
        if any("ansible.builtin.uri" in task for task in play.tasks):
            seconds = bench_figures.TASK_NUMBER * 0.6
        self.now += seconds + AROUND
        seconds += 0.125 * len(callback)
        stopped = play.mode == "silent" and callback == "slack"
        inside = play.deployments / 1e6 if callback == bench_figures.TIMED else None
        return Sample(seconds, 1.0 + len(callback) / 100, 64.0, 2, stopped, inside)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> Quiet:
    made = Quiet()
    monkeypatch.setattr(bench.Bench, "sample", staticmethod(made.sample))
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def measured(rows: list[Row]) -> Figures:
    return Figures("2026-11-26", "0123456789ab", 2, 0.1, {"Python": "3.13.1"}, tuple(rows))


def test_a_row_has_medians_and_compares_runs_of_the_same_round() -> None:
    without = [Sample(1.0, 2.0, 60.0, 0), Sample(1.2, 2.2, 61.0, 0), Sample(9.0, 9.0, 99.0, 0)]
    ours = [Sample(1.5, 3.3, 62.0, 2, inside=0.1), Sample(1.25, 2.2, 63.5, 2, inside=0.3),
            Sample(1.3, 2.64, 62.5, 1, stopped=True, inside=0.2)]  # fmt: skip
    base, row = bench_figures.rows_from_samples("c", {"without": without, "ours": ours})

    assert (base.seconds, base.least, base.adds, base.work_ratio) == (1.2, 1.0, 0.0, 1.0)
    assert (base.stopped, base.inside) == (0, None)
    assert row == Row("c", "ours", 3, 1.3, 1.25, 0.05, 2.64, 1.0, 1.5, 2, 1, 0.2)
    assert "> 15 s" in bench_figures.line(row)
    assert len(bench_figures.line(base).split()) < len(bench_figures.heading().split()) + 9


def test_the_whole_benchmark_takes_at_most_ten_minutes_and_most_rounds_are_of_a_healthy_run(
    quiet: Quiet, tmp_path: Path
) -> None:
    rows = list(bench.measure(bench.Bench(tmp_path), quick=False))

    assert quiet.now < 600
    [healthy] = {row.runs for row in rows if row.case == bench_figures.HEALTHY}
    assert healthy >= bench.LEAST_ROUNDS
    assert healthy > max(row.runs for row in rows if row.case != bench_figures.HEALTHY)
    quick = list(bench.measure(bench.Bench(tmp_path), quick=True))
    assert [(row.case, row.subject) for row in quick] == [(row.case, row.subject) for row in rows]


def test_the_tables_of_the_guide_show_every_case(quiet: Quiet, tmp_path: Path) -> None:
    figures = measured(list(bench.measure(bench.Bench(tmp_path), quick=False)))

    assert Figures.parse(figures.dump()) == figures
    table = bench_figures.callbacks(figures).splitlines()
    assert len(table) == 2 + 5 + len(bench_figures.TROUBLE)
    # The names have 7, 4, 7, 5 and 13 letters.
    assert "| is healthy | -0.38 s | +0.00 s | -0.25 s | +0.75 s |" in table
    assert "| is healthy: processor time | × 0.97 | × 1.00 | × 0.98 | × 1.06 |" in table
    [silent] = [line for line in table if "never answers" in line]
    assert silent.split("|")[4].strip() == "> 15 s"
    assert "| 10,000 | +0.000 s | +0.010 s |" in bench_figures.backlog(figures)
    assert "| one of 20 tasks | 0.000 s | 0.550 s |" in bench_figures.tasks(figures)
    assert "commit `0123456789ab`, on 2 processors" in bench_figures.setup(figures)
    assert "2 requests" in bench_figures.unforked(figures)


def test_the_commit_shows_whether_anything_else_was_changed(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "docs").mkdir()
    for name in ("code.py", "docs/performance.json"):
        (tmp_path / name).write_text("old")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "One"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / bench.DOCUMENT).write_text("new")
    clean = bench.commit(tmp_path)
    (tmp_path / "code.py").write_text("new")

    assert re.fullmatch("[0-9a-f]{12}", clean)
    assert bench.commit(tmp_path) == f"{clean}-dirty"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with old figures."""
    (tmp_path / "docs").mkdir()
    (tmp_path / bench.DOCUMENT).write_text("old")
    monkeypatch.setattr(bench, "commit", lambda _repository: "0123456789ab")
    monkeypatch.setattr(bench, "versions", lambda: {"Python": "3.13.1"})
    monkeypatch.setattr(bench, "adopt_orphans", lambda: None)
    return tmp_path


def test_figures_are_stored_when_everything_is_measured(
    quiet: Quiet, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.py", str(repository)])
    assert bench.main() == 0

    figures = Figures.parse((repository / bench.DOCUMENT).read_text())
    assert figures.commit == "0123456789ab"
    assert figures.row(bench_figures.HEALTHY, bench_figures.OURS).requests == 2
    assert [path.name for path in (repository / "docs").iterdir()] == ["performance.json"]


@pytest.mark.parametrize("case", ["interrupted", "failed", "quick"])
def test_a_benchmark_that_is_not_complete_changes_nothing(
    quiet: Quiet, repository: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    real, stop = bench.measure, {"interrupted": KeyboardInterrupt, "failed": SystemExit}

    def measure(one: bench.Bench, quick: bool) -> Iterator[Row]:
        yield from real(one, quick)
        if case in stop:
            raise stop[case]

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(
        sys, "argv", ["bench.py", str(repository), *["--quick"] * (case == "quick")]
    )
    if case in stop:
        with pytest.raises(stop[case]):
            bench.main()
    else:
        assert bench.main() == 0

    assert {path.name: path.read_text() for path in (repository / "docs").iterdir()} == {
        "performance.json": "old"
    }


def test_the_backlog_consists_of_deployments_that_a_courier_adopts(tmp_path: Path) -> None:
    backlog.fill(tmp_path / "outbox", 2, "anId")
    backlog.fill(tmp_path / "outbox", 3, "anId")
    outbox = Outbox(tmp_path / "outbox")

    adopted: list[Any] = [
        adopt(outbox, folder, Account.of_given("key:anId"), 3600.0) for folder in outbox.folders()
    ]
    assert [delivery.events for delivery, _lock in adopted] == [2, 2, 2]
