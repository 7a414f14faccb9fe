# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where options come from, and what becomes of a run whose options are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    CALLBACK,
    Project,
    fail,
    play,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    TOKEN,
    ansible_playbook,
)

SETTINGS = """\
deployment_name = shop
deployment_id = from-ini
deployment_version = 1.0
deployment_environment = staging
group_id = 11
start_event = began
finish_event = ended
failure_event = broke
failure_details = message
context_vars = release, stage
"""


@pytest.mark.every_core
def test_options_come_from_the_configuration_file_and_two_names_report_once(
    project: Project,
) -> None:
    # Another collection may lead to ours under another name.
    project.write("collections/ansible_collections/our/names/plugins/callback/.keep", "")
    project.write(
        "collections/ansible_collections/our/names/meta/runtime.yml",
        f"plugin_routing: {{callback: {{again: {{redirect: {CALLBACK}}}}}}}",
    )
    project.write("collections/ansible_collections/our/names/galaxy.yml", "{}")
    paths = f"{project.folder / 'collections'}:{os.environ['ANSIBLE_COLLECTIONS_PATH']}"
    outbox = project.folder / "elsewhere" / "deep"
    project.config(
        SETTINGS + f"outbox = {outbox}\naccess_key_id = {KEY_ID}\n"
        f"endpoint = {project.receiver.url}\nlinger = 3\ntimeout = 4\n"
        "source_ip = 192.0.2.7\n"
    )

    ended = project.run(
        [play(fail(), hosts="h1")], "-e", "release=7",
        ANSIBLE_COLLECTIONS_PATH=paths,
        ANSIBLE_CALLBACKS_ENABLED=f"{CALLBACK},our.names.again,{CALLBACK}",
        CLOUDMONITOR_OUTBOX=None, CLOUDMONITOR_LINGER=None, CLOUDMONITOR_TIMEOUT=None,
        CLOUDMONITOR_ENDPOINT=None, ALIBABA_CLOUD_ACCESS_KEY_ID=None,
    )  # fmt: skip

    assert ended.rc == 2, ended.output
    assert len(ended.warnings) == 1  # there is no variable stage
    began, finish, failure = project.events()
    names = [event["event"] for event in (began, finish, failure)]
    assert names == ["began", "ended", "broke"]
    for event in (began, finish, failure):
        assert event["context"] == {"release": "7"}
        members = [event[key] for key in ("name", "id", "version", "environment", "group")]
        assert members == ["shop", "from-ini", "1.0", "staging", 11]
    assert finish["failures"][0]["message"] == "migration failed"
    assert {request["access_key_id"] for request in project.receiver.requests} == {KEY_ID}
    assert (outbox.stat().st_mode & 0o777, project.outbox.exists()) == (0o700, False)


def test_the_environment_wins_and_an_empty_variable_counts_as_unset(project: Project) -> None:
    project.config(SETTINGS)

    run = project.start(
        [play(project.wait_task(), hosts="h1")],
        CLOUDMONITOR_DEPLOYMENT_NAME="store",
        CLOUDMONITOR_DEPLOYMENT_ID="from-environment",
        CLOUDMONITOR_DEPLOYMENT_VERSION="",
        CLOUDMONITOR_GROUP_ID="",
        CLOUDMONITOR_START_EVENT="",
        CLOUDMONITOR_FINISH_EVENT="over",
        CLOUDMONITOR_CONTEXT_VARS="ansible_play_name",
        CLOUDMONITOR_VALIDATE_CERTS="",
        CLOUDMONITOR_NETWORK="",
        CLOUDMONITOR_OUTBOX="",
        # The key is of one family of names, and of the first names of it that are not empty.
        ALIBABA_CLOUD_ACCESS_KEY_ID="",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET="",
        ALIBABA_CLOUD_SECURITY_TOKEN="stale",
        ALICLOUD_ACCESS_KEY="STS." + KEY_ID,
        ALICLOUD_SECRET_KEY=SECRET,
        ALICLOUD_SECURITY_TOKEN=TOKEN,
        ALICLOUD_ACCESS_KEY_ID="third",
        ALICLOUD_SECRET_ACCESS_KEY="third",
    )
    project.under_way()
    outbox = project.folder / ".ansible" / "aliops.cloudmonitor"  # in the home of Ansible
    (journal,) = outbox.glob("runs/*/journal")
    for path in [outbox, *outbox.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert journal.read_bytes().endswith(b"\n")
    project.release()

    ended = run.ended()
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    start, finish = project.events()
    assert [start["event"], finish["event"]] == ["began", "over"]
    for event in (start, finish):
        members = [event[key] for key in ("name", "id", "version", "group")]
        assert members == ["store", "from-environment", "1.0", 11]
    used = {request["access_key_id"] for request in project.receiver.requests}
    assert used == {"STS." + KEY_ID}


def test_ad_hoc_commands_are_not_reported(project: Project) -> None:
    ad_hoc = Path(ansible_playbook()).with_name("ansible")
    ended = project.command(
        ad_hoc, "deployed", "-m", "ansible.builtin.debug", ANSIBLE_LOAD_CALLBACK_PLUGINS="true"
    ).ended()
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert project.receiver.requests == []
    assert not project.outbox.exists()


HIDE_REQUESTS = """\
import sys
from importlib.machinery import PathFinder

class WithoutRequests(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "requests" else super().find_spec(name, path, target)

sys.meta_path = [WithoutRequests if finder is PathFinder else finder for finder in sys.meta_path]
"""

# What is wrong, the variables that make it so ("/" stands for the project's folder), and words of
# the one warning.
MISTAKES: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "no credentials": (
        {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "",
            "PYTHONPATH": "{}/nochain",
        },
        ("no AccessKey", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
    ),
    "no requests": ({"PYTHONPATH": "{}/norequests"}, ("requests", "Install")),
    "an unknown region, in the first variable that is not empty": (
        {
            "CLOUDMONITOR_ENDPOINT": "", "ALIBABA_CLOUD_REGION_ID": "first",
            "ALICLOUD_REGION": "cn-hangzhou", "ALICLOUD_REGION_ID": "cn-beijing",
        },
        ("'first'",),
    ),
    # ansible-core 2.18 does not say which value it is.
    "a group that is no number": ({"CLOUDMONITOR_GROUP_ID": "shop"}, ("group_id",)),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [*list(MISTAKES)[:3], pytest.param(list(MISTAKES)[3], marks=pytest.mark.every_core)],
)
def test_a_mistake_is_one_warning_that_says_what_to_do(project: Project, name: str) -> None:
    project.write("norequests/sitecustomize.py", HIDE_REQUESTS)
    hide_chain = HIDE_REQUESTS.replace('"requests"', '"alibabacloud_credentials"')
    project.write("nochain/sitecustomize.py", hide_chain)
    variables, words = MISTAKES[name]
    variables = {key: text.replace("{}", str(project.folder)) for key, text in variables.items()}

    ended = project.run([play(fail(), hosts="h1")], **variables)

    assert ended.rc == 2, ended.output
    assert len(ended.warnings) == 1, ended.output
    for word in words:
        assert word in ended.warnings[0], (word, ended.warnings)
    assert SECRET not in ended.output
    project.settled()
    assert project.receiver.requests == []
    assert project.waiting() == []
