# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the unit tests notice when the code is wrong? Break it in many small ways, and count.

usage: mutation.py FOLDER [MODULE...], in the collection's folder, with the folder above
ansible_collections in PYTHONPATH. FOLDER gets the sessions, which the programs of Cosmic Ray
(cr-report, cr-html) can read, and survivors.txt. MODULE: such as _answer; default all.

Cosmic Ray makes the mutants. They run here, for its own runner starts a Python for each and writes
the mutant into the file: here a process that has pytest loaded forks for each mutant, and imports
the mutant from memory.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from multiprocessing import connection, get_context
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult
from mutation_report import Equivalent, Mutant, Score, equivalents, idle, survivors, table

PACKAGE = "ansible_collections.aliops.cloudmonitor"
MODULES = (
    "module_utils/_signature",
    "module_utils/_batching",
    "module_utils/_answer",
    "module_utils/_client",
    "module_utils/_event",
    "module_utils/_times",
    "module_utils/_deployment",
    "module_utils/_redact",
    "plugin_utils/_outcome",
    "plugin_utils/_records",
    "plugin_utils/_context_vars",
)
# Cosmic Ray would put each of eleven others in an operator's place. Of a "%" that formats a text
# nearly all of them only raise TypeError: many mutants, one finding. So: the one most like it.
BINARY = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Add", "Pow_Mul")
_BINARY_PREFIX = "core/ReplaceBinaryOperator_"

DOCUMENT = Path("docs", "mutation.md")  # lists the mutants that nobody could notice
LEAST = 95  # percent of the others

# What the tests import, loaded once and not after each fork.
PRELOADED = ("hypothesis.strategies", "jinja2", "jsonschema", "requests")
PYTEST = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist")
LOADED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # for what is preloaded
PROFILE = "--hypothesis-profile=mutation"  # see tests/unit/conftest.py
WORKERS = min(2, len(os.sched_getaffinity(0)))
MEMORY = 4 * 1024**3  # for a mutant that fills a list for ever


class _Source(MetaPathFinder, Loader):
    """Imports one module from a text in memory, and leaves all others alone."""

    def __init__(self, module: str, path: Path, code: str) -> None:
        self._module, self._path, self._code = module, path, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        return spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._code, self._path, "exec", dont_inherit=True), vars(module))  # noqa: S102


@dataclasses.dataclass(frozen=True)
class Subject:
    """One module and its tests."""

    name: str

    @property
    def path(self) -> Path:
        """Its file."""
        return Path("plugins", f"{self.name}.py")

    @property
    def tests(self) -> list[str]:
        """The files with its tests, which mirror it: test_X.py, and test_X_more.py."""
        folder = Path("tests", "unit", self.path.parent)
        names = (f"test_{self.path.stem}.py", f"test_{self.path.stem}_*.py")
        return [str(path) for name in names for path in sorted(folder.glob(name))]

    def run_tests(self, code: str, output: Path) -> None:
        """Run the tests on this code, in a forked process of their own; its exit status tells."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        with output.open("w") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        module = ".".join([PACKAGE, *self.path.with_suffix("").parts])
        sys.meta_path.insert(0, _Source(module, self.path.resolve(), code))
        status = pytest.main([*PYTEST, *LOADED, PROFILE, *self.tests])
        sys.stdout.flush()
        os._exit(int(status))


@dataclasses.dataclass
class _Running:
    """A test run under way."""

    mutant: Mutant
    process: ForkProcess
    output: Path
    deadline: float


class Runner:
    """Runs the tests of one module on its mutants, a few at a time."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self._subject, self._folder = subject, folder
        self._number = 0
        self._running: list[_Running] = []
        self._seconds = 600.0

    def baseline(self) -> None:
        """Run the tests on the code as it is. Raises SystemExit when they fail."""
        began = time.monotonic()
        code = self._subject.path.read_text(encoding="utf-8")
        nothing = Mutant(job="", module=self._subject.name, line=0, operator="", code=code, diff="")
        self._start(nothing)
        ((_mutant, killed, output),) = self._ended()
        if killed:
            print(output)
            sys.exit(f"{self._subject.path}: its tests fail on the code as it is, see above")
        # A mutant may loop for ever. The machine may have other things to do.
        self._seconds = 20 + 5 * (time.monotonic() - began)

    def results(self, mutants: Iterator[Mutant]) -> Iterator[tuple[Mutant, bool, str]]:
        """Yield each mutant with whether it was killed, and what pytest said."""
        for mutant in mutants:
            while len(self._running) >= WORKERS:
                yield from self._ended()
            self._start(mutant)
        while self._running:
            yield from self._ended()

    def stop(self) -> None:
        """End what still runs."""
        for one in self._running:
            one.process.kill()
            one.process.join()

    def _start(self, mutant: Mutant) -> None:
        self._number += 1
        output = self._folder / f"output-{self._number}.txt"
        arguments = (mutant.code, output)
        process = get_context("fork").Process(target=self._subject.run_tests, args=arguments)
        process.start()
        self._running.append(_Running(mutant, process, output, time.monotonic() + self._seconds))

    def _ended(self) -> list[tuple[Mutant, bool, str]]:
        """Wait until a run ends or is too late; return those that have ended."""
        now = time.monotonic()
        patience = max(0.0, min(one.deadline for one in self._running) - now)
        over = connection.wait([one.process.sentinel for one in self._running], patience)
        ended = []
        for one in list(self._running):
            late = one.process.sentinel not in over and time.monotonic() >= one.deadline
            if one.process.sentinel not in over and not late:
                continue
            if late:
                one.process.kill()
            one.process.join()
            said = one.output.read_text(errors="replace") if one.output.exists() else ""
            one.output.unlink(missing_ok=True)
            killed = late or one.process.exitcode != 0
            ended.append((one.mutant, killed, "too slow" if late else said[-4000:]))
            self._running.remove(one)
        return ended


def _wanted(operator: str) -> bool:
    name = operator.removeprefix(_BINARY_PREFIX)
    return name == operator or name in BINARY


def _mutants(subject: Subject, database: Any) -> Iterator[Mutant]:
    """Yield the mutants of a module in the order of its lines, those left out being noted."""
    original = subject.path.read_text(encoding="utf-8")
    left_out = WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output="left out")
    items = sorted(database.work_items, key=lambda item: item.mutations[0].start_pos)
    for item in items:
        spec = item.mutations[0]
        operator = get_operator(spec.operator_name)(**spec.operator_args)
        wanted = _wanted(spec.operator_name)
        code = mutate_code(original, operator, spec.occurrence) if wanted else None
        if code is None or not _is_python(code):
            database.set_result(item.job_id, left_out)
            continue
        yield Mutant.of(item.job_id, subject.name, spec.operator_name, original, code)


def _is_python(code: str) -> bool:
    """Tell whether it compiles; what does not would count as killed without any test."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what it looks like
            compile(code, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def measure(subject: Subject, folder: Path, known: Sequence[Equivalent]) -> Score:
    """Run the tests of a module on all its mutants, and return how many they noticed."""
    path = folder / f"{subject.path.stem}.sqlite"
    path.unlink(missing_ok=True)
    killed, left = 0, []
    began = time.monotonic()
    runner = Runner(subject, folder)
    try:
        runner.baseline()
        with use_db(path) as database:
            init([subject.path], database, {})
            for mutant, dead, said in runner.results(_mutants(subject, database)):
                _note(database, mutant, dead, said)
                killed += dead
                if not dead:
                    left.append(mutant)
    finally:
        runner.stop()
    seconds = time.monotonic() - began
    return Score.of(subject.name, killed, left, known, seconds)


def _note(database: Any, mutant: Mutant, dead: bool, said: str) -> None:
    """Write into the session what became of a mutant."""
    result = WorkResult(
        worker_outcome=WorkerOutcome.NORMAL,
        output=said,
        test_outcome=TestOutcome.KILLED if dead else TestOutcome.SURVIVED,
        diff=mutant.diff,
    )
    database.set_result(mutant.job, result)


def main(words: list[str]) -> int:
    """Measure the modules that the command line names.

    Returns 0 when each score is high enough and every row of the document excuses a mutant.
    """
    folder, *chosen = words
    names = [name for name in MODULES if not chosen or Path(name).name in chosen]
    if not names:
        print("the modules are", ", ".join(Path(name).name for name in MODULES), file=sys.stderr)
        return 2
    os.nice(5)
    for name in PRELOADED:
        importlib.import_module(name)
    # What is compiled may stay, in this copy of the tree: no mutant is compiled to a file.
    sys.dont_write_bytecode = False
    known = equivalents(DOCUMENT.read_text(encoding="utf-8"))
    scores = []
    for name in names:
        scores.append(measure(Subject(name), Path(folder), known))
        print(scores[-1].line, flush=True)
    path = Path(folder, "survivors.txt")
    path.write_text(survivors(scores), encoding="utf-8")
    print(table(scores))
    useless = idle(known, scores)
    for row in useless:
        print(f"{DOCUMENT} has a row without a mutant: {row}")
    print(f"survivors: {path}")
    return 1 if useless or any(score.share < LEAST for score in scores) else 0


if __name__ == "__main__":
    # A stop from outside ends the runs of tests, too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
