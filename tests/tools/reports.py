# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How steps ended, and the table of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VERDICTS = ("passed", "failed", "skipped")


@dataclass(frozen=True)
class Outcome:
    """How a step ended: passed, failed or skipped, after how long, and why."""

    name: str
    verdict: str
    seconds: float
    reason: str = ""


def summary(outcomes: Sequence[Outcome], notes: Sequence[str], heading: str = "step") -> str:
    """Return the table of the steps; its last line has the numbers."""
    width = max([22, *(len(outcome.name) for outcome in outcomes)])
    lines = ["", f"{heading:<{width}} seconds"]
    for outcome in outcomes:
        reason = f": {outcome.reason}" if outcome.reason else ""
        lines.append(f"{outcome.name:<{width}} {outcome.seconds:>7.1f}  {outcome.verdict}{reason}")
    lines.append(f"{'total':<{width}} {sum(outcome.seconds for outcome in outcomes):>7.1f}")
    lines += [f"note: {note}" for note in dict.fromkeys(notes)]
    counted = {
        verdict: sum(outcome.verdict == verdict for outcome in outcomes) for verdict in VERDICTS
    }
    numbers = ", ".join(f"{number} {verdict}" for verdict, number in counted.items())
    return "\n".join([*lines, "", numbers])


def counts(report: Path) -> str:
    """Return how many tests of a report of pytest's passed, failed and were skipped.

    "" when there is no report, because pytest did not get that far.
    """
    if not report.exists():
        return ""
    # The first element's attributes, all of them numbers: no need for an XML parser.
    head = report.read_text(encoding="utf-8")[:2000]
    found = re.search(
        r'<testsuite [^>]*errors="(\d+)" failures="(\d+)" skipped="(\d+)" [^>]*', head
    )
    tests = re.search(r'<testsuite [^>]*tests="(\d+)"', head)
    if found is None or tests is None:
        return ""
    errors, failures, skipped = map(int, found.groups())
    failed = errors + failures
    passed = int(tests.group(1)) - failed - skipped
    numbers = {"passed": passed, "failed": failed, "skipped": skipped}
    said = [f"{number} {name}" for name, number in numbers.items() if number]
    return f"tests: {', '.join(said) or 'none'}"
