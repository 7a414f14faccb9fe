# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the events of a run."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
from collections import Counter

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    fail,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import ansible_playbook

GITLAB = {
    "GITLAB_CI": "true",
    "CI_JOB_ID": "4711",
    "CI_JOB_URL": "https://git.example.com/shop/-/jobs/4711",
}


def test_an_event_tells_what_who_where_from_and_from_which_commit(project: Project) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example.com")
        done = subprocess.run(
            ["git", *identity, *arguments],
            cwd=project.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    git("init", "-q", "-b", "release/1.4")
    git("commit", "-q", "--allow-empty", "-m", "first")
    project.config("context_vars = release")
    for name in ("playbooks/test.yml", "playbooks/shop.yml", "backup.yml"):
        project.write(name, [play(say(), hosts="h1")])

    ended = project.run(
        "playbooks/test.yml", "playbooks/shop.yml", "backup.yml",
        "-e", '{"release": {"version": 7}, "stage": "canary-8"}',
        CLOUDMONITOR_INCLUDE_PLAYBOOKS="*/playbooks/*,other.yml",
        CLOUDMONITOR_EXCLUDE_PLAYBOOKS="*/test.yml",
        CLOUDMONITOR_DEPLOYMENT_ID="d",
        CLOUDMONITOR_DEPLOYMENT_VERSION="1.4.2",
        CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT="Produktion ü",
        CLOUDMONITOR_GROUP_ID="4242",
        CLOUDMONITOR_RUN_ID="pipeline-9",
        **GITLAB,
    )  # fmt: skip

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    start, finish = project.events()  # those of the only playbook that is to be reported
    told = {
        "schema": "deployment/1",
        "id": "d/2",  # the second file of the command line
        "parent": "pipeline-9",
        "name": "shop",
        "version": "1.4.2",
        "environment": "Produktion ü",
        "playbook": "playbooks/shop.yml",
        "user": getpass.getuser(),
        "controller": socket.gethostname(),
        "ci": {"system": "gitlab", "url": GITLAB["CI_JOB_URL"], "job": "4711"},
        "git": {"commit": git("rev-parse", "HEAD"), "branch": "release/1.4"},
        "context": {"release": {"version": 7}},  # and no other variable
        "group": 4242,
    }
    for event in (start, finish):
        assert {key: event.get(key) for key in told} == told
        assert not {"check_mode", "details", "truncated"} & set(event)


@pytest.mark.every_core
def test_what_is_reported_inside_names_the_run_as_its_parent(project: Project) -> None:
    project.write("nested.yml", [play(say(), hosts="h1")])
    project.write("step.yml", "- ansible.builtin.debug:\n")
    outer = [
        play(
            {"ansible.builtin.command": f"{ansible_playbook()} nested.yml", "delegate_to": "h1"},
            {"ansible.builtin.debug": {
                "msg": "ID {{ lookup('ansible.builtin.env', 'CLOUDMONITOR_RUN_ID') }}"}},
            {"aliops.cloudmonitor.deployment_event": {"phase": "start", "name": "module"}},
            {
                "ansible.builtin.include_role": {"name": "aliops.cloudmonitor.deployment"},
                "vars": {"deployment_name": "role", "deployment_tasks_file": "step.yml"},
            },
            hosts="h1",
        )
    ]  # fmt: skip

    ended = project.run(outer)

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    outer_start = project.events(name="site")[0]
    assert "parent" not in outer_start
    assert len(outer_start["id"]) == 36
    assert f"ID {outer_start['id']}" in ended.output
    counted = Counter(
        (event["name"], event["event"], event.get("parent")) for event in project.events()
    )
    assert counted == {
        ("site", START, None): 1,
        ("site", FINISH, None): 1,
        ("nested", START, outer_start["id"]): 1,
        ("nested", FINISH, outer_start["id"]): 1,
        ("module", START, outer_start["id"]): 1,
        ("role", START, outer_start["id"]): 1,
        ("role", FINISH, outer_start["id"]): 1,
    }


def test_check_mode_is_reported_if_asked_for(project: Project) -> None:
    ended = project.run([play(say())], "--check", CLOUDMONITOR_CHECK_MODE_EVENTS="true")

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    told = [(event["event"], event["check_mode"]) for event in project.events()]
    assert told == [(START, True), (FINISH, True)]


@pytest.mark.every_core
def test_failures_tell_as_much_as_was_asked_for(project: Project) -> None:
    hidden = fail("{{ msg }}", name="Hidden {{ msg }}", no_log=True, vars={"msg": "canary-5Qz"})
    hidden["when"] = "inventory_hostname == 'h1'"

    ended = project.run(
        [play(hidden, fail("x" * 300))],
        "-f", "1",  # in the order of the inventory
        CLOUDMONITOR_FAILURE_DETAILS="message",
    )  # fmt: skip

    assert (ended.rc, ended.warnings) == (2, []), ended.output
    assert project.events()[1]["failures"] == [
        {"host": "h1"},
        {"host": "h2", "task": "Migrate", "message": "x" * 256},
    ]
    assert "canary-5Qz" not in json.dumps(project.receiver.events)
