# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: secrets are looked for wherever a run and its courier could have left them."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    PRODUCT,
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
def test_no_secret_is_in_the_events_or_in_what_the_callback_says(project: Project) -> None:
    plays = secretive(project)
    project.release()

    project.write("site.yml", plays)
    run = project.start("site.yml", *ARGUMENTS, **STS)
    without = project.start("site.yml", *ARGUMENTS, **STS, **project.without()).ended()
    ended = run.ended().may_warn(PRODUCT)

    assert (ended.rc, without.rc) == (2, 2), ended.output
    assert len(project.events()) == 3
    assert len(project.events()[1]["failures"]) == 2
    log = (project.outbox / "courier.log").read_text()
    assert " accepted " in ended.output
    assert " accepted " in log
    for canary in ALL:
        assert canary not in json.dumps(project.receiver.events), canary
        assert canary not in log, canary
        # Of the playbook's own secrets, ansible-core shows some itself at -vvvv.
        assert ended.output.count(canary) == without.output.count(canary), canary
    for canary in OURS:
        assert canary not in ended.output, canary


def test_no_secret_is_in_the_outbox_or_in_the_process_of_the_courier(project: Project) -> None:
    project.receiver.set_faults(["hang*inf"])
    run = project.start(
        secretive(project),
        *ARGUMENTS,
        **{**STS, "CLOUDMONITOR_TIMEOUT": "120", "CLOUDMONITOR_LINGER": "120"},
        CLOUDMONITOR_FLUSH_TIMEOUT="0",
    )
    project.under_way()
    until(lambda: project.receiver.requests, "a request under way")
    check_courier(project)

    project.release()
    ended = run.ended().may_warn(PRODUCT)

    assert ended.rc == 2, ended.output
    courier = check_courier(project)
    journals = list(project.outbox.glob("runs/*/journal"))
    assert len(journals) == 1
    assert journals[0].read_text().count("\n") == 3  # the run, its start, its finish
    for file in project.outbox.rglob("*"):
        for canary in ALL:
            assert not file.is_file() or canary.encode() not in file.read_bytes(), (file, canary)
    for canary in OURS:
        assert canary not in ended.output, canary
    os.kill(courier, signal.SIGTERM)
    project.settled(10)


def check_courier(project: Project) -> int:
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
    return courier


def test_a_secret_in_a_refusal_of_the_service_is_not_repeated(project: Project) -> None:
    # The receiver says the signature is wrong; the text of an answer is the service's.
    ended = project.run([play(say())], "-vvvv", ALIBABA_CLOUD_ACCESS_KEY_SECRET=SECRET + "-wrong")
    assert ended.rc == 0, ended.output
    assert len([text for text in ended.warnings if "aliops" in text]) == 1
    (letters,) = project.dead()
    log = project.outbox / "courier.log"
    assert ": signature (HTTP 403, code 403)" in log.read_text()
    for place in (ended.output, log.read_text(), (project.outbox / "dead" / letters).read_text()):
        assert SECRET not in place


def test_a_secret_in_a_message_or_in_a_name_is_neither_sent_nor_stored(project: Project) -> None:
    project.receiver.set_faults(["status=500*inf"])
    show = {
        "name": "Log in with {{ key }}",
        "ansible.builtin.fail": {"msg": "the key is {{ key }}"},
    }
    ended = project.run(
        [play(show, vars={"key": SECRET})],
        CLOUDMONITOR_FAILURE_DETAILS="message",
        CLOUDMONITOR_DEPLOYMENT_NAME=f"shop {SECRET}",
        GITLAB_CI="true",
        CI_JOB_URL="https://bot:canary-pw@git.example/x",
        CLOUDMONITOR_LINGER="0",
    )
    project.settled()

    assert ended.may_warn(PRODUCT).rc == 2, ended.output
    (journal,) = project.outbox.glob("runs/*/journal")
    stored = journal.read_text()
    assert "the key is ********" in stored
    assert "https://git.example/x" in stored
    for canary in (SECRET, "canary-pw"):
        assert canary not in stored + json.dumps(project.receiver.events), canary
