# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the alerting guide says makes the events arrive that a rule can match."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    play,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import SECRET
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("alerting")
ON_LOCALHOST = {"hosts": "localhost", "connection": "local"}


@pytest.fixture
def reader(project: Project) -> Reader:
    return Reader(GUIDE, project)


def arrived(project: Project) -> list[tuple[str, int]]:
    """Return name and group of every event, in order."""
    return [(event["name"], event["groupId"]) for event in project.receiver.events]


def test_the_playbook_sets_up_alerts_once_and_is_no_deployment(
    project: Project, reader: Reader
) -> None:
    secret_url = "https://hooks.example/?access_token=canary-webhook-0815"
    project.write("webhook.yml", f"cloudmonitor_alerts_webhook: {secret_url}\n")
    command = reader.command("aliops.cloudmonitor.alerts").text.strip()
    command = command.replace("=oncall", "=oncall,platform -e @webhook.yml -vvvv --diff")

    checked = reader.run(f"{command} --check")
    assert (checked.rc, checked.warnings) == (0, []), checked.output
    assert (project.receiver.events, project.receiver.rules) == ([], {})
    first = reader.run(command)
    rules = project.receiver.rules
    again = reader.run(command)

    assert arrived(project) == [(FAILURE, 0), ("deployment-overdue", 0)]
    assert sorted(rules) == ["aliops-0-deployment-failure", "aliops-0-deployment-overdue"]
    assert project.receiver.rules == rules
    for rule in rules.values():
        assert (rule["ContactGroups"], rule["Webhook"]) == ("oncall,platform", secret_url)
    for ended in (checked, first, again):
        assert (ended.rc, ended.warnings) == (0, []), ended.output
        assert "notifies oncall, platform and calls https://hooks.example/********" in ended.output
        for canary in ("canary-webhook", SECRET):
            assert canary not in ended.output


def test_a_rule_for_another_event_is_written(project: Project, reader: Reader) -> None:
    reader.write("rules.yml")

    ended = reader.run("ansible-playbook -i localhost, rules.yml", **project.without())

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    (rule,) = project.receiver.rules.values()
    assert (rule["Threshold"], rule["Period"]) == ("3", "3600")


def test_an_event_is_read_back_when_it_is_visible(project: Project) -> None:
    tasks = Reader(guide("tasks"), project)
    tasks.write("read-back.yml")

    ended = tasks.run("ansible-playbook -i localhost, read-back.yml", **project.without())

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert '"export": "orders-1203"' in ended.output


def test_the_first_event_makes_the_failure_event_known(project: Project, reader: Reader) -> None:
    reader.write("first-event.yml")

    ended = reader.type("first-event.yml", **project.without())

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert arrived(project) == [(FAILURE, 0)]


def test_the_trial_of_the_alert_reports_a_failure(project: Project, reader: Reader) -> None:
    reader.write("fail.yml")

    ended = reader.type("ansible-playbook -i localhost, fail.yml")

    assert (ended.rc, ended.warnings) == (2, []), ended.output
    assert arrived(project) == [(START, 0), (FINISH, 0), (FAILURE, 0)]
    assert project.events()[2]["failures"] == [{"host": "localhost", "task": "Fail on purpose"}]


def test_a_failure_event_can_have_a_name_and_a_group_of_its_own(
    project: Project, reader: Reader
) -> None:
    reader.write("fail.yml", "ansible.cfg")

    configured = reader.run("ansible-playbook -i localhost, fail.yml")
    assert configured.rc == 2, configured.output
    assert arrived(project)[2] == ("deployment-failure-production", 4711)
    staging = reader.type("CLOUDMONITOR_FAILURE_EVENT")

    assert (staging.rc, staging.warnings) == (2, []), staging.output
    assert arrived(project)[5] == ("deployment-failure-staging", 4711)
    assert project.events()[2]["environment"] == "production"


def test_a_run_that_hangs_is_ended_by_the_limit_and_reported(
    project: Project, reader: Reader
) -> None:
    project.write("site.yml", [play(project.wait_task(), **ON_LOCALHOST)])
    # The limit has to leave Ansible the time to start, whatever the machine is doing.
    command = reader.command("timeout --kill-after").text
    assert " 3600 " in command
    for seconds in (5, 15, 45):
        ended = reader.run(command.replace(" 3600 ", f" {int(seconds)} "))
        assert ended.rc == 124, ended.output
        if (project.folder / "under-way").exists():
            break

    project.settled()
    last = project.events()[-3:]
    assert [event["event"] for event in last] == [START, FINISH, FAILURE]
    assert (last[1]["status"], last[1]["reason"]) == ("aborted", "killed")


def test_a_deployment_that_takes_too_long_has_an_event_for_a_rule(
    project: Project, reader: Reader
) -> None:
    project.write("site.yml", [play(project.wait_task(), **ON_LOCALHOST)])
    command = reader.command("CLOUDMONITOR_OVERDUE_AFTER").text
    assert "=600 " in command
    run = reader.start(command.replace("=600 ", "=2 "))
    until(lambda: len(arrived(project)) == 2, "an event about a run that takes too long")
    project.release()

    assert run.ended().rc == 0
    names = [name for name, _group in arrived(project)]
    assert names == [START, "deployment-overdue-shop", FINISH]
