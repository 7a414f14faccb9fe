# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of the role guide report what the guide states, also the wrong one."""

from __future__ import annotations

import re

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import block, guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("role")

START = "deployment-start running"
SUCCEEDED = [START, "deployment-finish succeeded"]
FAILED = ["deployment-finish failed", "deployment-failure failed"]
TAGS = ("--tags", "deploy")

# The word "shop" of each form is replaced, so that several can be in one run: the group of hosts,
# the deployment and the files are its own. In "fails" and "gone", the second of two hosts fails or
# cannot be reached.
FORMS = {
    "site_works": ("site.yml", SUCCEEDED),
    "block_works": ("block.yml", SUCCEEDED),
    "site_fails": ("site.yml", [START, *FAILED]),
    "block_fails": ("block.yml", [START, *FAILED]),
    "site_gone": ("site.yml", [START, *FAILED]),
    "block_gone": ("block.yml", [START, *FAILED]),
    # Two verdicts, and the failure is a success.
    "wrong_fails": ("wrong.yml", [*SUCCEEDED, *FAILED]),
    "wrong_gone": ("wrong.yml", SUCCEEDED),
    "wrong_serial": ("wrong.yml", SUCCEEDED * 2),
}


def write(project: Project, *forms: tuple[str, str]) -> None:
    """Write forms of the guide, each a name and a file of the guide, and site.yml with all."""
    hosts, text = "[all:vars]\nansible_connection=local\n", "---\n"
    for name, source in forms:
        trouble = name.partition("_")[2]
        gone = " ansible_connection=gone" if trouble == "gone" else ""
        hosts += f"[{name}]\n{name}-1\n{name}-2{gone}\n"
        form = re.sub(r"\bshop\b", name, block(GUIDE, source).text)
        form = form.replace("deploy.yml", f"{name}.yml")
        if trouble == "serial":
            form = form.replace("  tasks:", "  serial: 1\n  tasks:")
        text += form
        file = "{{ inventory_hostname }}.txt"
        if trouble == "fails":
            file = f"{{{{ (inventory_hostname == '{name}-2') | ternary('no/such/', '') }}}}{file}"
        project.write(f"{name}.yml", f"- ansible.builtin.raw: touch {project.folder}/{file}\n")
    project.write("hosts", hosts)
    project.write("site.yml", text)


def told(project: Project, name: str) -> list[str]:
    return ["{event} {status}".format(**event) for event in project.events(name=name)]


def deployed(project: Project) -> list[str]:
    return sorted(path.stem for path in project.folder.glob("*.txt"))


def counts(ended: Ended, host: str) -> str:
    """Return what the recap counts for a host, as ``failed/unreachable/rescued``."""
    line = next(line for line in ended.output.splitlines() if re.match(rf"{host}\s+: ok=", line))
    found = dict(re.findall(r"(\w+)=(\d+)", line))
    return "{failed}/{unreachable}/{rescued}".format(**found)


def test_the_forms_that_work_report_the_truth_and_the_wrong_one_does_not(project: Project) -> None:
    write(project, *((name, source) for name, (source, _told) in FORMS.items()))
    deploy = block(GUIDE, "deploy.yml").text
    project.write("site_works.yml", re.sub(r"/\w+/shop-(?=\{\{)", f"{project.folder}/", deploy))

    ended = project.run("site.yml", **project.without())

    assert ended.warnings == []
    assert {name: told(project, name) for name in FORMS} == {
        name: expected for name, (_source, expected) in FORMS.items()
    }, ended.output
    assert deployed(project) == sorted(
        f"{name}-{number}"
        for name in FORMS
        for number in (1, 2)
        if number == 1 or name.endswith(("works", "serial"))
    )
    assert {(event["name"], event.get("version")) for event in project.events(phase="start")} == {
        (name, "1.4.2" if source == "site.yml" else None) for name, (source, _told) in FORMS.items()
    }
    # A host that failed stays failed, except in the wrong form.
    for form, expected in {"fails": "1/0/0", "gone": "0/1/0"}.items():
        for source in ("site", "block"):
            assert counts(ended, f"{source}_{form}-2") == expected, ended.output
    assert counts(ended, "wrong_fails-2") == "0/0/1"


def test_the_form_for_tags_deploys_and_reports(project: Project) -> None:
    assert " ".join(TAGS) in Reader(GUIDE, project).command("tags.yml").text
    write(project, ("tagged", "tags.yml"), ("always", "tags.yml"), ("untagged", "site.yml"))
    text = (project.folder / "site.yml").read_text()
    before, always, after = re.split(
        "(?<=\\n)(?=- name: Deploy the always|- name: Deploy the untagged)", text
    )
    project.write("site.yml", before + always.replace("[deploy]", "[always]") + after)

    ended = project.run("site.yml", *TAGS, **project.without())

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert told(project, "tagged") == told(project, "always") == SUCCEEDED, ended.output
    assert told(project, "untagged") == []
    assert deployed(project) == ["always-1", "always-2", "tagged-1", "tagged-2"]


def test_the_events_of_an_outage_arrive_with_the_playbook_for_that(project: Project) -> None:
    write(project, ("shop", "site.yml"))
    Reader(GUIDE, project).write("flush.yml")
    project.receiver.set_faults(["status=503*inf"])
    ended = project.run("site.yml", **project.without())
    assert ended.rc == 0, ended.output
    assert len(ended.warnings) == 2
    assert told(project, "shop") == []

    project.receiver.set_faults([])
    assert project.run("flush.yml", **project.without()).rc == 0
    assert told(project, "shop") == SUCCEEDED


def test_the_queue_of_the_guide_for_tasks_is_delivered_by_its_last_task(project: Project) -> None:
    project.receiver.set_faults(["status=503"])
    Reader(guide("tasks"), project).write("queue.yml")
    ended = project.run("queue.yml", CLOUDMONITOR_RETRIES="0", **project.without())

    assert (ended.rc, len(ended.warnings)) == (0, 1), ended.output
    contents = [event["content"] for event in project.receiver.events]
    assert contents == ["orders", "customers"]
