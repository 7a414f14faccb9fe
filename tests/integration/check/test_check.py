# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is set up passes the check, and the check tells what it is set up with."""

from __future__ import annotations

import json
import re
import sys

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    CALLBACK,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.check.conftest import (
    PLAYBOOK,
    Checked,
    shown,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
)

CHECKS = (
    "versions signature requests settings AccessKey callback outbox courier endpoint clock".split()
)  # and "test event"


@pytest.mark.every_core
def test_a_machine_that_is_set_up_passes(project: Checked) -> None:
    told = project.check(CLOUDMONITOR_GROUP_ID="101")

    assert told.rc == 0, told.output
    assert told.states == dict.fromkeys([*CHECKS, "test event"], "ok")
    assert told.notes == ""
    (event,) = project.receiver.events
    assert (event["name"], event["groupId"]) == ("deployment-check", 101)
    assert len(project.receiver.requests) == 1
    assert "This machine is set up" in told.output
    assert "in group 101 was accepted" in told.checks["test event"]
    assert project.outbox.stat().st_mode & 0o777 == 0o700
    assert "mode 0700, owner " in told.checks["outbox"]
    assert "0 events waiting" in told.checks["outbox"]
    assert project.waiting() == []


def test_without_the_callback_check_mode_makes_nothing_and_shows_how_to_enable_it(
    project: Checked,
) -> None:
    told = project.check("--check", ANSIBLE_CONFIG=project.without()["ANSIBLE_CONFIG"])

    assert told.rc == 0, told.output
    assert told.states["callback"] == "note"
    assert "callbacks_enabled = " + CALLBACK in told.notes
    assert str(project.folder / "without.cfg") in told.notes
    assert (told.states["test event"], told.states["outbox"]) == ("skipped", "skipped")
    assert not project.outbox.exists()
    assert project.receiver.events == []


@pytest.mark.every_core
def test_it_says_of_each_setting_where_it_comes_from_and_shows_no_secret(
    project: Checked,
) -> None:
    project.config("region = cn-shanghai\ntimeout = 9\naccess_key_id = LTAI5tFromTheFile\n")

    told = project.check(
        ALICLOUD_REGION="cn-beijing",
        ALIBABA_CLOUD_ACCESS_KEY_ID=None,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET=None,
        ALIBABA_CLOUD_SECURITY_TOKEN="stale",
        ALICLOUD_ACCESS_KEY=KEY_ID,
        ALICLOUD_SECRET_KEY=SECRET,
        CLOUDMONITOR_TIMEOUT=None,
    )

    file = f"{project.folder}/ansible.cfg [callback_deployment_events]"
    assert told.rc == 0
    assert told.settings["region"] == "cn-beijing ALICLOUD_REGION"
    assert told.settings["network"] == "public default"
    assert told.settings["timeout"] == "9.0 " + file
    assert told.settings["endpoint"] == f"{project.receiver.url} CLOUDMONITOR_ENDPOINT"
    assert told.settings["access_key_id"] == "LTAI...tion ALICLOUD_ACCESS_KEY"
    assert told.settings["access_key_secret"] == "given ALICLOUD_SECRET_KEY"
    assert told.settings["security_token"] == "not set"
    assert "retries" not in told.settings
    assert KEY_ID not in re.sub(r"\bESTABLISH.*", "", "\n".join(told.checks_list))
    assert "timeout in ansible.cfg applies to the callback and flush_outbox" in told.output


def test_tags_strategy_become_and_inventory_leave_out_nothing_when_urllib3_is_missing(
    project: Checked,
) -> None:
    project.write("python/urllib3.py", "raise ImportError('made to fail')\n")

    told = project.check(
        "-i", "localhost,", "--tags", "deploy",
        ANSIBLE_STRATEGY="free", ANSIBLE_BECOME="true", PYTHONPATH=str(project.folder / "python"),
    )  # fmt: skip

    assert (told.rc, told.wrong) == (2, ["requests"])
    assert list(told.states) == [*CHECKS, "test event"]
    assert "made to fail" in told.checks["requests"]
    assert "-m pip install requests" in told.fixes
    assert told.states["endpoint"] == "skipped"
    assert project.receiver.requests == []


def test_everything_that_is_wrong_is_told_at_once(project: Checked) -> None:
    project.outbox.touch()
    told = project.check(
        warned=True,
        CLOUDMONITOR_TIMEOUT="soon",
        CLOUDMONITOR_SOURCE_IP="me",
        CLOUDMONITOR_RETRIES="-1",
        CLOUDMONITOR_ENDPOINT="nonsense",
        CLOUDMONITOR_LINGER="-3",
        ALIBABA_CLOUD_ACCESS_KEY_ID=None,
    )

    assert told.wrong == ["settings", "AccessKey", "outbox"]
    for word in ("timeout", "source_ip", "retries", "endpoint", "linger", "ACCESS_KEY_ID"):
        assert word in told.fixes, word
    assert "8 of" not in told.output
    assert "7 of" in told.output


@pytest.mark.every_core
def test_an_extra_variable_counts_as_it_does_for_the_callback(project: Checked) -> None:
    with Receiver([Credential(KEY_ID, SECRET)]) as other:
        told = project.check(
            "-e",
            json.dumps({"cloudmonitor_endpoint": other.url}),
            CLOUDMONITOR_ENDPOINT=None,
            http_proxy="http://127.0.0.1:9",
            https_proxy="http://127.0.0.1:9",
            no_proxy="127.0.0.1",
        )
        sent = [event["name"] for event in other.events]

    if told.settings["endpoint"].endswith("-e cloudmonitor_endpoint"):
        assert (told.rc, sent) == (0, ["deployment-check"])
    else:  # before ansible-core 2.21: it does not count, and that is told
        assert (told.rc, sent) == (2, [])
        assert "Set endpoint in the environment or in ansible.cfg" in told.notes


WRAPPER = """\
import os, site, sys
site.addsitedir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "packages"))
from ansible.cli.playbook import main
sys.exit(main(["ansible-playbook", *sys.argv[1:]]))
"""
# The default chain, where the package is not installed: one file, named relative to the project.
PACKAGE = """\
import configparser, os
class DefaultCredentialsProvider:
    def get_credentials(self):
        parser = configparser.ConfigParser()
        with open(os.environ["ALIBABA_CLOUD_CREDENTIALS_FILE"]) as file:
            parser.read_file(file)
        return Found(parser["default"])
class Found:
    def __init__(self, section):
        self.get_access_key_id = lambda: section["access_key_id"]
        self.get_access_key_secret = lambda: section["access_key_secret"]
        self.get_security_token = lambda: None
"""


def test_the_run_after_the_check_is_reported_also_with_a_wrapper_and_a_relative_file(
    project: Checked,
) -> None:
    project.write("wrapper.py", WRAPPER)
    project.write("packages/alibabacloud_credentials/__init__.py", "")
    project.write("packages/alibabacloud_credentials/provider.py", PACKAGE)
    project.write(
        "creds.ini",
        f"[default]\ntype = access_key\naccess_key_id = {KEY_ID}\naccess_key_secret = {SECRET}\n",
    )
    project.write("site.yml", [play(say())])
    variables = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": None,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None,
        "ALIBABA_CLOUD_CREDENTIALS_FILE": "creds.ini",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
    }

    command = (sys.executable, "wrapper.py")
    checked = project.command(*command, PLAYBOOK, **variables).ended()
    told = shown(checked)
    ended = project.command(*command, "site.yml", **variables).ended()
    project.settled()

    assert (checked.rc, checked.warnings) == (0, []), checked.output
    assert told.states["courier"] == "ok"
    assert project.receiver.events[0]["name"] == "deployment-check"
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert len(project.events(name="site")) == 2
