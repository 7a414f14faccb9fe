# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who took part in a deployment, and how it ended: the pure part of the role.

Ansible's own lists (``ansible_play_batch`` and its like) lose failed and unreachable hosts, and
mean one batch only under ``serial``. So the role keeps a ledger: which hosts entered a deployment,
taken from a mark of each host, and whether its finish was reported. It lies in a variable of the
hosts of the batch; the newest one of the play counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

SUCCEEDED = "succeeded"
FAILED = "failed"
# These let each host run on by itself, so no task of theirs is "once, after all hosts".
LONE_STRATEGIES = ("free", "host_pinned")


@dataclass(frozen=True)
class Run:
    """One deployment of one play.

    ``key`` names it among the marks, ``id`` in its events; ``seen`` are the hosts of the batches
    that reached it, ``entered`` those of them that took part, ``done`` those that came to the end
    in batches that are over; ``record`` is the start's answer.
    """

    key: str
    play: str
    name: str
    id: str
    tasks_file: str = ""
    seen: tuple[str, ...] = ()
    entered: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    record: Mapping[str, Any] | None = None
    started: bool = False
    finished: bool = False

    @staticmethod
    def read(value: Mapping[str, Any]) -> Run:
        """Return the run that a variable holds. Raises KeyError or TypeError for another thing."""
        return Run(
            key=value["key"],
            play=value["play"],
            name=value["name"],
            id=value["id"],
            tasks_file=value["tasks_file"],
            seen=tuple(value["seen"]),
            entered=tuple(value["entered"]),
            done=tuple(value["done"]),
            record=value["record"],
            started=value["started"],
            finished=value["finished"],
        )


@dataclass(frozen=True)
class Ledger:
    """All deployments so far; ``opened`` are the keys this batch is in, the innermost last."""

    step: int = 0
    runs: tuple[Run, ...] = ()
    opened: tuple[str, ...] = ()

    @staticmethod
    def read(value: object) -> Ledger:
        """Return the ledger that a variable holds, an empty one when it holds none."""
        if not isinstance(value, Mapping) or "runs" not in value:
            return Ledger()
        return Ledger(
            step=value["step"],
            runs=tuple(Run.read(run) for run in value["runs"]),
            opened=tuple(value["opened"]),
        )

    @staticmethod
    def newest(values: Iterable[object]) -> Ledger:
        """Return the newest of the ledgers that the hosts of a play hold."""
        return max(map(Ledger.read, values), key=lambda ledger: ledger.step, default=Ledger())

    def dump(self) -> dict[str, Any]:
        """Return the ledger as plain data for a variable."""
        return {
            "step": self.step,
            "runs": [asdict(run) for run in self.runs],
            "opened": list(self.opened),
        }

    def run(self, key: str) -> Run:
        """Return the run named ``key``. Raises KeyError when there is none."""
        for run in self.runs:
            if run.key == key:
                return run
        raise KeyError(key)

    def joinable(self, play: str, name: str, host: str) -> Run | None:
        """Return the deployment that an earlier batch began and ``host``'s batch goes on with.

        A run that already saw the host is over for its batch: the role is used twice, and the
        second use begins a deployment of its own.
        """
        for run in self.runs:
            if (run.play, run.name) == (play, name) and host not in run.seen:
                return run
        return None

    def current(self, play: str, name: str) -> Run | None:
        """Return the open deployment ``name`` of the play, else the innermost open one.

        The second is for a name that is computed anew each time it is read.
        """
        mine = [run for run in map(self.run, self.opened) if run.play == play]
        named = [run for run in mine if run.name == name]
        candidates = named or mine
        return candidates[-1] if candidates else None

    def runs_file(self, play: str, host: str, tasks_file: str) -> bool:
        """Return whether ``host`` is inside a deployment of the play that runs ``tasks_file``."""
        return any(
            run.tasks_file == tasks_file and run.play == play and host in run.entered
            for run in map(self.run, self.opened)
        )

    def open(self, run: Run, batch: Sequence[str]) -> Ledger:
        """Return the ledger with ``run`` as the innermost of this batch."""
        seen = run.seen + tuple(host for host in batch if host not in run.seen)
        # What another batch left open is none of this batch's business.
        opened = [key for key in self.opened if set(self.run(key).seen) & set(batch)]
        return replace(self.put(replace(run, seen=seen)), opened=(*opened, run.key))

    def put(self, run: Run) -> Ledger:
        """Return the ledger with ``run`` added, or in the place of the one of its key."""
        if any(other.key == run.key for other in self.runs):
            runs = tuple(run if other.key == run.key else other for other in self.runs)
        else:
            runs = (*self.runs, run)
        return replace(self, step=self.step + 1, runs=runs)

    def close(self, run: Run) -> Ledger:
        """Return the ledger with ``run`` put and closed for this batch."""
        opened = tuple(key for key in self.opened if key != run.key)
        return replace(self.put(run), opened=opened)


@dataclass(frozen=True)
class Verdict:
    """How a deployment stands: its hosts, those that failed, and what follows from it.

    ``due`` says that the finish is to be reported now: something failed, or no batch is to come.
    """

    status: str
    hosts: tuple[str, ...]
    failed_hosts: tuple[str, ...]
    due: bool


def judge(run: Run, to_come: Sequence[str], status: str = "") -> Verdict:
    """Return the verdict on ``run``: failed are the hosts that entered it and are not done.

    ``to_come`` are the hosts of later batches. A ``status`` that the user gave stands above the
    marks.
    """
    failed = tuple(host for host in run.entered if host not in run.done)
    verdict = status or (FAILED if failed else SUCCEEDED)
    due = not run.finished and (verdict != SUCCEEDED or not to_come)
    return Verdict(verdict, run.entered, failed, due)


def hosts_to_come(
    play_hosts: Sequence[str], alive: Iterable[str], reached: Iterable[str], order: str | None
) -> tuple[str, ...]:
    """Return the hosts of batches after this one that can still take part.

    ``play_hosts`` are all of the play in the inventory's order, ``alive`` those that Ansible has
    not given up, ``reached`` those of this batch and of the earlier ones that are known. ``order``
    is the play's. A batch before this one may have left the role out, so the place in the
    order counts, not who was seen; only a shuffled order cannot be known.
    """
    living, known = set(alive), set(reached)
    if order == "shuffle":
        return tuple(host for host in play_hosts if host in living - known)
    ordered = list(play_hosts)
    if order in ("sorted", "reverse_sorted"):
        ordered.sort()
    if order in ("reverse_inventory", "reverse_sorted"):
        ordered.reverse()
    last = max((place for place, host in enumerate(ordered) if host in known), default=-1)
    return tuple(host for host in ordered[last + 1 :] if host in living)


def is_lone_strategy(strategy: str) -> bool:
    """Return whether hosts run on by themselves under ``strategy`` (a collection's, too)."""
    return strategy.rpartition(".")[2].endswith(LONE_STRATEGIES)


def must_fail_again(core: tuple[int, ...], any_errors_fatal: bool, max_fail: object) -> bool:
    """Return whether the failed hosts have to fail once more, after the finish.

    A block with ``always`` hides a failure from ``max_fail_percentage`` (all versions of
    ansible-core) and from ``any_errors_fatal`` (2.16): the play would go on.
    """
    return max_fail is not None or (any_errors_fatal and core < (2, 17))
