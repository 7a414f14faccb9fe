# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: secrets are looked for wherever a run and its courier could have left them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    PRODUCT,
    START,
    Plays,
    Project,
    play,
    say,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.test_context_vars import (
    encrypted,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    TOKEN,
)

NAME, ARGUMENT, RESULT = "canary-name-1", "canary-argument-2", "canary-result-3"
EXTRA, PLAYED, VAULTED = "canary-extra-4", "canary-play-5", "canary-vault-6"
FOREIGN = "canary-environment-7"
OURS = (SECRET, TOKEN)
ALL = (*OURS, NAME, ARGUMENT, RESULT, EXTRA, PLAYED, VAULTED, FOREIGN)

STS = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "STS." + KEY_ID,
    "ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN,
    "MY_DATABASE_PASSWORD": FOREIGN,
    "CLOUDMONITOR_FAILURE_DETAILS": "message",
    "CLOUDMONITOR_CONTEXT_VARS": "vaulted",
}


def secretive(project: Project) -> Plays:
    """Return plays that fail on both hosts with secrets in names, arguments and results."""
    project.write("vaulted.yml", encrypted(project, "vaulted", VAULTED))
    hidden: dict[str, Any] = {
        "name": "Log in as {{ secret_name }}",
        "ansible.builtin.raw": f"echo {RESULT} {{{{ secret_argument }}}} {{{{ vaulted }}}}; exit 1",
        "no_log": True,
    }
    secrets = {"secret_name": NAME, "secret_argument": ARGUMENT, "played": PLAYED}
    return [
        play(
            say(),
            {**hidden, "ignore_errors": True},
            {**hidden, "loop": [1, 2], "when": "inventory_hostname == 'h2'"},
            project.wait_task(),
            hidden,
            vars=secrets,
            vars_files=["vaulted.yml"],
        )
    ]


ARGUMENTS = ("-vvvv", "--vault-password-file", "password", "-e", f"extra={EXTRA}")


@pytest.mark.every_core
def test_no_secret_leaves_the_memory_of_a_run_and_its_courier(project: Project) -> None:
    project.receiver.set_faults(["hang"])
    run = project.start(secretive(project), *ARGUMENTS, **STS, CLOUDMONITOR_FLUSH_TIMEOUT="30")
    project.under_way()
    until(lambda: project.receiver.requests, "a request under way")
    check_courier(project)
    check_files(project)

    project.release()

    ended = run.ended().may_warn(PRODUCT)
    assert ended.rc == 2, ended.output
    assert [event["event"] for event in project.events()] == [START, FINISH, FAILURE]
    assert len(project.events()[1]["failures"]) == 2
    check_files(project)
    said = [line for line in ended.output.splitlines() if PRODUCT in line]
    log = (project.outbox / "courier.log").read_text()
    assert " accepted " in log
    assert any(" accepted " in line for line in said)
    # Of the playbook's own secrets, ansible-core shows some itself at -vvvv.
    shown = "\n".join([json.dumps(project.receiver.events), log, *said])
    for canary in ALL:
        assert canary not in shown, canary
    for canary in OURS:
        assert canary not in ended.output, canary


def check_files(project: Project) -> None:
    """Look for the secrets in every file of the outbox."""
    for file in project.outbox.rglob("*"):
        for canary in ALL:
            assert not file.is_file() or canary.encode() not in file.read_bytes(), (file, canary)


def check_courier(project: Project) -> None:
    """Look through everything that other users and tools can see of the courier."""
    (courier,) = project.couriers()
    place = Path(f"/proc/{courier}")
    for name in ("cmdline", "environ"):
        shown = (place / name).read_bytes()
        for canary in (*ALL, EXTRA, KEY_ID):
            assert canary.encode() not in shown, (name, canary)
    opened = {link.name: os.readlink(link) for link in (place / "fd").iterdir()}
    assert [opened.get(number) for number in "012"] == ["/dev/null"] * 3
    # Besides its own pipe and sockets there is the lock, and nothing of the run.
    files = [path for path in opened.values() if path.startswith("/") and path != "/dev/null"]
    assert [Path(path).name for path in files] == ["lock"], opened
    assert os.getsid(courier) == courier
    assert os.readlink(place / "cwd") == "/"


def test_a_secret_in_a_message_a_name_or_a_refusal_is_neither_sent_nor_stored(
    project: Project,
) -> None:
    # The receiver finds the signature wrong; the text of an answer is the service's.
    secret = SECRET + "-wrong"
    show = {
        "name": "Log in with {{ key }}",
        "ansible.builtin.fail": {"msg": "the key is {{ key }}"},
    }
    ended = project.run(
        [play(show, hosts="h1", vars={"key": secret})],
        ALIBABA_CLOUD_ACCESS_KEY_SECRET=secret,
        CLOUDMONITOR_FAILURE_DETAILS="message",
        CLOUDMONITOR_DEPLOYMENT_NAME=f"shop {secret}",
        GITLAB_CI="true",
        CI_JOB_URL="https://bot:canary-pw@git.example/x",
    )
    project.settled()

    assert ended.may_warn(PRODUCT).rc == 2, ended.output
    assert len(ended.warnings) == 1
    log = (project.outbox / "courier.log").read_text()
    assert ": signature (HTTP 403, code 403)" in log
    (letters,) = project.dead()
    stored = (project.outbox / "dead" / letters).read_text()
    assert "the key is ********" in stored
    assert "https://git.example/x" in stored
    for canary in (SECRET, "canary-pw"):
        assert canary not in stored + log, canary
    assert SECRET not in "".join(ended.warnings)
