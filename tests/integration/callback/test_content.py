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
from typing import Any

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
    project.write("playbooks/shop.yml", [play(say())])

    ended = project.run(
        "playbooks/shop.yml",
        CLOUDMONITOR_DEPLOYMENT_VERSION="1.4.2",
        CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT="Produktion ü",
        CLOUDMONITOR_GROUP_ID="4242",
        CLOUDMONITOR_RUN_ID="pipeline-9",
        **GITLAB,
    )

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    start, finish = project.events()
    told = {
        "schema": "deployment/1",
        "parent": "pipeline-9",
        "name": "shop",
        "version": "1.4.2",
        "environment": "Produktion ü",
        "playbook": "playbooks/shop.yml",
        "user": getpass.getuser(),
        "controller": socket.gethostname(),
        "ci": {"system": "gitlab", "url": GITLAB["CI_JOB_URL"], "job": "4711"},
        "git": {"commit": git("rev-parse", "HEAD"), "branch": "release/1.4"},
        "group": 4242,
    }
    for event in (start, finish):
        assert {key: event.get(key) for key in told} == told
        assert not {"check_mode", "context", "details", "truncated"} & set(event)
    assert start["id"] == finish["id"]
    assert len(start["id"]) == 36


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


def test_check_mode_is_not_reported_unless_asked_for(project: Project) -> None:
    project.write("site.yml", [play(say())])
    silent = project.start("site.yml", "--check")
    asked = project.start("site.yml", "--check", CLOUDMONITOR_CHECK_MODE_EVENTS="true")

    for run in (silent, asked):
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert [(one["event"], one["check_mode"]) for one in project.events()] == [
        (START, True),
        (FINISH, True),
    ]


def test_only_playbooks_that_are_wanted_are_reported(project: Project) -> None:
    for name in ("deploy-shop.yml", "deploy-test.yml", "deploy/site.yml", "backup.yml"):
        project.write(name, [play(say())])

    ended = project.run(
        "deploy-shop.yml", "deploy-test.yml", "deploy/site.yml", "backup.yml",
        CLOUDMONITOR_INCLUDE_PLAYBOOKS="deploy*.yml,*/deploy/*",
        CLOUDMONITOR_EXCLUDE_PLAYBOOKS="*-test.yml",
        CLOUDMONITOR_DEPLOYMENT_ID="d",
    )  # fmt: skip

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert {(event["playbook"], event["id"]) for event in project.events()} == {
        ("deploy-shop.yml", "d"),
        ("deploy/site.yml", "d/3"),  # the third file of the command line
    }


@pytest.mark.every_core
def test_failures_tell_as_much_as_was_asked_for(project: Project) -> None:
    hosts = [f"n{number:02}" for number in range(11)]
    project.write("hosts", "\n".join(f"{host} ansible_connection=local" for host in hosts))
    hidden = fail("{{ msg }}", name="Hidden {{ msg }}", no_log=True, vars={"msg": "canary-5Qz"})
    hidden["when"] = "inventory_hostname == 'n00'"
    project.write("fails.yml", [play(hidden, fail("x" * 300), hosts="all")])
    runs = [
        project.start(
            "fails.yml", "-f", "1",  # in the order of the inventory
            CLOUDMONITOR_FAILURE_DETAILS=details, CLOUDMONITOR_DEPLOYMENT_ID=str(details),
        )
        for details in (None, "message")
    ]  # fmt: skip

    for run in runs:
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (2, []), ended.output
    project.settled()
    told: dict[str, Any] = {one["id"]: one.get("failures") for one in project.events(event=FINISH)}
    task = [{"host": "n00"}] + [{"host": host, "task": "Migrate"} for host in hosts[1:10]]
    assert told["None"] == task
    assert told["message"][0] == {"host": "n00"}
    for failure in told["message"][1:]:
        assert failure.pop("message") == "x" * 256
    assert told["message"] == task
    assert "canary-5Qz" not in json.dumps(project.receiver.events)
