# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events hold, and what happens when Cloud Monitor is out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import Outcome, Play

Report = Callable[..., Outcome]
ROLE = """
- name: With the role
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: shop
    deployment_tasks_file: deploy.yml
"""
FULL = (
    ROLE
    + """
    deployment_version: 1.4.2
    deployment_environment: production
    deployment_id: release-7
    deployment_details: {ticket: OPS-1}
    deployment_group_id: 42
    deployment_start_event: shop-start
    deployment_finish_event: shop-finish
    deployment_failure_event: shop-failure
""".lstrip("\n")
)
ONE = ("h1",)
NOBODY = {"CLOUDMONITOR_ENDPOINT": "http://127.0.0.1:1"}
ROLES = {
    "roles/web/tasks/main.yml": "---\n- name: Web\n  ansible.builtin.debug:\n    msg: web role\n",
    "roles/deployment/tasks/main.yml": "---\n- name: A role of the user's of the same name\n"
    "  ansible.builtin.debug:\n    msg: own deployment role\n",
}


@pytest.mark.every_core
def test_every_variable_reaches_the_events(report: Report) -> None:
    outcome = report(Play(role=FULL, fails=("h2",)))

    assert [event["event"] for event in outcome.events] == [
        "shop-start",
        "shop-finish",
        "shop-failure",
    ]
    for event in outcome.events:
        assert event["group"] == 42
        assert (event["id"], event["name"]) == ("release-7", "shop")
        assert (event["version"], event["environment"]) == ("1.4.2", "production")
        assert event["details"] == {"ticket": "OPS-1"}
    assert outcome.events[1]["started_at"] == outcome.events[0]["started_at"]
    assert outcome.events[1]["duration_s"] >= 0


def test_module_defaults_reach_the_events_and_an_empty_failure_event_turns_it_off(
    report: Report,
) -> None:
    defaults = "module_defaults:\n  group/aliops.cloudmonitor.cloudmonitor:\n    group_id: 7"

    outcome = report(
        Play(keywords=defaults, role=ROLE + "    deployment_failure_event: ''\n", fails=("h2",))
    )

    events = [(event["event"], event["group"]) for event in outcome.events]
    assert events == [("deployment-start", 7), ("deployment-finish", 7)]


def test_connection_options_stand_above_the_environment_and_an_omitted_variable_is_not_given(
    report: Report, reporting: dict[str, str]
) -> None:
    role = ROLE + "    deployment_version: '{{ nothing | default(omit) }}'\n"
    role += f"    deployment_connection: {{endpoint: '{reporting['CLOUDMONITOR_ENDPOINT']}'}}\n"

    outcome = report(Play(role=role, hosts=ONE), **NOBODY)

    assert outcome.phases == ["running", "succeeded"]
    assert not any("version" in event for event in outcome.events)


def test_roles_run_in_order_after_the_tasks_file(report: Report) -> None:
    outcome = report(
        Play(role=ROLE + "    deployment_roles: [web, deployment]\n", files=ROLES, hosts=ONE)
    )

    assert outcome.phases == ["running", "succeeded"]
    places = [outcome.output.index(word) for word in ("installed", "web role", "own deployment")]
    assert places == sorted(places)


def test_a_role_that_does_not_exist_is_a_failed_deployment(report: Report) -> None:
    outcome = report(Play(role=ROLE + "    deployment_roles: [absent]\n", hosts=ONE))

    assert outcome.phases == ["running", "failed"], outcome.output
    assert outcome.returncode != 0


def test_an_outage_is_a_warning(report: Report) -> None:
    outcome = report(Play(role=ROLE), **NOBODY, CLOUDMONITOR_RETRIES="0")

    assert outcome.returncode == 0, outcome.output
    assert outcome.survivors == {"h1", "h2", "h3"}
    assert len(outcome.warnings) == 2


def test_missing_credentials_are_a_warning(report: Report) -> None:
    outcome = report(
        Play(role=ROLE, hosts=ONE),
        ALIBABA_CLOUD_ACCESS_KEY_ID="",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET="",
    )

    assert outcome.returncode == 0, outcome.output
    assert len(outcome.warnings) == 2


def test_an_outage_fails_the_play_when_asked_to_and_nothing_is_deployed(report: Report) -> None:
    role = ROLE + "    deployment_report_errors: fail\n"

    outcome = report(Play(role=role, hosts=ONE), **NOBODY, CLOUDMONITOR_RETRIES="0")

    assert outcome.returncode == 2, outcome.output
    assert "installed" not in outcome.output


def test_an_outage_at_the_end_fails_the_play_when_asked_to(report: Report, endpoint: Any) -> None:
    endpoint.set_faults(["ok", "status=500*inf"])
    try:
        outcome = report(
            Play(role=ROLE + "    deployment_report_errors: fail\n", hosts=ONE),
            CLOUDMONITOR_RETRIES="0",
        )
    finally:
        endpoint.set_faults([])

    assert outcome.phases == ["running"]
    assert outcome.returncode == 2, outcome.output
    assert "checked" in outcome.output


def test_details_that_have_become_wrong_are_a_warning(report: Report) -> None:
    role = ROLE + "    deployment_details: {log: '{{ log | default(\"short\") }}'}\n"
    tasks = "- name: Log\n  ansible.builtin.set_fact:\n    log: \"{{ 'x' * 5000 }}\"\n"

    outcome = report(Play(role=role, deploy=tasks, hosts=ONE))

    assert outcome.phases == ["running"]
    assert outcome.returncode == 0, outcome.output
    assert outcome.warnings


@pytest.mark.every_core
def test_the_secret_is_never_shown(report: Report, reporting: dict[str, str]) -> None:
    secret = reporting["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    role = ROLE + "    deployment_connection: {access_key_id: role-key, access_key_secret: %s}\n"

    outcome = report(
        Play(
            role=role % "'{{ key }}'",
            arguments=("-vvvv", "-e", "@key.yml"),
            files={"key.yml": f"key: {secret}\n"},
            hosts=ONE,
        ),
        ALIBABA_CLOUD_ACCESS_KEY_ID="",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET="",
    )

    assert outcome.phases == ["running", "succeeded"], outcome.output
    assert secret not in outcome.output


@pytest.mark.every_core
def test_a_deployment_inside_a_deployment_reports_both(report: Report) -> None:
    inner = ROLE.replace("shop", "inner").replace("deploy.yml", "inner.yml")
    files = {"inner.yml": "---\n- name: Inner\n  ansible.builtin.debug:\n"}

    outcome = report(Play(role=ROLE, deploy=inner, files=files, hosts=ONE))

    assert [(event["name"], event["status"]) for event in outcome.events] == [
        ("shop", "running"),
        ("inner", "running"),
        ("inner", "succeeded"),
        ("shop", "succeeded"),
    ]


def test_a_deployment_that_was_cut_off_does_not_stop_the_next_one(report: Report) -> None:
    cut_off = "- name: End\n  ansible.builtin.meta: end_host\n  when: not again | default(false)\n"
    again = ROLE + "    again: true\n"
    more = "- name: Again\n  hosts: all\n  gather_facts: false\n  tasks:"

    outcome = report(
        Play(role=ROLE, deploy=cut_off, more=more + again.replace("\n", "\n    ").rstrip(" "))
    )

    assert outcome.phases == ["running", "running", "succeeded"], outcome.output


def test_a_name_that_changes_each_time_it_is_read_is_one_deployment(report: Report) -> None:
    role = ROLE.replace("shop", '\'{{ lookup("ansible.builtin.pipe", "date +%N") }}\'')

    outcome = report(Play(role=role, hosts=ONE))

    assert outcome.phases == ["running", "succeeded"]
    assert outcome.events[0]["name"] == outcome.events[1]["name"]
