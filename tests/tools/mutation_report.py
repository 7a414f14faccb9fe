# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What "make mutation" tells: a table of scores, and the mutants that no test noticed."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One small change of a module: ``line`` is where, ``code`` the whole module with it.

    ``function`` is the name of what is around the line, such as ``Client.send``.
    """

    job: str
    module: str
    line: int
    operator: str
    code: str
    diff: str
    function: str = ""

    @classmethod
    def of(cls, job: str, module: str, operator: str, original: str, code: str) -> Mutant:
        """Return the mutant that has this code instead of the original."""
        before, after = original.splitlines(), code.splitlines()
        changes = [
            change
            for change in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
            if change[0] != "equal"
        ]
        start, end = changes[0][1:3] if changes else (-1, -1)
        # A decorator goes with the empty lines above it.
        line = next(
            (number + 1 for number in range(start, end) if before[number].strip()), start + 1
        )
        diff = "\n".join(difflib.unified_diff(before, after, lineterm="", n=0))
        around = enclosing(original, line)
        return cls(job, module, line, operator.removeprefix("core/"), code, diff, around)

    @property
    def change(self) -> str:
        """The changed lines, before and after."""
        lines = self.diff.splitlines()[3:]
        return "\n".join(f"    {line[0]} {line[1:].strip()}" for line in lines)


def enclosing(code: str, line: int) -> str:
    """Return the dotted name of the function or class around a line, else ``<module>``.

    A decorator belongs to what it decorates.
    """
    names: list[str] = []
    body: list[ast.stmt] = ast.parse(code).body
    while True:
        for node in body:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            if first <= line <= (node.end_lineno or first):
                names.append(node.name)
                body = node.body
                break
        else:
            return ".".join(names) or "<module>"


@dataclasses.dataclass(frozen=True)
class Equivalent:
    """A mutant that nobody could notice.

    ``code`` is in the line of ``function``, see Mutant, in ``module`` as it is then.
    """

    module: str
    function: str
    code: str

    def is_one(self, mutant: Mutant) -> bool:
        """Tell whether this mutant is meant."""
        changed = mutant.diff.splitlines()[3:]
        # Of a line that only went, what it was.
        new = [line for line in changed if line.startswith("+")] or changed
        place = (Path(mutant.module).name, mutant.function)
        return place == (self.module, self.function) and any(
            _bare(self.code) in _bare(line) for line in new
        )


def equivalents(document: str) -> list[Equivalent]:
    """Return what the table in a document says: | `module` | `function` | `code` | reason |."""
    rows = re.findall(r"^\| `(_\w+)` \| `([^` ]+)` \| `([^`]+)` \| .+ \|$", document, re.MULTILINE)
    return [Equivalent(*row) for row in rows]


def _bare(line: str) -> str:
    return "".join(line.split())  # Cosmic Ray puts spaces before its numbers


@dataclasses.dataclass(frozen=True)
class Score:
    """How many mutants of a module the tests noticed, and which they did not.

    ``equivalent`` are those that nobody could notice; they do not count in the share.
    """

    module: str
    killed: int
    equivalent: tuple[Mutant, ...]
    survived: tuple[Mutant, ...]
    seconds: float

    @classmethod
    def of(
        cls,
        module: str,
        killed: int,
        left: Sequence[Mutant],
        known: Sequence[Equivalent],
        seconds: float,
    ) -> Score:
        """Return the score, the mutants that are left being sorted into the two kinds."""
        ordered = sorted(left, key=lambda one: one.line)
        same = tuple(one for one in ordered if any(row.is_one(one) for row in known))
        survived = tuple(one for one in ordered if one not in same)
        return cls(module, killed, same, survived, seconds)

    @property
    def mutants(self) -> int:
        """How many there were."""
        return self.killed + len(self.equivalent) + len(self.survived)

    @property
    def share(self) -> float:
        """How many percent were killed of those that could be."""
        possible = self.killed + len(self.survived)
        return 100 * self.killed / possible if possible else 100.0

    @property
    def line(self) -> str:
        """A row of the table."""
        return (
            f"{self.module:<26} {self.mutants:>7} {self.killed:>7} {len(self.equivalent):>11} "
            f"{len(self.survived):>9} {self.share:>6.1f} % {self.seconds:>5.0f} s"
        )


def table(scores: Sequence[Score]) -> str:
    """Return the table of all modules, and a last row with the sums."""
    total = Score(
        "all",
        sum(row.killed for row in scores),
        tuple(mutant for row in scores for mutant in row.equivalent),
        tuple(mutant for row in scores for mutant in row.survived),
        sum(row.seconds for row in scores),
    )
    heading = f"{'module':<26} mutants  killed  equivalent  survived    score    time"
    return "\n".join(["", heading, *(row.line for row in [*scores, total])])


def idle(known: Sequence[Equivalent], scores: Sequence[Score]) -> list[str]:
    """Return the rows for these modules that no mutant needs, and that should go."""
    modules = {Path(score.module).name: score.equivalent for score in scores}
    return [
        f"{row.module}: {row.function}: {row.code}"
        for row in known
        if row.module in modules and not any(map(row.is_one, modules[row.module]))
    ]


def survivors(scores: Sequence[Score]) -> str:
    """Return the list of the mutants that no test noticed, each with its place and change."""
    parts = [
        f"plugins/{mutant.module}.py:{mutant.line} {mutant.operator}\n{mutant.change}"
        for score in scores
        for mutant in score.survived
    ]
    return "\n\n".join([*parts, f"{len(parts)} survived\n"])
