# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts took part in a deployment, and how it ended: the pure part of the role.

Ansible's own lists (``ansible_play_batch`` and similar ones) lose failed and unreachable hosts, and
under ``serial`` they describe one batch only. Therefore the role keeps a ledger: the hosts that
entered a deployment, taken from a mark of each host, and whether its finish was reported. The
ledger is a variable of the hosts of the batch. The newest one in the play is used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ...module_utils._api.frozen import frozen

SUCCEEDED = "succeeded"
FAILED = "failed"
# Hosts do not wait for each other under these, so no task runs once after all hosts.
UNSYNCHRONIZED_STRATEGIES = ("free", "host_pinned")


@frozen
class RoleDeployment:
    """One deployment of one play.

    ``key`` identifies it among the marks, ``id`` in its events. ``seen``: the hosts of the
    batches that reached it; ``entered``: those of them that took part; ``done``: those that
    completed it in batches that are over. ``record``: the ``deployment`` that the start returned.
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
    def read(value: Mapping[str, Any]) -> RoleDeployment:
        """Return the deployment in a variable. Raises KeyError or TypeError for anything else."""
        return RoleDeployment(
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


@frozen
class Ledger:
    """All deployments so far.

    ``step`` grows with every change. ``opened``: the keys of the deployments that this batch is
    in, the innermost last.
    """

    step: int = 0
    deployments: tuple[RoleDeployment, ...] = ()
    opened: tuple[str, ...] = ()

    @staticmethod
    def read(value: object) -> Ledger:
        """Return the ledger in a variable, an empty one if it contains anything else."""
        if not isinstance(value, Mapping) or "deployments" not in value:
            return Ledger()
        return Ledger(
            step=value["step"],
            deployments=tuple(map(RoleDeployment.read, value["deployments"])),
            opened=tuple(value["opened"]),
        )

    @staticmethod
    def newest(values: Iterable[object]) -> Ledger:
        """Return the newest of the ledgers in variables of the hosts of a play."""
        return max(map(Ledger.read, values), key=lambda ledger: ledger.step, default=Ledger())

    def dump(self) -> dict[str, Any]:
        """Return the ledger as plain data for a variable."""
        return {
            "step": self.step,
            "deployments": [asdict(one) for one in self.deployments],
            "opened": list(self.opened),
        }

    def find(self, key: str) -> RoleDeployment:
        """Return the deployment with that key. Raises KeyError if there is none."""
        for one in self.deployments:
            if one.key == key:
                return one
        raise KeyError(key)

    def joinable(self, play: str, name: str, host: str) -> RoleDeployment | None:
        """Return the deployment that an earlier batch began and that ``host``'s batch continues.

        If it already saw the host, it is over for that batch: the play uses the role twice, and
        the second use begins another deployment.
        """
        for one in self.deployments:
            if (one.play, one.name) == (play, name) and host not in one.seen:
                return one
        return None

    def current(self, play: str, name: str) -> RoleDeployment | None:
        """Return the open deployment ``name`` of the play, or the innermost open one.

        The second case is a name whose template has another value each time it is read.
        """
        in_play = [one for one in map(self.find, self.opened) if one.play == play]
        candidates = [one for one in in_play if one.name == name] or in_play
        return candidates[-1] if candidates else None

    def runs_file(self, play: str, entered_keys: Collection[str], tasks_file: str) -> bool:
        """Return whether an open deployment of the play runs ``tasks_file`` on a host.

        ``entered_keys``: the keys of the deployments that the host entered.
        """
        return any(
            one.tasks_file == tasks_file and one.play == play and one.key in entered_keys
            for one in map(self.find, self.opened)
        )

    def open(self, deployment: RoleDeployment, batch: Sequence[str]) -> Ledger:
        """Return the ledger with ``deployment`` as the innermost one of this batch."""
        seen = tuple(dict.fromkeys((*deployment.seen, *batch)))
        # Deployments that another batch left open do not concern this one.
        opened = [key for key in self.opened if set(self.find(key).seen) & set(batch)]
        ledger = self.put(replace(deployment, seen=seen))
        return replace(ledger, opened=(*opened, deployment.key))

    def put(self, deployment: RoleDeployment) -> Ledger:
        """Return the ledger with ``deployment`` added, or replaced if its key is known."""
        known = {one.key: one for one in self.deployments}
        known[deployment.key] = deployment
        return replace(self, step=self.step + 1, deployments=tuple(known.values()))

    def close(self, deployment: RoleDeployment) -> Ledger:
        """Return the ledger with ``deployment`` put and closed for this batch."""
        opened = tuple(key for key in self.opened if key != deployment.key)
        return replace(self.put(deployment), opened=opened)


@frozen
class RoleOutcome:
    """How a deployment stands: its status, its hosts, and those that failed.

    ``is_due``: whether the finish has to be reported now, because it failed or no batch follows.
    """

    status: str
    hosts: tuple[str, ...]
    failed_hosts: tuple[str, ...]
    is_due: bool


def role_outcome(
    deployment: RoleDeployment, later_hosts: Sequence[str], status: str | None = None
) -> RoleOutcome:
    """Return how ``deployment`` stands. Hosts that entered it and are not done have failed.

    ``later_hosts``: the hosts of later batches. ``status``: the one that the user gave, which
    takes precedence over the marks.
    """
    failed = tuple(host for host in deployment.entered if host not in deployment.done)
    found = status or (FAILED if failed else SUCCEEDED)
    is_due = not deployment.finished and (found != SUCCEEDED or not later_hosts)
    return RoleOutcome(found, deployment.entered, failed, is_due)


def find_later_hosts(
    play_hosts: Sequence[str], alive: Iterable[str], reached: Iterable[str], order: str | None
) -> tuple[str, ...]:
    """Return the hosts of batches after this one that can still take part.

    ``play_hosts``: all hosts of the play in the order of the inventory; ``alive``: those that
    Ansible has not given up; ``reached``: those of this batch and of the earlier ones that are
    known; ``order``: the play's. An earlier batch may have skipped the role, so the position in
    the order decides, not which hosts were seen. Only a shuffled order cannot be known.
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


def is_unsynchronized(strategy: str) -> bool:
    """Return whether hosts do not wait for each other under ``strategy``, also of a collection."""
    return strategy.rpartition(".")[2].endswith(UNSYNCHRONIZED_STRATEGIES)


def must_fail_again(core: tuple[int, ...], any_errors_fatal: bool, max_fail: object) -> bool:
    """Return whether the failed hosts have to fail once more, after the finish.

    A block with ``always`` hides a failure from ``max_fail_percentage`` (all versions of
    ansible-core) and from ``any_errors_fatal`` (2.16): the play would go on.
    """
    return max_fail is not None or (any_errors_fatal and core < (2, 17))
