# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the mutation score belong together, and to modules that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
FIGURES = {
    name.strip("`"): [int(number) for number in numbers.split("|")]
    for name, numbers in re.findall(r"^\| (\S+) \| ((?:\d+ \| ){3}\d+) \| \d+ % \|$", TEXT, re.M)
}
REASONS = Counter(re.findall(r"^\| `(_\w+)` \| `[^`]+` \| .+ \|$", TEXT, re.MULTILINE))


def test_the_figures_add_up() -> None:
    rows = [numbers for name, numbers in FIGURES.items() if name != "all"]

    assert len(rows) > 5
    assert [sum(column) for column in zip(*rows, strict=True)] == FIGURES["all"]
    for mutants, *fates in FIGURES.values():
        assert mutants == sum(fates)


def test_the_figures_are_of_the_modules_that_are_measured() -> None:
    tool = (ROOT / "tests" / "tools" / "mutation.py").read_text(encoding="utf-8")
    measured = re.findall(r'^    "(\w+/_\w+)",$', tool, re.MULTILINE)

    assert list(FIGURES) == [*measured, "all"]
    assert [name for name in measured if not (ROOT / "plugins" / f"{name}.py").exists()] == []


def test_each_equivalent_mutant_has_its_reason() -> None:
    counted = {name.partition("/")[2]: row[2] for name, row in FIGURES.items() if row[2]}
    counted.pop("", None)

    assert dict(REASONS) == counted
