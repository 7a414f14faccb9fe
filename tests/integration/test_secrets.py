# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: secrets are looked for wherever a run could have left them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    DEPLOYMENT,
    EVENT,
    KEY_ID,
    SECRET,
    TOKEN,
    Run,
)

CANARIES = (SECRET, TOKEN)

STS = {
    "access_key_id": "STS." + KEY_ID,
    "access_key_secret": "{{ the_secret }}",
    "security_token": "{{ the_token }}",
}


def everything() -> list[dict[str, Any]]:
    """Tasks that succeed, fail, warn and are refused, with secrets in their options."""
    sent = {"name": "n", "content": "c", **STS}
    target = {**sent, "report_from": "target"}
    return [
        {EVENT: sent},
        {EVENT: target},
        {EVENT: {**target, "access_key_id": "unknown"}},
        {EVENT: {**target, "endpoint": "http://127.0.0.1:9", "retries": 0}},
        {EVENT: {**sent, "content": ""}},
        {EVENT: {**sent, "nmae": "typo"}},
        {EVENT: {**sent, "timeout": "soon"}},
        {EVENT: {**sent, "report_errors": "warn", "endpoint": "http://user:{{ the_secret }}@host"}},
        {EVENT: {**sent, "access_key_id": "{{ omit }}"}},
        {EVENT: {**sent, "access_key_secret": "{{ the_secret }} with a space"}},
        {EVENT: {**sent, "security_token": "{{ the_token }}\n"}},
        {EVENT: {**sent, "endpoint": "http://127.0.0.1:9", "retries": 0}},
        {EVENT: {**sent, "access_key_id": "unknown"}},
        {DEPLOYMENT: {"phase": "start", "name": "d", **STS, "report_from": "target"}},
        {DEPLOYMENT: {"phase": "finish", "name": "d", "id": "1", "status": "failed", **STS}},
        {DEPLOYMENT: {"phase": "finish", "name": "d", **STS}},
    ]


@pytest.mark.every_core
def test_no_secret_shows_at_the_highest_verbosity_on_a_command_line_or_in_a_file(
    tasks: Callable[..., Run], receiver: Receiver, tmp_path: Path
) -> None:
    """The secret and the token are vaulted. All processes and files are looked through."""
    vault = VaultSecret(b"vault-password")
    secrets = json.dumps({"the_secret": SECRET, "the_token": TOKEN})
    vaulted = VaultLib([("default", vault)]).encrypt(secrets, vault)
    (tmp_path / "vaulted.yml").write_bytes(vaulted)
    password = tmp_path / "password"
    password.write_text("vault-password")
    listed = everything()
    seen: list[str] = []
    over = threading.Event()
    watching = threading.Thread(target=_watch_processes, args=(over, seen))
    watching.start()
    try:
        run = tasks(
            listed,
            "-vvvv", "--diff", "--vault-password-file", str(password),
            play={"vars_files": [str(tmp_path / "vaulted.yml")]},
            env={"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""},
        )  # fmt: skip
    finally:
        over.set()
        watching.join()
    assert len(run.warnings) == 1, run.output
    assert [run.results[number].get("delivered") for number in (0, 1)] == [1, 1], run.output
    assert sum(item["failed"] for item in run.results) >= 10
    processes = "".join(seen)
    assert "ansible-playbook" in processes
    assert "AnsiballZ" in processes
    for canary in CANARIES:
        assert canary not in run.output
        assert canary not in json.dumps(run.results)
        assert canary not in json.dumps(receiver.events)
        assert canary not in processes
        for file in tmp_path.rglob("*"):
            assert not file.is_file() or canary.encode() not in file.read_bytes(), file


def _watch_processes(over: threading.Event, seen: list[str]) -> None:
    """Collect the command lines of all processes that are started until it is over."""
    before = set(os.listdir("/proc"))
    while not over.wait(0.05):
        for name in set(os.listdir("/proc")) - before:
            try:
                seen.append(Path("/proc", name, "cmdline").read_text(errors="replace"))
            except OSError:
                continue  # it has ended
