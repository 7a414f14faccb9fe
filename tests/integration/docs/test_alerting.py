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
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import SECRET
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("alerting")
ALERTS = "aliops.cloudmonitor.alerts"
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
    twice = reader.run(command.replace(ALERTS, f"{ALERTS} {ALERTS}"))

    rules = project.receiver.rules
    assert arrived(project) == [(FAILURE, 0), ("deployment-overdue", 0)]
    assert sorted(rules) == ["aliops-0-deployment-failure", "aliops-0-deployment-overdue"]
    for rule in rules.values():
        assert (rule["ContactGroups"], rule["Webhook"]) == ("oncall,platform", secret_url)
    assert "was reported before" in twice.output
    for ended in (checked, twice):
        assert (ended.rc, ended.warnings) == (0, []), ended.output
        assert "notifies oncall, platform and calls https://hooks.example/********" in ended.output
        for canary in ("canary-webhook", SECRET):
            assert canary not in ended.output


def test_a_first_event_is_sent_another_rule_written_and_an_event_read_back_when_visible(
    project: Project, reader: Reader
) -> None:
    reader.write("first-event.yml", "rules.yml")
    Reader(guide("tasks"), project).write("read-back.yml")

    ended = reader.type(
        "first-event.yml",
        lambda text: text.rstrip() + " rules.yml read-back.yml",
        **project.without(),
    )

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert arrived(project)[0] == (FAILURE, 0)
    (rule,) = project.receiver.rules.values()
    assert (rule["Threshold"], rule["Period"]) == ("3", "3600")
    assert '"export": "orders-1203"' in ended.output


def test_the_trial_reports_a_failure_whose_event_can_have_another_name_and_group(
    project: Project, reader: Reader
) -> None:
    reader.write("fail.yml", "ansible.cfg")

    configured = reader.type("ansible-playbook -i localhost, fail.yml")
    staging = reader.type("CLOUDMONITOR_FAILURE_EVENT")

    for ended in (configured, staging):
        assert (ended.rc, ended.warnings) == (2, []), ended.output
    assert arrived(project) == [
        (START, 4711),
        (FINISH, 4711),
        ("deployment-failure-production", 4711),
        (START, 4711),
        (FINISH, 4711),
        ("deployment-failure-staging", 4711),
    ]
    event = project.events()[2]
    assert event["environment"] == "production"
    assert event["failures"] == [{"host": "localhost", "task": "Fail on purpose"}]


def test_a_run_that_takes_too_long_is_reported_and_ended_by_the_limit(
    project: Project, reader: Reader
) -> None:
    project.write("site.yml", [play(project.wait_task(), **ON_LOCALHOST)])
    limit = reader.command("timeout --kill-after").text
    command = reader.command("CLOUDMONITOR_OVERDUE_AFTER").text.replace("=600 ", "=1 ")
    assert " 3600 ansible-playbook " in limit
    # The limit has to leave Ansible the time to start, whatever the machine is doing.
    for seconds in (5, 15, 45):
        both = limit.partition("3600")[0] + f"{seconds} ansible-playbook"
        ended = reader.run(command.replace("ansible-playbook", both))
        assert ended.rc == 124, ended.output
        project.settled()
        (project.folder / "go-on").unlink()
        last = project.events()[-4:]
        if len(last) == 4:
            break

    names = [event["event"] for event in last]
    assert names == [START, "deployment-overdue-shop", FINISH, FAILURE]
    assert (last[2]["status"], last[2]["reason"]) == ("aborted", "killed")
