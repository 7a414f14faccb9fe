# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events hold, and what happens when Cloud Monitor is out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import (
    RESCUED,
    WITH_ROLE,
    Outcome,
    Play,
)

pytestmark = pytest.mark.every_core

FULL = """
    deployment_version: 1.4.2
    deployment_environment: production
    deployment_id: release-7
    deployment_details: {ticket: OPS-1}
    deployment_group_id: 42
    deployment_start_event: shop-start
    deployment_finish_event: shop-finish
    deployment_failure_event: shop-failure
"""
DEFAULTS = """
module_defaults:
  group/aliops.cloudmonitor.cloudmonitor:
    group_id: 7
"""
# The connection option comes first, then the environment.
CONNECTED = """
    deployment_connection:
      endpoint: "{{ lookup('ansible.builtin.env', 'CLOUDMONITOR_ENDPOINT') }}"
    deployment_version: "{{ nothing | default(omit) }}"
"""
OUTAGE = "environment: {CLOUDMONITOR_ENDPOINT: 'http://127.0.0.1:1', CLOUDMONITOR_RETRIES: '0'}"
HALF_A_KEY = "environment: {ALIBABA_CLOUD_ACCESS_KEY_SECRET: ''}"
FAIL = "    deployment_report_errors: fail\n"
LATE_OUTAGE = (
    FAIL + "    deployment_connection: {endpoint: '{{ end | default(\"\") }}', retries: 0}\n"
)
# Without raw, which warns of the keyword environment.
INSTALL = "- name: Install\n  ansible.builtin.debug:\n"
END = "- ansible.builtin.set_fact:\n    end: http://127.0.0.1:1\n"
LATE_DETAILS = "    deployment_details: {log: '{{ log | default(\"short\") }}'}\n"
LOG = "- ansible.builtin.set_fact:\n    log: \"{{ 'x' * 5000 }}\"\n"
STOPPED = RESCUED.replace("MESSAGE", "stopped: {{ ansible_failed_task.name }}")
ROLES = {
    "roles/web/tasks/main.yml": "---\n- name: Web\n  ansible.builtin.debug:\n    msg: web role\n",
    "roles/deployment/tasks/main.yml": "---\n- name: A role of the user's of the same name\n"
    "  ansible.builtin.debug:\n    msg: own deployment role\n",
}
INNER = WITH_ROLE.replace("_name: TITLE", "_name: TITLE-inner").replace("TITLE.yml", "inner.yml")
CUT_OFF = "- name: End\n  ansible.builtin.meta: end_host\n  when: not again | default(false)\n"
AGAIN = """
- name: TITLE
  hosts: TITLE
  gather_facts: false
  vars:
    again: true
  tasks:
    DEPLOY
"""
CHANGING = '\'TITLE-{{ lookup("ansible.builtin.pipe", "date +%N") }}\''


def _with(more: str) -> str:
    return WITH_ROLE + more.lstrip("\n")


# Ansible ends the run in the last one.
PLAYS = [
    Play("full", role=_with(FULL), fails=(2,)),
    Play(
        "defaults",
        keywords=DEFAULTS,
        role=_with("    deployment_failure_event: ''\n"),
        fails=(2,),
    ),
    Play("connection", "DEPLOY", OUTAGE, role=_with(CONNECTED), deploy=INSTALL, hosts=1),
    Play("roles", role=_with("    deployment_roles: [web, deployment]\n"), files=ROLES, hosts=1),
    Play("outage", keywords=OUTAGE, deploy=INSTALL, hosts=1),
    Play("half_a_key", keywords=HALF_A_KEY, deploy=INSTALL, hosts=1),
    Play("outage_stops", STOPPED, OUTAGE, role=_with(FAIL), deploy=INSTALL, hosts=1),
    Play("late_outage_stops", STOPPED, role=_with(LATE_OUTAGE), deploy=END, hosts=1),
    Play("late_details", role=_with(LATE_DETAILS), deploy=LOG, hosts=1),
    Play("nested", deploy=INNER, files={"inner.yml": "- ansible.builtin.debug:\n"}, hosts=1),
    Play("cut_off", deploy=CUT_OFF, more=AGAIN, hosts=1),
    Play("changing_name", role=WITH_ROLE.replace("name: TITLE", f"name: {CHANGING}"), hosts=1),
    Play("no_such_role", role=_with("    deployment_roles: [absent]\n"), hosts=1),
]


@pytest.fixture(scope="module")
def outcome(report: Callable[..., Outcome]) -> Outcome:
    """All plays in one run."""
    return report(PLAYS)


def test_every_variable_reaches_the_events(outcome: Outcome) -> None:
    events = outcome.part("full").events

    assert [event["event"] for event in events] == ["shop-start", "shop-finish", "shop-failure"]
    for event in events:
        assert (event["group"], event["id"]) == (42, "release-7")
        assert (event["version"], event["environment"]) == ("1.4.2", "production")
        assert event["details"] == {"ticket": "OPS-1"}
    assert events[1]["started_at"] == events[0]["started_at"]
    assert events[1]["duration_s"] >= 0


def test_module_defaults_reach_the_events_and_an_empty_failure_event_turns_it_off(
    outcome: Outcome,
) -> None:
    events = [(event["event"], event["group"]) for event in outcome.part("defaults").events]

    assert events == [("deployment-start", 7), ("deployment-finish", 7)]


def test_connection_options_stand_above_the_environment_and_an_omitted_variable_is_not_given(
    outcome: Outcome,
) -> None:
    part = outcome.part("connection")

    assert part.phases == ("running", "succeeded"), part.output
    assert not any("version" in event for event in part.events)


def test_roles_run_in_order_after_the_tasks_file(outcome: Outcome) -> None:
    part = outcome.part("roles")

    assert part.phases == ("running", "succeeded"), part.output
    places = [part.output.index(word) for word in (": Install]", "web role", "own deployment")]
    assert places == sorted(places)


def test_a_role_that_does_not_exist_is_a_failed_deployment(outcome: Outcome) -> None:
    part = outcome.part("no_such_role")

    assert part.phases == ("running", "failed"), part.output
    assert not part.survivors
    assert outcome.returncode == 2


@pytest.mark.parametrize("title", ["outage", "half_a_key"])
def test_an_outage_and_an_incomplete_accesskey_are_warnings(outcome: Outcome, title: str) -> None:
    part = outcome.part(title)

    assert part.survivors == {(title, 1)}, part.output
    assert len(part.warnings) == 2, part.output


def test_nothing_else_warns(outcome: Outcome) -> None:
    warned = [play.title for play in PLAYS if outcome.part(play.title).warnings]

    assert warned == ["outage", "half_a_key", "late_details"], outcome.warnings


def test_an_outage_fails_the_play_when_asked_to_and_nothing_is_deployed(outcome: Outcome) -> None:
    part = outcome.part("outage_stops")

    assert "stopped: Report the start" in part.output
    assert ": Install]" not in part.output


def test_an_outage_at_the_end_fails_the_play_when_asked_to(outcome: Outcome) -> None:
    part = outcome.part("late_outage_stops")

    assert part.phases == ("running",), part.output
    assert "stopped: Report the finish" in part.output


def test_details_that_have_become_wrong_are_a_warning(outcome: Outcome) -> None:
    part = outcome.part("late_details")

    assert part.phases == ("running",), part.output
    assert part.survivors
    assert part.warnings


def test_the_secret_is_never_shown(
    report: Callable[..., Outcome], reporting: dict[str, str]
) -> None:
    secret = reporting["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    key = "    deployment_connection: {access_key_id: role-key, access_key_secret: '{{ key }}'}\n"
    files = {"key.yml": f"key: {secret}\n"}
    env = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}

    outcome = report(
        [Play("secret", role=_with(key), files=files, hosts=1)], "-vvvv", "-e", "@key.yml", **env
    )

    assert outcome.phases == ("running", "succeeded"), outcome.output
    assert secret not in outcome.output


def test_a_deployment_inside_a_deployment_reports_both(outcome: Outcome) -> None:
    assert [(event["name"], event["status"]) for event in outcome.part("nested").events] == [
        ("nested", "running"),
        ("nested-inner", "running"),
        ("nested-inner", "succeeded"),
        ("nested", "succeeded"),
    ]


def test_a_deployment_that_was_cut_off_does_not_stop_the_next_one(outcome: Outcome) -> None:
    part = outcome.part("cut_off")

    assert part.phases == ("running", "running", "succeeded"), part.output


def test_a_name_that_changes_each_time_it_is_read_is_one_deployment(outcome: Outcome) -> None:
    part = outcome.part("changing_name")

    assert part.phases == ("running", "succeeded"), part.output
    assert part.events[0]["name"] == part.events[1]["name"]
