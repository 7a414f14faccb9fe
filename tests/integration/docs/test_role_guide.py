# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role guide's playbooks tell the truth where it says so, and lie where it says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("guide_role")
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
    ) -> Ended:
        reader = Reader(GUIDE, project)
        folder = "{{ '/no/such/folder' if inventory_hostname == '%s' else '%s' }}"
        place = folder % (fails, project.folder)
        reader.write(playbook, change=change)
        reader.write("deploy.yml", change=lambda text: text.replace("/tmp", place))  # noqa: S108
        project.write("hosts", inventory)
        return project.run(playbook, **project.without())

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
