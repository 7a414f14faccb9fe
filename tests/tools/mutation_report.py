# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What "make mutation" tells: a table of scores, and the mutants that no test noticed."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One small change of a module: ``line`` is where, ``code`` the whole module with it."""

    job: str
    module: str
    line: int
    operator: str
    code: str
    diff: str

    @classmethod
    def of(cls, job: str, module: str, operator: str, original: str, code: str) -> Mutant:
        """Return the mutant that has this code instead of the original."""
        before, after = original.splitlines(), code.splitlines()
        changes = [
            change
            for change in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
            if change[0] != "equal"
        ]
        line = changes[0][1] + 1 if changes else 0
        diff = "\n".join(difflib.unified_diff(before, after, lineterm="", n=0))
        return cls(job, module, line, operator.removeprefix("core/"), code, diff)

    @property
    def change(self) -> str:
        """The changed lines, before and after."""
        lines = self.diff.splitlines()[3:]
        return "\n".join(f"    {line[0]} {line[1:].strip()}" for line in lines)


@dataclasses.dataclass(frozen=True)
class Score:
    """How many mutants of a module the tests noticed, and which they did not."""

    module: str
    killed: int
    survived: tuple[Mutant, ...]
    seconds: float

    @property
    def mutants(self) -> int:
        """How many there were."""
        return self.killed + len(self.survived)

    @property
    def line(self) -> str:
        """A row of the table."""
        share = 100 * self.killed / self.mutants if self.mutants else 100.0
        return (
            f"{self.module:<26} {self.mutants:>7} {self.killed:>7} {len(self.survived):>9} "
            f"{share:>6.1f} % {self.seconds:>7.0f} s"
        )


def table(scores: Iterable[Score]) -> str:
    """Return the table of all modules, and a last row with the sums."""
    rows = list(scores)
    total = Score(
        "all",
        sum(row.killed for row in rows),
        tuple(mutant for row in rows for mutant in row.survived),
        sum(row.seconds for row in rows),
    )
    heading = f"{'module':<26} mutants  killed  survived    score      time"
    return "\n".join(["", heading, *(row.line for row in [*rows, total])])


def survivors(scores: Iterable[Score]) -> str:
    """Return the list of the mutants that no test noticed, each with its place and change."""
    parts = [
        f"plugins/{mutant.module}.py:{mutant.line} {mutant.operator}\n{mutant.change}"
        for score in scores
        for mutant in score.survived
    ]
    return "\n\n".join([*parts, f"{len(parts)} survived\n"])
