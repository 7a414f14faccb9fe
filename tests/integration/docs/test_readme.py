# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and examples of the README do what it promises."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    ansible_playbook,
)

README = (Path(__file__).resolve().parents[3] / "README.md").read_text(encoding="utf-8")
PLAY = "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.%s:\n"


def example(language: str, words: str) -> str:
    """Return the only code block in a language that contains these words."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if words in block]
    return str(found)


def type_in(project: Project, script: str) -> Ended:
    """Run a shell script of the README, with the Ansible under test and an AccessKey."""
    folder = Path(ansible_playbook()).parent
    script = script.replace("KEY_ID=...", f"KEY_ID={KEY_ID}").replace(
        "SECRET=...", f"SECRET={SECRET}"
    )
    variables = {"PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}
    return project.command("bash", "-e", "-c", script, **variables).ended()


def reported(project: Project) -> list[str]:
    return [f"{event['event']} {event['status']}" for event in project.events()]


def test_two_lines_of_configuration_report_every_run(project: Project) -> None:
    project.write("ansible.cfg", example("ini", "callbacks_enabled"))
    project.write("site.yml", PLAY % "debug")
    project.write("broken.yml", PLAY % "fail")
    command = example("sh", "ansible-playbook site.yml")

    ended = type_in(project, command.replace("site.yml", "site.yml broken.yml"))

    assert (ended.rc, ended.warnings) == (2, []), ended.output
    assert reported(project) == [
        "deployment-start running",
        "deployment-finish succeeded",
        "deployment-start running",
        "deployment-finish failed",
        "deployment-failure failed",
    ]


def test_the_role_reports_a_deployment_and_a_task_sends_an_event(project: Project) -> None:
    project.write("hosts", "[web]\nweb1\nweb2\n[web:vars]\nansible_connection=local\n")
    project.write("site.yml", example("yaml", "include_role"))
    project.write("deploy.yml", "- ansible.builtin.raw: echo deployed\n")
    project.write("task.yml", example("yaml", "custom_event"))

    ended = project.run("site.yml", "task.yml", **project.without())

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    start, finish, other = project.events()
    for event, status in ((start, "running"), (finish, "succeeded")):
        assert (event["name"], event["version"], event["status"]) == ("shop", "1.4.2", status)
        assert event["environment"] == "production"
    assert (other["event"], other["orders"], other["seconds"]) == ("nightly-export", 1203, 42)


def test_one_command_sets_up_alerts(project: Project) -> None:
    ended = type_in(project, example("sh", "aliops.cloudmonitor.alerts"))

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert len(project.receiver.rules) == 2


def test_one_command_checks_the_setup(project: Project) -> None:
    ended = type_in(project, example("sh", "aliops.cloudmonitor.check"))

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert [event["name"] for event in project.receiver.events] == ["deployment-check"]
