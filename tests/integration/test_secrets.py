# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: secrets are looked for wherever a run could have left them."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    DEPLOYMENT,
    EVENT,
    KEY_ID,
    SECRET,
    TOKEN,
    Run,
    ansible_playbook,
    credentials_in_environment,
    environment,
)

CANARIES = (SECRET, TOKEN)

STS = {
    "access_key_id": "STS." + KEY_ID,
    "access_key_secret": "{{ the_secret }}",
    "security_token": "{{ the_token }}",
}


def everything(**options: Any) -> list[dict[str, Any]]:
    """Tasks that succeed, fail, warn and are refused, with secrets in their options."""
    sent = {"name": "n", "content": "c", **STS, **options}
    return [
        {EVENT: sent},
        {EVENT: {**sent, "content": ""}},
        {EVENT: {**sent, "nmae": "typo"}},
        {EVENT: {**sent, "timeout": "soon"}},
        {EVENT: {**sent, "report_errors": "warn", "endpoint": "http://user:{{ the_secret }}@host"}},
        {EVENT: {**sent, "access_key_id": "{{ omit }}"}},
        {EVENT: {**sent, "access_key_secret": "{{ the_secret }} with a space"}},
        {EVENT: {**sent, "security_token": "{{ the_token }}\n"}},
        {EVENT: {**sent, "endpoint": "http://127.0.0.1:9", "retries": 0}},
        {EVENT: {**sent, "access_key_id": "unknown"}},
        {DEPLOYMENT: {"phase": "start", "name": "d", **STS, **options}},
        {DEPLOYMENT: {"phase": "finish", "name": "d", "id": "1", "status": "failed", **STS}},
        {DEPLOYMENT: {"phase": "finish", "name": "d", **STS}},
    ]


@pytest.mark.every_core
@pytest.mark.parametrize("where", ["controller", "target"])
def test_no_secret_shows_at_the_highest_verbosity(
    tasks: Callable[..., Run], receiver: Receiver, tmp_path: Path, where: str
) -> None:
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps({"the_secret": SECRET, "the_token": TOKEN}))
    listed = everything(report_from=where)
    run = tasks(listed, "-vvvv", "--diff", "-e", f"@{secrets}")
    assert len(run.warnings) == 1, run.output
    assert run.results[0]["delivered"] == 1
    assert sum(item["failed"] for item in run.results) >= 8
    for canary in CANARIES:
        assert canary not in run.output
        assert canary not in json.dumps(run.results)
        assert canary not in json.dumps(receiver.events)


def test_a_vaulted_secret_signs_and_stays_hidden(
    tasks: Callable[..., Run], receiver: Receiver, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("vault-password")
    vault = Path(ansible_playbook()).with_name("ansible-vault")
    done = subprocess.run(
        [vault, "encrypt_string", "--vault-password-file", password, "--stdin-name", "the_secret"],
        input=SECRET,
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    (tmp_path / "vaulted.yml").write_text(done.stdout)
    key = {"access_key_id": KEY_ID, "access_key_secret": "{{ the_secret }}"}
    run = tasks(
        [{EVENT: {"name": "n", "content": "c", "report_from": place, **key}}
         for place in ("controller", "target")],
        "-vvvv",
        "--vault-password-file", str(password),
        play={"vars_files": [str(tmp_path / "vaulted.yml")]},
    )  # fmt: skip
    assert [item.get("delivered") for item in run.results] == [1, 1], run.output
    assert SECRET not in run.output


@pytest.mark.parametrize("where", ["controller", "target"])
def test_no_secret_is_on_a_command_line_or_left_in_a_file(
    receiver: Receiver, tmp_path: Path, where: str
) -> None:
    (tmp_path / "ansible.cfg").touch()
    receiver.set_faults(["hang"])
    task = {EVENT: {"name": "n", "content": "c", "report_from": where, "timeout": 3, "retries": 0}}
    path = tmp_path / "site.json"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    with subprocess.Popen(
        [ansible_playbook(), "-i", "localhost,", "-c", "local", str(path), "-vvvv"],
        env=environment(tmp_path, **credentials_in_environment(receiver)),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        seen: list[str] = []
        watching = threading.Thread(target=_watch_processes, args=(run, seen))
        watching.start()
        output, _none = run.communicate(timeout=60)
        watching.join()
    assert "ansible-playbook" in "".join(seen)
    assert "timeout" in output
    for place in (quiet.hear(output), "".join(seen)):
        assert SECRET not in place
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def _watch_processes(run: subprocess.Popen[str], seen: list[str]) -> None:
    """Collect the command lines of all processes for as long as ``run`` lives."""
    while run.poll() is None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(place.read_text(errors="replace"))
            except OSError:
                continue  # it has ended
        time.sleep(0.05)
