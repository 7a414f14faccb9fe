# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide about the history: the command, the rollback, and the variables of CI systems."""

from __future__ import annotations

import json
import re

import yaml

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import blocks, guide, shell
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

DEPLOY = """
- hosts: shop
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: aliops.cloudmonitor.deployment
      vars:
        deployment_name: shop
        deployment_environment: production
        deployment_version: %s
        deployment_tasks_file: deploy.yml
"""


def test_a_rollback_deploys_the_version_before_and_the_history_and_the_report_show_it(
    project: Project,
) -> None:
    reader = Reader(guide("history"), project)
    reader.write("rollback.yml")
    reader.write("deploy.yml", change=lambda text: text.replace("/tmp/", f"{project.folder}/"))  # noqa: S108
    project.write("hosts", "[shop]\nh1\n[shop:vars]\nansible_connection=local\n")
    project.write("first.yml", DEPLOY % "1.4.1")
    project.write("second.yml", DEPLOY % "1.4.2")

    ended = project.run("first.yml", "second.yml", "rollback.yml", **project.without())

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert (project.folder / "shop-h1.txt").read_text() == "1.4.1\n"
    started = project.events()[-1]
    assert (started["version"], started["previous"]["version"]) == ("1.4.1", "1.4.2")

    outbox = {"CLOUDMONITOR_OUTBOX": str(project.outbox)}
    shown = reader.type("deployment_info", **outbox)
    found = json.loads(re.sub(r"^.*? => ", "", shown.output.strip(), flags=re.DOTALL))
    assert [one["version"] for one in found["deployments"]] == ["1.4.1", "1.4.2", "1.4.1"]
    assert {one["by"] for one in found["deployments"]} == {"role"}
    assert found["current"][0]["previous"]["version"] == "1.4.2"
    assert found["metrics"][0]["failed"] == {"failed": 0, "deployments": 3, "ratio": 0.0}

    report = reader.type("cloudmonitor_report_source=cloudmonitor")
    assert (report.rc, report.warnings) == (0, []), report.output
    page = project.folder / "deployments.html"
    text = page.read_text("utf-8")
    assert ("1.4.2" in text, project.receiver.url in text) == (True, True)

    texts = [one.text for one in shell(guide("history")) if "monitor.report" in one.text]
    first, second = (text for text in texts if "source=" not in text)
    for command in (first, second):
        ended = reader.run(command, **outbox)
        assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert f"The report is {project.folder}/deployments.csv" in ended.output
    assert page.read_text("utf-8").count("<tr id=d") == 3
    assert (project.folder / "deployments.csv").read_bytes().count(b"\r\n") == 4


GITLAB = {
    "CI_COMMIT_REF_NAME": "v1.4.2",
    "CI_COMMIT_SHA": "4e1243bd22c66e76c2ba9eddc1f91394e57f9f83",
    "CI_PROJECT_URL": "https://git.example/shop/app",
    "CI_COMMIT_TIMESTAMP": "2026-03-01T09:30:00+08:00",
    "CI_PIPELINE_URL": "https://git.example/shop/app/-/pipelines/7",
}


def test_the_variables_of_gitlab_arrive_in_the_events(project: Project) -> None:
    texts = (one.text for one in blocks(guide("ci-and-awx"), "yaml"))
    text = next(one for one in texts if "CI_COMMIT_TIMESTAMP" in one)
    variables = yaml.safe_load(text)["variables"]
    known = {name: GITLAB[value.removeprefix("$")] for name, value in variables.items()}
    ended = project.run([play(say())], **known)

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    for event in project.events():
        assert event["version"] == "v1.4.2"
        assert event["commit"] == GITLAB["CI_COMMIT_SHA"]
        assert event["repository"] == GITLAB["CI_PROJECT_URL"]
        assert event["committed_at"] == "2026-03-01T01:30:00.000Z"
        assert event["url"] == GITLAB["CI_PIPELINE_URL"]
