# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tasks_from start, done and finish, for people who write the block themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import Outcome, Play

Report = Callable[..., Outcome]


def _step(entry: str, more: str = "") -> str:
    return f"""
- name: Deployment, {entry}
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
    tasks_from: {entry}
  vars:
    deployment_name: shop
{more}"""


def _block(*tasks: str, always: str) -> str:
    body = "".join(tasks).strip().replace("\n", "\n    ")
    end = always.strip().replace("\n", "\n    ")
    return f"- name: Own block\n  block:\n    {body}\n  always:\n    {end}\n"


WORK = """
- name: Work
  ansible.builtin.include_tasks: deploy.yml
"""
MARKED = _step("start") + _block(WORK, _step("done"), always=_step("finish"))


def test_the_verdict_comes_from_the_marks(report: Report) -> None:
    outcome = report(Play(MARKED, hosts=("h1",)))

    assert outcome.phases == ["running", "succeeded"], outcome.output


@pytest.mark.every_core
def test_a_failure_is_seen_by_the_marks(report: Report) -> None:
    outcome = report(Play(MARKED, fails=("h2",)))

    assert outcome.phases == ["running", "failed"], outcome.output
    assert outcome.survivors == {"h1", "h3"}
    assert outcome.recap["h2"]["failed"] == 1
    assert outcome.recap["h2"]["rescued"] == 0


def test_under_serial_there_is_one_start_and_one_finish(report: Report) -> None:
    finish = _step("finish", "    deployment_status: succeeded\n")

    outcome = report(Play(_step("start") + WORK + finish, "serial: 1"))

    assert outcome.phases == ["running", "succeeded"]


def test_a_finish_without_a_start_is_a_warning(report: Report) -> None:
    outcome = report(Play(_step("finish"), hosts=("h1",)))

    assert outcome.phases == []
    assert len(outcome.warnings) == 1
    assert outcome.returncode == 0
    assert "was not started in this play" in " ".join(outcome.output.split())
