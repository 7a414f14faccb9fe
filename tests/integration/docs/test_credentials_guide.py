# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways of the credentials guide to give an AccessKey work as they stand there."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import block, guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Ended,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    EVENT,
    KEY_ID,
    SECRET,
    TOKEN,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("credentials")
NO_KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": None, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None}
TASK = {"name": "Report", EVENT: {"name": "by-task", "content": {"orders": 1}}, "run_once": True}
ALL = ["deployment-start", "by-task", "deployment-finish"]


@pytest.fixture
def reader(project: Project) -> Reader:
    project.write("site.yml", [play(say(), TASK)])
    return Reader(GUIDE, project)


def filled(text: str) -> str:
    """Put the AccessKey of the receiver in the place of the guide's words."""
    for words, value in (("the id", KEY_ID), ("the secret", SECRET), ("the token", TOKEN)):
        text = text.replace(words, value)
    return text


def names(project: Project, ended: Ended) -> list[str]:
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert SECRET not in ended.output
    assert TOKEN not in ended.output
    return sorted(event["name"] for event in project.receiver.events)


@pytest.mark.parametrize("words", ["_ID='the id'", "_ID='STS.the id'"])
def test_an_accesskey_in_the_environment_counts_for_callback_and_tasks(
    project: Project, reader: Reader, words: str
) -> None:
    script = filled(reader.command(words).text) + "ansible-playbook site.yml"

    ended = reader.run(script, **NO_KEY)

    assert names(project, ended) == sorted(ALL)


def test_an_accesskey_in_a_vault_counts_for_tasks(project: Project, reader: Reader) -> None:
    reader.write("vaulted.yml", "secrets.yml", change=filled)
    project.write("password", "of the test\n")
    script = reader.command("ansible-vault encrypt").text
    assert " --ask-vault-pass" in script

    ended = reader.run(
        script.replace(" --ask-vault-pass", ""),
        **{**NO_KEY, **project.without(), "ANSIBLE_VAULT_PASSWORD_FILE": "password"},
    )

    assert names(project, ended) == ["nightly-export"]
    assert SECRET not in (project.folder / "secrets.yml").read_text()


@pytest.mark.skipif(
    not find_spec("alibabacloud_credentials"), reason="needs alibabacloud-credentials"
)
def test_a_profile_file_counts_for_callback_and_tasks(project: Project, reader: Reader) -> None:
    name = "credentials.ini"
    text = filled(block(GUIDE, name).text)
    (project.folder / ".alibabacloud").mkdir()
    (project.folder / ".alibabacloud" / name).write_text(text, encoding="utf-8")

    ended = reader.run("ansible-playbook site.yml", **NO_KEY)

    assert names(project, ended) == sorted(ALL)
    assert [event["event"] for event in project.events(name="site")] == [START, FINISH]
