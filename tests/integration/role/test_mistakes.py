# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mistake ends the play with a clear word, before anything is reported or deployed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import (
    DEPLOY,
    RESCUED,
    Outcome,
    Play,
)

ROLE = """
- name: With the role
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: TITLE
"""
WITH_FILE = ROLE + "    deployment_tasks_file: TITLE.yml\n"
STOPPED = RESCUED.replace("MESSAGE", "mistake: {{ ansible_failed_result.msg }}")
AS_ROLES = """
roles:
  - role: aliops.cloudmonitor.deployment
    deployment_name: TITLE
    deployment_tasks_file: TITLE.yml
    when: place != 1
"""
IMPORTED = """
- name: With the role
  ansible.builtin.import_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: TITLE
    deployment_tasks_file: TITLE.yml
  when: place != 1
"""
NOWHERE = """
    deployment_connection: {region: cn-nowhere}
    deployment_report_errors: fail
"""
MISTAKES = {
    "nothing_to_deploy": (ROLE, "Set deployment_tasks_file, deployment_roles or both"),
    "recursion": (WITH_FILE, "would run itself"),
    "no_name": (WITH_FILE.replace("    deployment_name: TITLE\n", ""), "deployment_name"),
    "unknown_connection_option": (
        WITH_FILE + "    deployment_connection: {regoin: cn-beijing}\n",
        "regoin: no such option",
    ),
    "unknown_region": (WITH_FILE + NOWHERE.lstrip("\n"), "cn-nowhere"),
    "import_without_the_first_host": (IMPORTED, "skips the role on the first host"),
    "roles_without_the_first_host": ("", "skips the role on the first host"),
    "strategy_free": (WITH_FILE, "hosts do not wait"),
}


def _play(title: str, role: str) -> Play:
    if not role:
        return Play(title, "", AS_ROLES)
    keywords = {
        "unknown_region": "environment: {CLOUDMONITOR_ENDPOINT: ''}",
        "strategy_free": "strategy: free",
    }
    return Play(
        title,
        STOPPED,
        keywords.get(title, ""),
        hosts=2 if role is IMPORTED else 1,
        role=role,
        deploy=WITH_FILE if title == "recursion" else DEPLOY,
    )


@pytest.fixture(scope="module")
def outcome(report: Callable[..., Outcome]) -> Outcome:
    """All mistakes in one run, one play for each."""
    return report([_play(title, role) for title, (role, _word) in MISTAKES.items()])


@pytest.mark.every_core
@pytest.mark.parametrize("title", MISTAKES)
def test_is_an_error_before_anything_is_deployed(title: str, outcome: Outcome) -> None:
    part, word = outcome.part(title), MISTAKES[title][1]

    # Ansible itself warns of run_once there.
    assert bool(part.warnings) == (title == "strategy_free"), part.output
    stopped = part.recap[title, len(part.recap)]
    assert stopped["failed"] + stopped["rescued"] > 0, part.output
    assert word in " ".join(part.output.split())
    assert ": Install]" not in part.output
    assert part.phases == (("running", "failed") if title == "recursion" else ())


def test_no_mistake_is_reported_under_another_name(outcome: Outcome) -> None:
    assert {event["name"] for event in outcome.events} == {"recursion"}
