# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a make target: its steps one after the other, all of them, and a summary at the end.

usage: run.py TARGET [ARGUMENT...]; run.sh finds a Python for it. Exit status 0 when no step failed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import matrix
import measured
from commands import StepFailed, StepSkipped
from reports import Outcome, summary
from steps import Steps
from workspace import Workspace

CHECKOUT = Path(__file__).resolve().parent.parent.parent

Step = tuple[str, Callable[[Steps], None]]

FORMAT: list[Step] = [("format", Steps.check_format)]
LINT: list[Step] = [("lint", Steps.lint)]
TYPES: list[Step] = [("types", Steps.types)]
UNIT: list[Step] = [("unit", Steps.unit_newest), ("unit, oldest", Steps.unit_oldest)]
INTEGRATION: list[Step] = [
    ("integration", Steps.integration_newest),
    ("integration, oldest", Steps.integration_oldest),
    ("integration targets", Steps.targets),
]
SANITY: list[Step] = [("sanity", Steps.sanity), ("sanity, Python 3.8", Steps.sanity_oldest)]
DOCS: list[Step] = [("docs-lint", Steps.docs_lint)]
SITE: list[Step] = [("docs", Steps.docs_site)]
BUILD: list[Step] = [("build", Steps.build)]

TARGETS: dict[str, list[Step]] = {
    "format": [("format", Steps.rewrite_format)],
    "lint": FORMAT + LINT,
    "types": TYPES,
    "unit": UNIT,
    "integration": INTEGRATION,
    "sanity": SANITY,
    "docs-lint": DOCS,
    "docs": SITE,
    "build": BUILD,
    "test": FORMAT + LINT + TYPES + UNIT + INTEGRATION + SANITY + DOCS + SITE + BUILD,
    "galaxy": [("galaxy", Steps.galaxy)],
    "mutation": [("mutation", Steps.mutation)],
    "demo": [("demo", Steps.demo)],
    "coverage": [
        ("set-up", measured.begin),
        ("unit", measured.unit),
        ("integration", measured.integration),
        ("coverage", measured.report),
    ],
    "matrix": [],  # matrix.plan() makes its steps of the arguments
    "bench": [("bench", Steps.bench), ("bench of callbacks", Steps.bench_callbacks)],
}
# With arguments these run one step only: the arguments choose tests, and that is for a quick look.
CHOOSING = {"unit", "integration", "sanity"}
# Their own output is what people want to see, no summary.
ALONE = {"format", "demo", "bench", "mutation"}


def set_up(steps: Steps) -> None:
    """Create the environments, so that their time is not taken for that of the first test."""
    print("newest:", steps.newest.folder)
    try:
        print("oldest:", steps.oldest.folder)
    except StepSkipped as skipped:
        print("oldest: none,", skipped)


def attempt(name: str, step: Callable[[Steps], None], steps: Steps) -> Outcome:
    """Run one step and return how it ended; failing is an outcome, not an exception."""
    print(f"\n=== {name}", flush=True)
    began = time.monotonic()
    steps.said = ""
    try:
        step(steps)
    except StepSkipped as skipped:
        return Outcome(name, "skipped", time.monotonic() - began, str(skipped))
    except (StepFailed, subprocess.CalledProcessError) as failure:
        why = "; ".join(filter(None, [str(failure), steps.said]))
        return Outcome(name, "failed", time.monotonic() - began, why)
    return Outcome(name, "passed", time.monotonic() - began, steps.said)


def run(target: str, arguments: list[str]) -> int:
    """Run the steps of a target and return the exit status."""
    workspace = Workspace.of(CHECKOUT)
    chosen = TARGETS[target]
    if target in CHOOSING and arguments:
        chosen = chosen[:1]
    with workspace.locked():
        try:
            workspace.copy_tree()
        except subprocess.CalledProcessError:
            print("git cannot list the files of the checkout, see above", file=sys.stderr)
            return 1
        steps = Steps(workspace, arguments)
        heading = "step"
        if target == "matrix":
            chosen, heading = matrix.plan(steps), matrix.HEADING
        if target == "test":
            steps.arguments = []
            chosen = [("set-up", set_up), *chosen]
        outcomes = [attempt(name, step, steps) for name, step in chosen]
    failed = any(outcome.verdict == "failed" for outcome in outcomes)
    if target in ALONE:
        for outcome in outcomes:
            if outcome.verdict != "passed":
                print(f"{outcome.name}: {outcome.reason}", file=sys.stderr)
    else:
        print(summary(outcomes, steps.notes, heading), flush=True)
    return 1 if failed else 0


def main(words: list[str]) -> int:
    """Run what the command line names."""
    target, *arguments = words or [""]
    if target == "clean":
        Workspace.of(CHECKOUT).clean()
        return 0
    if target not in TARGETS:
        print(__doc__, file=sys.stderr)
        return 2
    return run(target, arguments)


if __name__ == "__main__":
    # A stop from outside ends the running step, too, instead of leaving it behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
