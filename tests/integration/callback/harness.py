# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A project with the callback enabled, and real runs of its playbooks."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.tests.integration import quiet
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    ansible_playbook,
    credentials_in_environment,
    environment,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    finish_record,
    left_behind,
)

CALLBACK = "aliops.cloudmonitor.deployment_events"
START, FINISH, FAILURE = "deployment-start", "deployment-finish", "deployment-failure"
DEADLINE = 90.0
PRODUCT = "aliops.cloudmonitor: "
WAITING = "Events wait in"

INVENTORY = """\
[deployed]
h1
h2
[nobody]
[all:vars]
ansible_connection=local
"""
_CONNECTIONS = Path(__file__).resolve().parents[1] / "role" / "connection"
_SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "deployment-event.schema.json"

Plays = list[dict[str, Any]]
Content = dict[str, Any]


def until(holds: Callable[[], Any], what: str, seconds: float = DEADLINE) -> None:
    """Wait for a condition; raises AssertionError with ``what`` when it does not come true."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"{what}: not so after {seconds:g} s"
        time.sleep(0.02)


def play(*tasks: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    """Return a play on the hosts h1 and h2."""
    return {"name": "P", "hosts": "deployed", "gather_facts": False, **keywords, "tasks": [*tasks]}


def say(text: str = "deployed", **keywords: Any) -> dict[str, Any]:
    """Return a task that changes something and needs no Python on the host."""
    return {
        "name": "Install",
        "ansible.builtin.debug": {"msg": text},
        "changed_when": True,
        **keywords,
    }


def fail(text: str = "migration failed", **keywords: Any) -> dict[str, Any]:
    """Return a task that fails."""
    return {"name": "Migrate", "ansible.builtin.fail": {"msg": text}, **keywords}


@dataclass(frozen=True)
class Ended:
    """The result of a run."""

    rc: int
    output: quiet.Said
    seconds: float

    @property
    def warnings(self) -> list[str]:
        """The warnings, each on one line, which the test that asks for them judges."""
        return quiet.judge(self.output)

    def may_warn(self, text: str = WAITING) -> Ended:
        """Return itself. It may have warned or not, but of nothing else."""
        assert [warning for warning in self.warnings if text not in warning] == [], self.output
        return self


class Running:
    """A running command. Its output goes to a file, so that it never waits for a reader."""

    def __init__(self, command: Sequence[str | Path], folder: Path, env: dict[str, str]) -> None:
        self._output = folder / (f"output-{time.monotonic_ns()}")
        self._since = time.monotonic()
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """The output up to now."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, if it is still there."""
        if self.process.poll() is None:
            self.process.send_signal(number)

    def press_ctrl_c(self) -> None:
        """Interrupt the whole group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, seconds: float = DEADLINE) -> Ended:
        """Wait for its end."""
        try:
            rc = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self.process.wait()
            raise AssertionError(f"it hangs: {self.output}") from None
        return Ended(rc, quiet.hear(self.output), time.monotonic() - self._since)


class Project:
    """A folder with ansible.cfg, an inventory, playbooks and an outbox."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        folder.mkdir()
        self.folder = folder
        self.receiver = receiver
        self.outbox = folder / "outbox"
        self.config("")
        self.write("without.cfg", "[defaults]\ninventory = hosts\n")
        self.write("hosts", INVENTORY)

    def config(self, section: str) -> None:
        """Write ansible.cfg with the callback enabled and these lines in its section."""
        self.write(
            "ansible.cfg",
            f"[defaults]\ncallbacks_enabled = {CALLBACK}\ninventory = hosts\n"
            f"[callback_deployment_events]\n{section}\n",
        )

    def write(self, name: str, content: str | Plays) -> Path:
        """Write a file of the project; plays become a playbook."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    def environment(self, **variables: str | None) -> dict[str, str]:
        """Return the environment of a run; None takes a variable out."""
        env: dict[str, str | None] = {
            **environment(self.folder),
            **credentials_in_environment(self.receiver),
            "ANSIBLE_CONNECTION_PLUGINS": str(_CONNECTIONS),
            "CLOUDMONITOR_OUTBOX": str(self.outbox),
            "CLOUDMONITOR_LINGER": "2",
            "CLOUDMONITOR_TIMEOUT": "2",
            **variables,
        }
        return {name: value for name, value in env.items() if value is not None}

    def start(self, content: Plays | str, *arguments: str, **variables: str | None) -> Running:
        """Start a run of plays, or of the playbook of that name."""
        name = content if isinstance(content, str) else "site.yml"
        if not isinstance(content, str):
            self.write(name, content)
        return self.command(ansible_playbook(), name, *arguments, **variables)

    def command(self, *command: str | Path, **variables: str | None) -> Running:
        """Start any command in the project's environment."""
        return Running(command, self.folder, self.environment(**variables))

    def run(self, content: Plays | str, *arguments: str, **variables: str | None) -> Ended:
        """Run plays, or the playbook of that name, to the end."""
        return self.start(content, *arguments, **variables).ended()

    def without(self) -> dict[str, str]:
        """Return the variables of a run without the callback."""
        return {"ANSIBLE_CONFIG": str(self.folder / "without.cfg")}

    def store(self, name: str, status: str | None = "failed", **run: Any) -> Folder:
        """Write a deployment into the outbox that an earlier run could not report.

        Without a status it has no finish. ``run``: what differs in the record of its run.
        """
        outbox = Outbox(self.outbox)
        outbox.prepare()
        folder = left_behind(outbox, name, **{"destination": f"key:{KEY_ID}", **run})
        if status is not None:
            folder.append(finish_record(name, status))
        return folder

    def leave(self, name: str, fault: str = "status=500", **variables: str | None) -> None:
        """Let a run fail that cannot deliver its three events, with no courier left."""
        self.receiver.set_faults([fault + "*inf"])
        ended = self.run(
            [play(fail())],
            CLOUDMONITOR_DEPLOYMENT_ID=name,
            **{"CLOUDMONITOR_LINGER": "0", **variables},
        )
        assert (ended.rc, len(ended.warnings)) == (2, 1), ended.output
        self.settled()
        self.receiver.set_faults([])

    # A task that is at work until the test says so

    def wait_task(self, name: str = "under-way", go_on: str = "go-on") -> dict[str, Any]:
        """Return a task that makes a file of that name and goes on once ``release()`` is called."""
        mark, go = (shlex.quote(str(self.folder / file)) for file in (name, go_on))
        script = "touch %s; for i in $(seq 600); do [ -e %s ] && break; sleep 0.05; done"
        return {"name": "Wait", "ansible.builtin.raw": script % (mark, go)}

    def under_way(self, name: str = "under-way") -> None:
        """Wait until the task of that name is at work."""
        until((self.folder / name).exists, "a task at work")

    def release(self, go_on: str = "go-on") -> None:
        """Let the tasks go on that wait for this file."""
        (self.folder / go_on).touch()

    # What is there

    def events(self, receiver: Receiver | None = None, **wanted: Any) -> list[Content]:
        """Return what was accepted: the content with ``event``, ``group`` and ``time`` beside it.

        ``wanted`` members have to be equal.
        """
        found = [
            {
                **json.loads(event["content"]),
                "event": event["name"],
                "group": event["groupId"],
                "time": event["time"],
            }
            for event in (receiver or self.receiver).events
        ]
        return [one for one in found if all(one.get(key) == wanted[key] for key in wanted)]

    def processes(self) -> dict[int, str]:
        """Return pid and command line of everything that was started in this project."""
        found = {}
        mine = b"HOME=%s" % os.fsencode(self.folder)
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mine in (place / "environ").read_bytes().split(b"\0"):
                    command = (place / "cmdline").read_text(errors="replace")
                    found[int(place.name)] = command.replace("\0", " ").strip()
        return found

    def couriers(self) -> list[int]:
        """Return the pids of the couriers of this project's runs."""
        return [pid for pid, command in self.processes().items() if "courier_process" in command]

    def noted(self, name: str) -> None:
        """Wait until the courier of a deployment has noted that its start is delivered."""
        until((self.outbox / "runs" / name / "delivered").exists, "a start delivered")

    def waiting(self) -> list[str]:
        """Return the folders of deployments that are in the outbox."""
        return sorted(path.name for path in (self.outbox / "runs").glob("*"))

    def dead(self) -> list[str]:
        """Return the names of the files of dead letters."""
        return sorted(path.name for path in (self.outbox / "dead").glob("*.jsonl"))

    def settled(self, seconds: float = DEADLINE) -> None:
        """Wait until nothing of this project runs any more."""
        self.release()
        end = time.monotonic() + seconds
        while left := self.processes():
            if time.monotonic() >= end:
                for pid in left:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"left behind: {left}")
            time.sleep(0.02)


@contextmanager
def using(folder: Path, receiver: Receiver) -> Iterator[Project]:
    """Give a project; at its end nothing may run any more, and all that arrived be valid."""
    project = Project(folder, receiver)
    try:
        yield project
    finally:
        project.settled(30)
    check_contents(receiver)


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[Project]:
    """A project that reports to the receiver. It fails when something of it is left running."""
    with using(tmp_path / "project", receiver) as made:
        yield made


def check_contents(receiver: Receiver) -> None:
    """Check every event against the published schema and the limits of a content."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    order = list(schema["properties"])
    for event in receiver.events:
        if '"schema"' not in event["content"]:
            continue  # not a deployment's
        content = json.loads(event["content"])
        assert list(content) == sorted(content, key=order.index)
        assert len(event["content"].encode()) <= 4000
        assert event["content"] == json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        with suppress(ModuleNotFoundError):
            validator = importlib.import_module("jsonschema").Draft202012Validator
            validator(schema).validate(content)
