# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version matrix: every supported ansible-core, on one Python each, and all targets' Pythons.

Together the cores run on every Python that a controller may have. The Pythons are those that
each version's own ansible-test lists (controller and target in its _util/target/common).

A machine with a few Pythons does what it can. With the argument "complete", or the variable CI
set, what is skipped or not installed is a failure.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import environments
from commands import StepFailed, StepSkipped
from environments import Environment
from steps import Steps

KINDS = ("unit", "integration", "targets", "sanity")
COMPLETE = "complete"

Step = tuple[str, Callable[[Steps], None]]

HEADING = "core  Python  what"


@dataclass(frozen=True)
class Core:
    """A version of ansible-core.

    ``pythons`` run it, and the first that is there is taken; ``targets`` run its modules. An
    empty ``lock`` means an environment of "make test".
    """

    version: str
    pythons: tuple[str, ...]
    targets: tuple[str, ...]
    lock: str = ""
    sanity: bool = False

    def environment(self, steps: Steps) -> Environment:
        """Return its environment, made when it is not there. Raises StepSkipped, see python."""
        if self == CORES[-1]:
            self.python()
            return steps.newest
        if self == CORES[0]:
            return steps.oldest
        found = environments.core(steps.workspace.cache, self.version, self.pythons, self.lock)
        if found is None:
            raise StepSkipped(self._missing())
        return found

    def python(self) -> str:
        """Return the Python that it runs on here. Raises StepSkipped when there is none."""
        if self == CORES[-1]:  # The newest environment has the Python that runs this.
            ours = ".".join(map(str, sys.version_info[:2]))
            found = [ours] if ours in self.pythons else []
        else:
            found = [name for name in self.pythons if environments.find_python(name)][:1]
        if not found:
            raise StepSkipped(self._missing())
        return found[0]

    def _missing(self) -> str:
        return f"no Python {' or '.join(self.pythons)} with venv, which it needs"


_OLD = "oldest-lock.txt"
_NEW = "newest-lock.txt"
_TO_312 = ("3.8", "3.9", "3.10", "3.11", "3.12")
_TO_313 = (*_TO_312, "3.13")

# The oldest and the newest are those of "make test".
CORES = (
    Core("2.16", ("3.10", "3.11"), _TO_312, sanity=True),
    Core("2.17", ("3.11", "3.10"), _TO_312, _OLD),
    Core("2.18", ("3.12", "3.13", "3.11"), _TO_313, _OLD),
    Core("2.19", ("3.11", "3.12", "3.13"), _TO_313, _NEW, sanity=True),
    Core("2.20", ("3.12", "3.13"), _TO_313[1:], _NEW),
    Core("2.21", ("3.13", "3.12"), _TO_313[1:], sanity=True),
)


@dataclass(frozen=True)
class Choice:
    """What of the matrix is wanted, and the arguments that are left for the tests.

    ``complete`` tells that nothing of it may be missing.
    """

    cores: Sequence[Core]
    kinds: Sequence[str]
    left: list[str]
    complete: bool = False


def choice(arguments: Sequence[str]) -> Choice:
    """Read arguments such as ``2.19 2.21 unit -k signature``; without any, everything is meant."""
    words = list(arguments)
    names = {COMPLETE, *KINDS, *(core.version for core in CORES)}
    chosen: list[str] = []
    while words and words[0] in names:
        chosen.append(words.pop(0))
    cores = [core for core in CORES if core.version in chosen] or CORES
    kinds = [kind for kind in KINDS if kind in chosen] or KINDS
    complete = COMPLETE in chosen or os.environ.get("CI", "") not in ("", "0", "false")
    return Choice(cores, kinds, words, complete)


def plan(steps: Steps) -> list[Step]:
    """Return the steps of the matrix that the arguments choose; they keep what is left of them."""
    wanted = choice(steps.arguments)
    steps.arguments = wanted.left
    planned: list[Step] = [("set-up", partial(_set_up, wanted=wanted))]
    for core in wanted.cores:
        try:
            python = core.python()
        except StepSkipped as skipped:
            planned.append((f"{core.version}          everything", partial(_skip, why=skipped)))
            continue
        kinds = [kind for kind in wanted.kinds if kind != "sanity" or core.sanity]
        planned += [
            (f"{core.version}  {python:<6}  {_NAMES[kind]}", partial(_STEPS[kind], core))
            for kind in kinds
        ]
    if wanted.complete:
        planned = [(name, partial(_complete, step=step)) for name, step in planned]
    return planned


def _set_up(steps: Steps, wanted: Choice) -> None:
    """Create the environments, so that their time is not taken for that of the first test."""
    for core in wanted.cores:
        try:
            print(f"{core.version}: {core.environment(steps).folder}")
        except StepSkipped as skipped:
            print(f"{core.version}: none, {skipped}")
    if "targets" in wanted.kinds:
        for version in environments.PYTHONS:
            python = environments.target(steps.workspace.cache, version)
            print(f"modules on Python {version}: {python or 'none, not installed'}")


def _complete(steps: Steps, step: Callable[[Steps], None]) -> None:
    """Run a step of which nothing may be missing. Raises StepFailed when something is."""
    try:
        step(steps)
    except StepSkipped as skipped:
        raise StepFailed(f"not complete: {skipped}") from None
    if _NOT_INSTALLED in steps.said:
        raise StepFailed("not complete")


def _skip(steps: Steps, why: StepSkipped) -> None:
    """Say in the table why a version is not there."""
    raise why


def _unit(core: Core, steps: Steps) -> None:
    steps.unit(core.environment(steps))


def _integration(core: Core, steps: Steps) -> None:
    steps.integration(core.environment(steps))


def _targets(core: Core, steps: Steps) -> None:
    """Let modules report from hosts with each Python that this version knows there."""
    cache = steps.workspace.cache
    found = {version: environments.target(cache, version) for version in core.targets}
    there = {version: python for version, python in found.items() if python is not None}
    if not there:
        raise StepSkipped(f"none of Python {', '.join(core.targets)} is installed")
    try:
        steps.on_targets(core.environment(steps), list(there.values()))
    finally:
        missing = ", ".join(version for version in core.targets if version not in there)
        parts = [steps.said, f"Python {', '.join(there)}", missing and _NOT_INSTALLED + missing]
        steps.said = "; ".join(filter(None, parts))


def _sanity(core: Core, steps: Steps) -> None:
    steps.sanity_of(core.environment(steps))


_NOT_INSTALLED = "not installed: "
_NAMES = {
    "unit": "unit tests",
    "integration": "integration tests",
    "targets": "modules on targets",
    "sanity": "ansible-test sanity",
}
_STEPS: dict[str, Callable[[Core, Steps], None]] = {
    "unit": _unit,
    "integration": _integration,
    "targets": _targets,
    "sanity": _sanity,
}
