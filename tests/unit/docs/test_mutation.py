# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the mutation score belong together, and to modules that exist."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "tools"))
import mutation_report  # noqa: E402
from mutation_report import Equivalent, Mutant, Score, enclosing, idle  # noqa: E402

TEXT = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
FIGURES = {
    name.strip("`"): [int(number) for number in numbers.split("|")]
    for name, numbers in re.findall(r"^\| (\S+) \| ((?:\d+ \| ){3}\d+) \| \d+ % \|$", TEXT, re.M)
}
ROWS = mutation_report.equivalents(TEXT)
REASONS = Counter(row.module for row in ROWS)


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


CODE = """\
class Client:
    def __init__(self) -> None:
        self.requests = 0

    @property
    def sent(self) -> int:
        self.requests = 0
        return 1

LEAST = 0
"""


def mutant(line: int) -> Mutant:
    """Return the code with a 1 for the 0 of a line."""
    lines = CODE.splitlines()
    lines[line - 1] = lines[line - 1].replace("0", "1")
    return Mutant.of("job", "module_utils/_client", "core/Number", CODE, "\n".join(lines))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (1, "Client"),
        (3, "Client.__init__"),
        (5, "Client.sent"),
        (7, "Client.sent"),
        (10, "<module>"),
    ],
)
def test_a_line_belongs_to_the_innermost_function(line: int, name: str) -> None:
    assert enclosing(CODE, line) == name


def test_a_decorator_that_goes_with_the_empty_line_above_it_belongs_to_its_function() -> None:
    code = CODE.replace("\n    @property", "")
    gone = Mutant.of("job", "module_utils/_client", "core/RemoveDecorator", CODE, code)

    assert (gone.line, gone.function) == (5, "Client.sent")
    assert Equivalent("_client", "Client.sent", "@property").is_one(gone)


def test_a_row_excuses_no_mutant_of_another_function() -> None:
    row = Equivalent("_client", "Client.__init__", "self.requests = 1")

    score = Score.of("module_utils/_client", 0, [mutant(3), mutant(7)], [row], 0.0)

    assert ([one.line for one in score.equivalent], [one.line for one in score.survived]) == (
        [3],
        [7],
    )
    assert idle([row], [score]) == []


def test_a_row_that_excuses_nothing_is_named() -> None:
    row = Equivalent("_client", "Client.sent", "self.requests = 1")

    score = Score.of("module_utils/_client", 0, [mutant(3)], [row], 0.0)

    assert idle([row], [score]) == ["_client: Client.sent: self.requests = 1"]


def test_each_row_names_a_function_that_there_is() -> None:
    paths = {path.stem: path for path in (ROOT / "plugins").glob("*_utils/_*.py")}

    assert ROWS
    for module in REASONS:
        code = paths[module].read_text(encoding="utf-8")
        functions = [one for one in ast.walk(ast.parse(code)) if isinstance(one, ast.FunctionDef)]
        names = {"<module>", *(enclosing(code, one.lineno) for one in functions)}
        assert {row.function for row in ROWS if row.module == module} <= names, module
