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


def run(reader: Reader, script: str) -> str:
    ended = reader.run(script, ANSIBLE_INVENTORY="hosts")
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    return ended.output


def test_the_example_reports_its_variables_and_not_the_excluded_playbook(
    project: Project, reader: Reader
) -> None:
    task = say("run {{ lookup('ansible.builtin.env', 'CLOUDMONITOR_RUN_ID') }}")
    project.write("site.yml", [play(task)])
    script = reader.command("export").text.replace("site.yml", "site.yml maintenance/clean.yml")
    for key in (KEY_ID, SECRET):
        script = script.replace("=...", "=" + key, 1)

    output = run(reader, script)

    start, finish = project.events()
    assert (start["event"], finish["event"]) == (START, FINISH)
    assert start["environment"] == "production"
    assert start["context"] == finish["context"] == {"release": "1.4.2", "ticket": "OPS-7"}
    assert f"run {start['id']}" in output
    assert not project.waiting()


def test_one_run_can_be_left_out_as_the_guide_says(project: Project, reader: Reader) -> None:
    run(reader, reader.command("CLOUDMONITOR_EXCLUDE_PLAYBOOKS").text)

    assert project.events() == []
