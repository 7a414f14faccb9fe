# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of the role guide report what the guide states, also the wrong one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("role")
INVENTORY = "[shop]\nh1\nh2\nh3\n[shop:vars]\nansible_connection=local\n"
GONE = INVENTORY.replace("h2\n", "h2 ansible_connection=gone\n")  # the way there is not

SUCCEEDED = ["deployment-start running", "deployment-finish succeeded"]
FAILED = ["deployment-finish failed", "deployment-failure failed"]


@pytest.fixture
def follow(project: Project) -> Callable[..., Ended]:
    """Run a playbook of the guide with three hosts, one of which may fail or be gone."""

    def run(
        playbook: str,
        inventory: str = INVENTORY,
        fails: str = "",
        change: Callable[[str], str] = str,
        arguments: tuple[str, ...] = (),
    ) -> Ended:
        reader = Reader(GUIDE, project)
        folder = "{{ '/no/such/folder' if inventory_hostname == '%s' else '%s' }}"
        place = folder % (fails, project.folder)
        reader.write(playbook, change=change)
        reader.write("deploy.yml", change=lambda text: text.replace("/tmp", place))  # noqa: S108
        project.write("hosts", inventory)
        return project.run(playbook, *arguments, **project.without())

    return run


def told(project: Project) -> list[str]:
    return ["{event} {status}".format(**event) for event in project.events()]


@pytest.mark.parametrize("playbook", ["site.yml", "block.yml"])
def test_the_forms_that_work_report_a_success(
    project: Project, follow: Callable[..., Ended], playbook: str
) -> None:
    ended = follow(playbook)

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert told(project) == SUCCEEDED
    assert {event["name"] for event in project.events()} == {"shop"}
    for host in ("h1", "h2", "h3"):
        assert (project.folder / (f"shop-{host}.txt")).read_text() == "1.4.2\n"
    if playbook == "site.yml":
        assert [event["version"] for event in project.events()] == ["1.4.2"] * 2


@pytest.mark.parametrize("playbook", ["site.yml", "block.yml"])
@pytest.mark.parametrize("trouble", [{"fails": "h2"}, {"inventory": GONE}], ids=["fails", "gone"])
def test_the_forms_that_work_report_a_failure_as_one(
    project: Project, follow: Callable[..., Ended], playbook: str, trouble: dict[str, str]
) -> None:
    ended = follow(playbook, **trouble)

    assert ended.rc == (2 if "fails" in trouble else 4), ended.output
    assert told(project) == [SUCCEEDED[0], *FAILED]


def test_the_obvious_form_reports_two_verdicts_and_makes_the_failure_a_success(
    project: Project, follow: Callable[..., Ended]
) -> None:
    ended = follow("wrong.yml", fails="h2")

    assert ended.rc == 0, ended.output
    assert told(project) == [*SUCCEEDED, *FAILED]


def test_the_obvious_form_reports_a_success_when_a_host_is_gone(
    project: Project, follow: Callable[..., Ended]
) -> None:
    follow("wrong.yml", inventory=GONE)

    assert told(project) == SUCCEEDED


def test_the_obvious_form_reports_each_batch(
    project: Project, follow: Callable[..., Ended]
) -> None:
    follow("wrong.yml", change=lambda text: text.replace("  tasks:", "  serial: 2\n  tasks:"))

    assert told(project) == SUCCEEDED * 2


TAGS = ("--tags", "deploy")


def test_the_form_for_tags_deploys_and_reports(
    project: Project, follow: Callable[..., Ended]
) -> None:
    assert " ".join(TAGS) in Reader(GUIDE, project).command("tags.yml").text

    ended = follow("tags.yml", arguments=TAGS)

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert told(project) == SUCCEEDED
    assert sorted(path.name for path in project.folder.glob("shop-*.txt")) == [
        "shop-h1.txt",
        "shop-h2.txt",
        "shop-h3.txt",
    ]


def test_the_form_for_tags_also_works_with_the_tag_always(
    project: Project, follow: Callable[..., Ended]
) -> None:
    def always(text: str) -> str:
        return text.replace("[deploy]", "[always]")

    ended = follow("tags.yml", change=always, arguments=("--tags", "other"))

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert told(project) == SUCCEEDED


def test_tags_without_that_form_deploy_and_report_nothing(
    project: Project, follow: Callable[..., Ended]
) -> None:
    ended = follow("site.yml", arguments=TAGS)

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert told(project) == []
    assert list(project.folder.glob("shop-*.txt")) == []


def test_the_events_of_an_outage_arrive_with_the_playbook_for_that(
    project: Project, follow: Callable[..., Ended]
) -> None:
    project.receiver.set_faults(["status=503*inf"])
    ended = follow("site.yml")
    assert ended.rc == 0, ended.output
    assert len(ended.warnings) == 2
    assert told(project) == []

    project.receiver.set_faults([])
    assert follow("flush.yml").rc == 0
    assert told(project) == SUCCEEDED


def test_the_queue_of_the_guide_for_tasks_is_delivered_by_its_last_task(project: Project) -> None:
    project.receiver.set_faults(["status=503"])
    Reader(guide("tasks"), project).write("queue.yml")
    ended = project.run("queue.yml", CLOUDMONITOR_RETRIES="0", **project.without())

    assert (ended.rc, len(ended.warnings)) == (0, 1), ended.output
    contents = [event["content"] for event in project.receiver.events]
    assert contents == ["orders", "customers"]
