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
    Told,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    TOKEN,
)

CHECKS = (
    "versions signature requests settings AccessKey callback outbox courier endpoint clock".split()
)  # and "test event"


def test_a_machine_that_is_set_up_passes_with_one_event_sent(project: Checked) -> None:
    told = project.check(CLOUDMONITOR_GROUP_ID="101")

    assert told.rc == 0, told.output
    assert told.states == dict.fromkeys([*CHECKS, "test event"], "ok")
    assert told.notes == ""
    (event,) = project.receiver.events
    assert (event["name"], event["groupId"]) == ("deployment-check", 101)
    assert len(project.receiver.requests) == 1
    assert "This machine is set up" in told.output
    assert "in the group 101, was accepted" in told.checks["test event"]


def test_the_outbox_is_made_for_this_user_alone_and_stays_empty(project: Checked) -> None:
    told = project.check()

    assert project.outbox.stat().st_mode & 0o777 == 0o700
    assert "mode 0700, owner " in told.checks["outbox"]
    assert "0 events waiting" in told.checks["outbox"]
    assert project.waiting() == []


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
    assert KEY_ID not in re.sub(r"\bESTABLISH.*", "", "\n".join(told.lines("What was found")))
    assert "timeout in ansible.cfg counts for the callback and flush_outbox" in told.output


def test_an_id_in_ansible_cfg_counts_with_the_secret_of_the_environment(project: Checked) -> None:
    project.config(f"access_key_id = {KEY_ID}")

    told = project.check(ALIBABA_CLOUD_ACCESS_KEY_ID=None)

    assert told.rc == 0
    assert told.settings["access_key_id"].startswith(f"LTAI...tion {project.folder}")
    assert "access_key_id in ansible.cfg counts for the callback and flush_outbox" in told.output


def test_a_temporary_key_is_checked_with_its_token(project: Checked) -> None:
    told = project.check(
        ALIBABA_CLOUD_ACCESS_KEY_ID="STS." + KEY_ID, ALIBABA_CLOUD_SECURITY_TOKEN=TOKEN
    )

    assert (told.rc, told.states["test event"]) == (0, "ok")
    assert told.settings["security_token"] == "given ALIBABA_CLOUD_SECURITY_TOKEN"
    assert "temporary" in told.checks["AccessKey"]


def test_without_the_test_event_nothing_is_signed_and_nothing_sent(project: Checked) -> None:
    told = project.check("-e", "cloudmonitor_check_send=false")

    assert told.rc == 0, told.output
    assert told.states == {**dict.fromkeys(CHECKS, "ok"), "test event": "skipped"}
    assert project.receiver.events == []
    assert [request["access_key_id"] for request in project.receiver.requests] == [None]
    assert "no test event was sent" in told.output


def test_check_mode_sends_nothing_and_makes_nothing(project: Checked) -> None:
    told = project.check("--check")

    assert told.rc == 0, told.output
    assert (told.states["test event"], told.states["outbox"]) == ("skipped", "skipped")
    assert project.receiver.events == []
    assert not project.outbox.exists()


def test_a_callback_that_is_not_enabled_is_a_hint_and_no_failure(project: Checked) -> None:
    told = project.check(ANSIBLE_CONFIG=project.without()["ANSIBLE_CONFIG"])

    assert told.rc == 0
    assert told.states["callback"] == "note"
    assert "callbacks_enabled = " + CALLBACK in told.notes
    assert str(project.folder / "without.cfg") in told.notes
    assert told.states["outbox"] == "skipped"
    assert not project.outbox.exists()
    assert len(project.receiver.events) == 1


def test_it_runs_without_an_inventory_and_by_any_strategy(project: Checked) -> None:
    told = project.check("-i", "localhost,", ANSIBLE_STRATEGY="free", ANSIBLE_BECOME="true")

    assert (told.rc, len(project.receiver.events)) == (0, 1)


def test_tags_leave_nothing_of_the_check_out(project: Checked) -> None:
    told = project.check("--tags", "deploy", ALIBABA_CLOUD_ACCESS_KEY_ID=None)

    assert (told.rc, told.wrong) == (2, ["AccessKey"])


def test_what_waits_and_what_was_refused_is_told_and_left_where_it_is(project: Checked) -> None:
    project.leave("waits")
    project.leave("refused", "permission")
    before = (project.waiting(), project.dead())

    told = project.check()

    assert told.rc == 0
    assert "3 events waiting" in told.output
    assert "2 dead letters" in told.checks["outbox"]
    assert "cms:PutCustomEvent" in told.checks["outbox"]
    assert "dead: retry" in told.notes
    assert (project.waiting(), project.dead()) == before
    assert [event["name"] for event in project.receiver.events] == ["deployment-check"]


@pytest.mark.parametrize(
    ("section", "key", "fix"),
    [
        ("", "regoin = cn-shanghai", "Did you mean region instead of regoin?"),
        ("", "deployment_env = production", "Did you mean deployment_environment instead of"),
        ("", f"access_key_secret = {SECRET}", "Remove access_key_secret from the file"),
        ("[deployment_events]", "region = cn-shanghai", "mean [callback_deployment_events]"),
    ],
)
def test_a_key_or_section_that_nothing_reads_is_an_error(
    project: Checked, section: str, key: str, fix: str
) -> None:
    project.config(f"{section}\n{key}")

    told = project.check()

    assert told.wrong == ["settings"]
    assert fix in told.fixes


def test_a_run_after_a_good_check_is_reported(project: Checked) -> None:
    assert project.check().rc == 0

    assert project.run([play(say())]).rc == 0
    project.settled()
    names = [event["name"] for event in project.receiver.events]
    assert names == ["deployment-check", "deployment-start", "deployment-finish"]


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


def test_the_courier_of_a_wrapper_with_its_own_packages_and_a_relative_file(
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
    told = Told(checked.rc, checked.output)
    ended = project.command(*command, "site.yml", **variables).ended()
    project.settled()

    assert (checked.rc, checked.warnings) == (0, []), checked.output
    assert told.states["courier"] == "ok"
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert len(project.events(name="site")) == 2
