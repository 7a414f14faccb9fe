# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tasks_from start, done and finish, for people who write the block themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import Outcome, Play

pytestmark = pytest.mark.every_core


def _step(entry: str, more: str = "") -> str:
    return f"""
- name: Deployment, {entry}
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
    tasks_from: {entry}
  vars:
    deployment_name: TITLE
{more}"""


def _block(*tasks: str, always: str) -> str:
    body = "".join(tasks).strip().replace("\n", "\n    ")
    end = always.strip().replace("\n", "\n    ")
    return f"- name: Own block\n  block:\n    {body}\n  always:\n    {end}\n"


WORK = """
- name: Work
  ansible.builtin.include_tasks: TITLE.yml
"""
MARKED = _step("start") + _block(WORK, _step("done"), always=_step("finish"))
GIVEN = _step("start") + WORK + _step("finish", "    deployment_status: succeeded\n")


@pytest.fixture(scope="module")
def outcome(report: Callable[..., Outcome]) -> Outcome:
    """All plays in one run."""
    return report(
        [
            Play("marks", MARKED, hosts=1),
            Play("failure", MARKED, fails=(2,)),
            Play("serial", GIVEN, "serial: 1"),
            Play("no_start", _step("finish"), hosts=1),
        ]
    )


def test_the_verdict_comes_from_the_marks(outcome: Outcome) -> None:
    assert outcome.part("marks").phases == ("running", "succeeded"), outcome.output


def test_a_failure_is_seen_by_the_marks(outcome: Outcome) -> None:
    failure = outcome.part("failure")

    assert failure.phases == ("running", "failed"), failure.output
    assert failure.survivors == {("failure", 1)}
    assert failure.recap["failure", 2]["failed"] == 1
    assert failure.recap["failure", 2]["rescued"] == 0


def test_under_serial_there_is_one_start_and_one_finish(outcome: Outcome) -> None:
    assert outcome.part("serial").phases == ("running", "succeeded"), outcome.output


def test_a_finish_without_a_start_is_a_warning(outcome: Outcome) -> None:
    part = outcome.part("no_start")

    assert part.phases == ()
    assert part.warnings == outcome.warnings
    assert len(part.warnings) == 1, outcome.output
    assert part.survivors
    assert "was not started in this play" in " ".join(part.output.split())
