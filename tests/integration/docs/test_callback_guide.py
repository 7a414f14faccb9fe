# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands and the configuration of the callback guide do what it says."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("callback")


@pytest.fixture
def reader(project: Project) -> Reader:
    """A reader with the configuration of the guide, an inventory and two playbooks."""
    reader = Reader(GUIDE, project)
    reader.write("ansible.cfg")
    for name in ("site.yml", "maintenance/clean.yml"):
        project.write(name, [play(say())])
    return reader


def run(reader: Reader, script: str) -> None:
    ended = reader.run(script, ANSIBLE_INVENTORY="hosts")
    assert (ended.rc, ended.warnings) == (0, []), ended.output


def test_the_example_reports_the_variables_it_names_and_the_environment(
    project: Project, reader: Reader
) -> None:
    script = reader.command("export").text
    for key in (KEY_ID, SECRET):
        script = script.replace("=...", "=" + key, 1)

    run(reader, script)

    start, finish = project.events()
    assert (start["event"], finish["event"]) == (START, FINISH)
    assert start["environment"] == "production"
    assert start["context"] == finish["context"] == {"release": "1.4.2", "ticket": "OPS-7"}


def test_the_excluded_playbook_is_not_reported(project: Project, reader: Reader) -> None:
    run(reader, "ansible-playbook maintenance/clean.yml")

    assert project.events() == []
    assert not project.waiting()


def test_one_run_can_be_left_out_as_the_guide_says(project: Project, reader: Reader) -> None:
    run(reader, reader.command("CLOUDMONITOR_EXCLUDE_PLAYBOOKS").text)

    assert project.events() == []


def test_a_task_can_read_the_id_of_its_run(project: Project, reader: Reader) -> None:
    task = "{{ lookup('ansible.builtin.env', 'CLOUDMONITOR_RUN_ID') }}"
    project.write("site.yml", [play(say(task), vars={"ticket": 1})])

    ended = reader.run("ansible-playbook site.yml -e release=1", ANSIBLE_INVENTORY="hosts")

    assert ended.rc == 0
    assert project.events(event=START)[0]["id"] in ended.output
