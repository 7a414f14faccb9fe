# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the matrix makes of versions and Pythons that are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("tomllib", reason="the make targets need Python 3.11")
TOOLS = Path(__file__).resolve().parents[1] / "tools"
sys.path.insert(0, str(TOOLS))
import environments  # noqa: E402
import matrix  # noqa: E402
import run  # noqa: E402
from commands import StepSkipped  # noqa: E402
from reports import Outcome  # noqa: E402
from steps import Steps  # noqa: E402
from workspace import Workspace  # noqa: E402


@pytest.fixture(autouse=True)
def _not_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(Workspace, "copy_tree", lambda _self: None)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find no Python for any version."""
    monkeypatch.setattr(environments, "find_python", lambda *_args: None)


@pytest.fixture
def without_38(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Have every Python but 3.8, and run no test on them."""
    environment = environments.Environment("x", tmp_path)
    monkeypatch.setattr(environments, "find_python", Path)
    monkeypatch.setattr(environments, "core", lambda *_args: environment)
    monkeypatch.setattr(
        environments, "target", lambda _cache, version: None if version == "3.8" else Path("python")
    )
    monkeypatch.setattr(Steps, "on_targets", lambda *_args: None)


def outcomes(*arguments: str) -> list[Outcome]:
    steps = Steps(Workspace.of(TOOLS), list(arguments))
    return [run.attempt(name, step, steps) for name, step in matrix.plan(steps)]


@pytest.mark.usefixtures("nothing_installed")
def test_a_version_without_its_python_is_skipped_on_a_machine_that_has_few() -> None:
    (_set_up, row) = outcomes("2.18")

    assert (row.verdict, "3.12 or 3.13" in row.reason) == ("skipped", True)
    assert run.run("matrix", ["2.18"]) == 0


@pytest.mark.usefixtures("nothing_installed")
def test_a_complete_matrix_fails_for_a_version_without_its_python() -> None:
    (_set_up, row) = outcomes("2.18", "complete")

    assert (row.verdict, "3.12 or 3.13" in row.reason) == ("failed", True)
    assert "not complete" in row.reason
    assert run.run("matrix", ["complete", "2.18"]) == 1


@pytest.mark.usefixtures("without_38")
def test_a_python_that_hosts_may_have_is_only_named_when_it_is_missing() -> None:
    (_set_up, row) = outcomes("2.17", "targets")

    assert (row.verdict, "not installed: 3.8" in row.reason) == ("passed", True)


@pytest.mark.usefixtures("without_38")
def test_a_complete_matrix_fails_for_a_missing_python_that_hosts_may_have() -> None:
    (_set_up, row) = outcomes("2.17", "targets", "complete")

    assert (row.verdict, "not installed: 3.8" in row.reason) == ("failed", True)
    (_set_up, row) = outcomes("2.20", "targets", "complete")  # it knows no 3.8
    assert row.verdict == "passed"


@pytest.mark.parametrize(
    ("value", "complete"), [("true", True), ("1", True), ("false", False), ("", False)]
)
def test_continuous_integration_wants_a_complete_matrix(
    monkeypatch: pytest.MonkeyPatch, value: str, complete: bool
) -> None:
    monkeypatch.setenv("CI", value)

    assert matrix.choice([]).complete is complete


def test_the_other_arguments_choose_as_before() -> None:
    choice = matrix.choice(["2.19", "complete", "unit", "-k", "complete"])

    assert [core.version for core in choice.cores] == ["2.19"]
    assert (choice.kinds, choice.left) == (["unit"], ["-k", "complete"])
    assert matrix.choice(["complete"]).kinds == matrix.KINDS


def test_other_targets_let_a_step_be_skipped_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def skip(_steps: Steps) -> None:
        raise StepSkipped("not here")

    monkeypatch.setenv("CI", "true")
    monkeypatch.setitem(run.TARGETS, "build", [("build", skip)])

    assert run.run("build", []) == 0
