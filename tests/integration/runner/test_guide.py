# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the AWX and CI guide shows is what the collection has, and it does what the guide says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.ci import find_ci_job
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    ROOT,
    block,
    blocks,
    guide,
    literals,
    tables,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    fail,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import FILES, path

GUIDE = guide("ci-and-awx")
FLUSH = "ansible -i localhost, localhost -m aliops.cloudmonitor.flush_outbox"
HEADER = re.compile(r"\A(?:---\n)?(?:#.*\n)+")


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda file: file.name)
def test_a_file_of_the_folder_is_in_the_guide_as_it_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert HEADER.sub("", text).strip() == block(GUIDE, file.name).text.strip()


def test_the_settings_of_awx_are_variables_of_options() -> None:
    settings = next(json.loads(found.text) for found in blocks(GUIDE, "json"))
    documented = set()
    for file in ("callback/deployment_events.py", "doc_fragments/connection.py"):
        text = (ROOT / "plugins" / file).read_text(encoding="utf-8")
        documented |= set(re.findall(r"- name: ([A-Z_]+)$", text, re.MULTILINE))

    assert set(settings) - documented == set()
    example = block(GUIDE, "ansible.cfg").text
    assert f"outbox = {settings['CLOUDMONITOR_OUTBOX']}\n" in example


def test_the_table_of_ci_says_what_is_reported() -> None:
    table = next(rows for rows in tables(GUIDE) if rows[0][0] == "`system`")
    marks = {"awx": {}, "gitlab": {"GITLAB_CI": "true"}, "github": {"GITHUB_ACTIONS": "true"}}
    marks["jenkins"] = {"JENKINS_URL": "http://j"}
    for system, job, url in (map(literals, row) for row in table[1:]):
        environ = dict(marks.pop(system[0]))
        environ.update({name: name for name in re.findall(r"[A-Z_]{5,}", " ".join(job + url))})

        found = find_ci_job(environ, {})
        assert found is not None
        assert found.context == {"system": system[0], "job": job[0], "url": url[0]}

        if len(job) == 2:
            del environ[job[0]]
            found = find_ci_job(environ, {})
            assert found is not None
            assert found.context["job"] == job[1]
    assert marks == {}


def lines_of_gitlab() -> tuple[list[str], list[str], dict[str, str]]:
    job = yaml.safe_load(block(GUIDE, ".gitlab-ci.yml").text)["deploy"]
    return job["script"], job["after_script"], job["variables"]


def lines_of_github() -> tuple[list[str], list[str], dict[str, str]]:
    job = yaml.safe_load(block(GUIDE, ".github/workflows/deploy.yml").text)["jobs"]["deploy"]
    steps = [step for step in job["steps"] if "run" in step]
    assert [step.get("if") for step in steps] == [None, "always()"]
    env = {name: text for name, text in job["env"].items() if not text.startswith("${{")}
    return [steps[0]["run"]], [steps[1]["run"]], env


def lines_of_jenkins() -> tuple[list[str], list[str], dict[str, str]]:
    text = block(GUIDE, "Jenkinsfile").text
    before, _post, after = text.partition("  post {\n    always {")
    assert before.count("{") - before.count("}") == 1
    env = dict(re.findall(r"(\w+) = '([^']*)'", before))
    return re.findall(r"sh '([^']+)'", before), re.findall(r"sh '([^']+)'", after), env


SYSTEMS = {"gitlab": lines_of_gitlab, "github": lines_of_github, "jenkins": lines_of_jenkins}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_ci_job_deploys_in_one_step_and_flushes_in_the_last(system: str) -> None:
    deploy, last, _given = SYSTEMS[system]()

    assert deploy == ["ansible-playbook -i hosts site.yml"]
    assert last == [FLUSH]


def test_the_last_step_of_a_ci_job_and_the_flush_playbook_deliver_what_the_job_could_not(
    project: Project,
) -> None:
    deploy, last, given = lines_of_gitlab()
    folder = {"CI_PROJECT_DIR": str(project.folder)}
    env = {name: Template(text).substitute(folder) for name, text in given.items()}
    project.outbox = Path(env["CLOUDMONITOR_OUTBOX"])
    env["PATH"] = path()
    project.config("exclude_playbooks = flush.yml")
    project.write("site.yml", [play(say(), fail(), hosts="h1")])
    project.write("flush.yml", block(GUIDE, "flush.yml").text)
    project.receiver.set_faults(["status=503*inf"])

    # Its courier lingers for the minute that is the default.
    failed = project.command("bash", "-c", deploy[0], **env, CLOUDMONITOR_LINGER=None).ended()

    assert failed.rc == 2, failed.output
    assert ["Events wait in" in text for text in failed.warnings] == [True]
    assert project.events() == []
    assert len(project.waiting()) == 1
    project.receiver.set_faults([])
    ended = project.command("bash", "-c", last[0], **env).ended()
    assert ended.rc == 0, ended.output
    assert [event["event"] for event in project.events()] == [START, FINISH, FAILURE]
    assert project.waiting() == project.dead() == []

    project.store("A")
    ended = project.run("flush.yml", **env)
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert [event["event"] for event in project.events(id="A")] == [START, FINISH, FAILURE]
    assert project.waiting() == project.dead() == []
