# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An overview of the outbox: what runs, waits, was refused, is damaged, or was delivered. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from shlex import quote
from typing import Any

from ...module_utils._api.timestamp import iso_time

CHECK = "ansible-playbook -i localhost, aliops.cloudmonitor.check"
FLUSH = "ansible -i localhost, localhost -m aliops.cloudmonitor.flush_outbox"
RESEND = f"{FLUSH} -a dead=retry"
DROP = f"{FLUSH} -a dead=drop"
_SHOWN_PROCESSES = 3


class State(Enum):
    """The state of a deployment whose folder is in the outbox, the most important one first.

    ``RUNNING``: its process is alive. ``OVERDUE``: an event has also reported that it takes too
    long. ``WAITING``: it is over, and its events wait.
    """

    OVERDUE = "overdue"
    WAITING = "waiting"
    RUNNING = "running"


@dataclass(frozen=True)
class DeploymentEntry:
    """A deployment of the callback. ``age``: seconds since its start.

    ``events``: how many wait. ``problem``: why, None if nothing is wrong. ``next_attempt_in``:
    seconds, None if no process is going to make one. ``pid``: of a run on this host that is alive.
    """

    id: str
    name: str
    version: str | None
    environment: str | None
    state: State
    started_at: float | None
    age: float | None
    events: int
    problem: str | None
    next_attempt_in: float | None
    pid: int | None
    path: str


@dataclass(frozen=True)
class QueueEntry:
    """Queued events of a task. ``label``: what the task reported. ``age``: seconds."""

    label: str
    deployment: str | None
    queued_at: float | None
    age: float | None
    events: int
    problem: str | None
    path: str


@dataclass(frozen=True)
class DeadEntry:
    """The dead letters of one deployment or queue.

    ``kind`` and ``reason``: those of the last letter. ``age``: seconds since the first letter.
    """

    deployment: str
    name: str
    environment: str | None
    letters: int
    events: int
    kind: str
    reason: str
    added_at: float | None
    age: float | None
    path: str


@dataclass(frozen=True)
class DamagedEntry:
    """A folder or file that cannot be read. ``moved``: whether it is in ``damaged`` by now.

    ``problem``: None if only the process that moved it knew it.
    """

    path: str
    problem: str | None
    moved: bool
    age: float | None


@dataclass(frozen=True)
class DeliveryEntry:
    """An accepted request. ``age``: seconds."""

    at: float
    age: float
    deployment: str
    name: str
    environment: str | None
    events: int | None
    text: str


@dataclass(frozen=True)
class Step:
    """The next command for a problem. ``command``: for a shell."""

    problem: str
    command: str


@dataclass(frozen=True)
class Overview:
    """Everything about an outbox, unlimited. ``exists``: whether the directory is there.

    ``unread``: how many folders and files were left out, because there are too many.
    """

    outbox: str
    exists: bool
    deployments: list[DeploymentEntry] = field(default_factory=list)
    queued: list[QueueEntry] = field(default_factory=list)
    dead: list[DeadEntry] = field(default_factory=list)
    damaged: list[DamagedEntry] = field(default_factory=list)
    deliveries: list[DeliveryEntry] = field(default_factory=list)
    unread: int = 0

    def totals(self) -> dict[str, int]:
        """Return how many there are of everything."""
        states = [one.state for one in self.deployments]
        return {
            **{state.value: states.count(state) for state in State},
            "queued": len(self.queued),
            "events": sum(one.events for one in self.deployments)
            + sum(one.events for one in self.queued),
            "dead_letters": sum(one.letters for one in self.dead),
            "dead_events": sum(one.events for one in self.dead),
            "damaged": len(self.damaged),
            "unread": self.unread,
        }

    def next_steps(self) -> list[Step]:
        """Return what to do about each kind of problem, the most urgent one first."""
        if not self.exists:
            return [Step("Check whether this machine is set up", CHECK)]
        steps = [
            Step(f"Find out why {one.name} takes so long", f"ps -fp {one.pid}")
            for one in self.deployments
            if one.state is State.OVERDUE and one.pid is not None
        ][:_SHOWN_PROCESSES]
        totals, damaged = self.totals(), quote(f"{self.outbox}/damaged")
        if totals["waiting"] or self.queued:
            steps.append(Step("Deliver the waiting events", FLUSH))
        if self.dead:
            steps.append(Step("Send the dead letters again, after the cause is fixed", RESEND))
            steps.append(Step("Or delete all dead letters", DROP))
        if any(not one.moved for one in self.damaged):
            steps.append(Step("Move damaged folders out of the way", FLUSH))
        if any(one.moved for one in self.damaged):
            steps.append(Step("Look at the damaged folders", f"ls -lR {damaged}"))
            steps.append(Step("Delete them", f"rm -r {damaged}/*"))
        return steps

    def as_result(self, limit: int) -> dict[str, Any]:
        """Return it as plain data, with at most ``limit`` entries in each list."""
        lists: dict[str, list[Any]] = {
            "deployments": self.deployments,
            "queued": self.queued,
            "dead": self.dead,
            "damaged": self.damaged,
            "deliveries": self.deliveries,
        }
        return {
            "outbox": self.outbox,
            "exists": self.exists,
            **{name: [_plain(one) for one in found[:limit]] for name, found in lists.items()},
            "totals": self.totals(),
            "next_steps": [asdict(step) for step in self.next_steps()],
        }


def _plain(entry: Any) -> dict[str, Any]:
    found = {}
    for name, value in asdict(entry).items():
        if name in ("at", "started_at", "queued_at", "added_at"):
            found[name] = None if value is None else iso_time(value)
        elif name in ("age", "next_attempt_in"):
            found[f"{name}_s"] = None if value is None else round(value, 3)
        else:
            found[name] = value.value if isinstance(value, Enum) else value
    return found
