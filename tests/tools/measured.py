# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Branch coverage of plugins/ by the unit and the integration tests together.

What integration tests start is measured as well: ansible-playbook, its forked workers, couriers,
modules. Their environments are cleaned of variables, so a .pth file of the environment, which
every Python reads at its start, tells coverage.py to measure for as long as there is a settings
file. A process that is killed takes what it knows with it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import environments
import tomllib
from environments import Environment
from steps import Steps

LEAST = 95
HERE = "ansible_collections/aliops/cloudmonitor/plugins"

# "a0": read before a1_coverage.pth, which coverage.py installs and which looks at the variable.
PTH = "a0_aliops_cloudmonitor.pth"
PTH_LINE = (
    "import os; os.path.exists({0!r}) and os.environ.setdefault('COVERAGE_PROCESS_START', {0!r})\n"
)

SETTINGS = """\
[run]
branch = True
parallel = True
data_file = {data}
# The modules of a play lie in a zip file, and the demo installs the collection anew.
include = */{here}/*
# Ansible makes these for the zip file.
omit = */__init__.py
# Workers end with os._exit().
patch = _exit
disable_warnings = no-data-collected, module-not-measured, module-not-imported, include-ignored

[paths]
plugins =
    {tree}/plugins
    */{here}

[report]
show_missing = True
skip_covered = True
fail_under = {least}
exclude_also =
    {excluded}
"""


def _folder(steps: Steps) -> Path:
    return steps.workspace.cache / "measured"


def _data(steps: Steps) -> Path:
    """The file of the figures, as COVERAGE_FILE names it; each process adds to its name."""
    return steps.workspace.cache / "coverage"


def _forget(steps: Steps) -> None:
    """Remove what processes have left, whole or, killed while they wrote, in part."""
    data = _data(steps)
    for path in data.parent.glob(data.name + ".*"):
        path.unlink()


def _armed(steps: Steps) -> Path:
    """The settings file that makes every Python of the environment measure while it is there."""
    return _folder(steps) / "measure.ini"


def _settings(steps: Steps) -> str:
    project = tomllib.loads((steps.workspace.tree / "pyproject.toml").read_text(encoding="utf-8"))
    return SETTINGS.format(
        data=_data(steps),
        here=HERE,
        tree=steps.workspace.tree,
        least=LEAST,
        excluded="\n    ".join(project["tool"]["coverage"]["report"]["exclude_also"]),
    )


def _environment(steps: Steps) -> Environment:
    """Return the environment, whose every Python measures while it is told to."""
    environment = environments.coverage(steps.workspace.cache)
    (packages,) = environment.folder.glob("lib/python3.*/site-packages")
    (packages / PTH).write_text(PTH_LINE.format(str(_armed(steps))), encoding="utf-8")
    return environment


def _coverage(steps: Steps, *words: str | Path) -> None:
    settings = _folder(steps) / "report.ini"
    settings.write_text(_settings(steps), encoding="utf-8")
    command = ("coverage", words[0], f"--rcfile={settings}", *words[1:])
    steps.run_program(_environment(steps), *command)


def begin(steps: Steps) -> None:
    """Forget earlier figures, and note every file of plugins/: none is left out of the report."""
    steps.workspace.fresh(_folder(steps).name)
    _forget(steps)
    _coverage(steps, "run", f"--source={steps.workspace.tree / 'plugins'}", "-m", "platform")


def _measure(steps: Steps, run: Callable[[Environment], None]) -> None:
    environment = _environment(steps)
    armed = _armed(steps)
    armed.write_text(_settings(steps), encoding="utf-8")
    try:
        run(environment)
    finally:
        armed.unlink()


def unit(steps: Steps) -> None:
    """Run the unit tests, measured."""
    _measure(steps, steps.unit)


def integration(steps: Steps) -> None:
    """Run real playbooks, measured."""
    _measure(steps, steps.integration)


def report(steps: Steps) -> None:
    """Print what was reached; StepFailed when it is too little."""
    _coverage(steps, "combine", "--quiet")
    _forget(steps)
    _coverage(steps, "report")
