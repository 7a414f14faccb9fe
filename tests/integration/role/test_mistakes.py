# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mistake ends the play with a clear word, before anything is reported or deployed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import Outcome, Play

ROLE = """
- name: With the role
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: shop
"""
WITH_FILE = ROLE + "    deployment_tasks_file: deploy.yml\n"
AS_ROLES = """
roles:
  - role: aliops.cloudmonitor.deployment
    deployment_name: shop
    deployment_tasks_file: deploy.yml
    when: inventory_hostname != "h1"
"""
IMPORTED = """
- name: With the role
  ansible.builtin.import_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: shop
    deployment_tasks_file: deploy.yml
  when: inventory_hostname != "h1"
"""
MISTAKES = {
    "nothing_to_deploy": (Play(role=ROLE), "Set deployment_tasks_file, deployment_roles or both"),
    "recursion": (
        Play(role=WITH_FILE, files={"deploy.yml": "---" + WITH_FILE}),
        "would run itself",
    ),
    "no_name": (
        Play(role=WITH_FILE.replace("    deployment_name: shop\n", "")),
        "deployment_name",
    ),
    "unknown_connection_option": (
        Play(role=WITH_FILE + "    deployment_connection: {regoin: cn-beijing}\n"),
        "regoin: no such option",
    ),
    "unknown_region": (
        Play(
            role=WITH_FILE
            + "    deployment_connection: {region: cn-nowhere, endpoint: ''}\n"
            + "    deployment_report_errors: fail\n",
        ),
        "cn-nowhere",
    ),
    "roles_without_the_first_host": (Play("", AS_ROLES), "skips the role on the first host"),
    "import_without_the_first_host": (Play(role=IMPORTED), "skips the role on the first host"),
    "strategy_free": (Play(keywords="strategy: free"), "hosts do not wait"),
}


@pytest.mark.every_core
@pytest.mark.parametrize(("play", "word"), MISTAKES.values(), ids=MISTAKES)
def test_is_an_error_before_anything_is_deployed(
    play: Play, word: str, report: Callable[..., Outcome]
) -> None:
    env = {"CLOUDMONITOR_ENDPOINT": ""} if "cn-nowhere" in word else {}

    outcome = report(play, **env)

    if "strategy" in play.keywords:  # Ansible itself warns of run_once there.
        assert outcome.warnings, outcome.output
    assert outcome.returncode == 2, outcome.output
    assert word in " ".join(outcome.output.split())
    assert "installed" not in outcome.output
    assert outcome.events == ([] if word != "would run itself" else outcome.events)
