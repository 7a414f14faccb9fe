# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs real playbooks against the local receiver, and brings their results back."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "playbooks" / "files"))
from cloudmonitor_receiver import Credential, Objects, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet

KEY_ID = "LTAI5tIntegration"
SECRET = "canary-secret-Zx81mQ"
TOKEN = "canary-token-CAIS/Qw9+=="

EVENT = "aliops.cloudmonitor.custom_event"
DEPLOYMENT = "aliops.cloudmonitor.deployment_event"

_MARK = "RESULTS-IN-BASE64:"
_SECONDS = 180


@dataclass(frozen=True)
class Run:
    """What a run of ansible-playbook did and said; ``results`` are the tasks', in order."""

    rc: int
    stdout: str
    stderr: str
    output: quiet.Said
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """The warnings, which the test that asks for them judges."""
        return quiet.judge(self.output)

    @property
    def result(self) -> dict[str, Any]:
        """The result of the only task."""
        assert len(self.results) == 1, self.output
        return self.results[0]


def ansible_playbook() -> str:
    """The executable of the environment under test."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = os.environ.get("ANSIBLE_PLAYBOOK") or (str(beside) if beside.exists() else None)
    return found or shutil.which("ansible-playbook") or "ansible-playbook"


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a run: nothing of ours but the way to the collections."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        # What is killed leaves its temporary folders behind; pytest removes these.
        "TMPDIR": str(home.parent),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        **quiet.strict(),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "COLUMNS": "4000",
        **variables,
    }


def credentials_in_environment(receiver: Receiver) -> dict[str, str]:
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "CLOUDMONITOR_ENDPOINT": receiver.url,
        "CLOUDMONITOR_API_ENDPOINT": receiver.url,
    }


@pytest.fixture(autouse=True)
def _no_unread_warning() -> Iterator[None]:
    """Fail a test whose runs warned without its asking."""
    quiet.unread()
    yield
    assert quiet.unread() == []


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that knows a lasting and a temporary AccessKey."""
    keys = [Credential(KEY_ID, SECRET), Credential("STS." + KEY_ID, SECRET, TOKEN)]
    with Receiver(keys, objects=Objects(("oncall", "platform"), {4711: "shop"})) as running:
        yield running


@pytest.fixture
def playbook(tmp_path: Path) -> Callable[..., Run]:
    """Run a playbook (a list of plays) and return what came out."""

    def run(
        plays: list[dict[str, Any]],
        *args: str,
        env: dict[str, str] | None = None,
        inventory: str = "localhost,",
    ) -> Run:
        (tmp_path / "ansible.cfg").touch()
        path = tmp_path / "site.yml"
        path.write_text(json.dumps(plays, ensure_ascii=False), encoding="utf-8")
        done = subprocess.run(
            [ansible_playbook(), "-i", inventory, str(path), *args],
            env=environment(tmp_path, **(env or {})),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        output = quiet.hear(done.stdout + done.stderr)
        return Run(done.returncode, done.stdout, done.stderr, output, _results(done.stdout))

    return run


@pytest.fixture
def tasks(
    playbook: Callable[..., Run], receiver: Receiver, request: pytest.FixtureRequest
) -> Callable[..., Run]:
    """Run tasks on localhost, each whether or not the others fail, and return their results.

    The AccessKey and the receiver's URL are in the environment; ``env`` overrides them.
    """

    def run(
        listed: list[dict[str, Any]],
        *args: str,
        env: dict[str, str] | None = None,
        play: dict[str, Any] | None = None,
        inventory: str = "localhost ansible_connection=local",
    ) -> Run:
        home: Path = request.getfixturevalue("tmp_path")
        (home / "hosts").write_text(inventory + "\n", encoding="utf-8")
        numbered = [
            {"ignore_errors": True, **task, "register": f"result_{number}"}
            for number, task in enumerate(listed)
        ]
        done = playbook(
            [{**_PLAY, **(play or {}), "tasks": [*numbered, _report(len(listed))]}],
            *args,
            env={**credentials_in_environment(receiver), **(env or {})},
            inventory=str(home / "hosts"),
        )
        assert len(done.results) == len(listed), done.output
        return done

    return run


_PLAY = {"hosts": "all", "gather_facts": False}


def _report(count: int) -> dict[str, Any]:
    names = ", ".join(f"result_{number}" for number in range(count))
    return {"ansible.builtin.debug": {"msg": f"{_MARK}{{{{ [{names}] | to_json | b64encode }}}}"}}


def _results(stdout: str) -> list[dict[str, Any]]:
    _before, mark, after = stdout.partition(_MARK)
    if not mark:
        return []
    found: list[dict[str, Any]] = json.loads(base64.b64decode(after.partition('"')[0]))
    return found
