# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Ansible's statistics to the verdict on one playbook. Pure.

Ansible's statistics count on over all playbooks of a command line, so what one playbook did is
the difference between two readings. A rescued or ignored failure is none there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .._deployment.content import Failure, HostCounts

MOST_FAILURES = 10

# The counters of ansible.executor.stats.AggregateStats (ansible-core 2.16 to 2.21).
COUNTERS = ("ok", "failures", "dark", "changed", "skipped", "rescued", "ignored")

# Host name -> counter -> number of tasks.
Reading = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Outcome:
    """How a playbook ended: ``succeeded``, ``failed`` or ``empty``, and its numbers of hosts."""

    status: str
    hosts: HostCounts
    failed_hosts: tuple[str, ...]


def outcome(before: Reading, after: Reading) -> Outcome:
    """Return what happened between two readings of the statistics."""
    grown = {host: _grown(before.get(host, {}), counts) for host, counts in after.items()}
    took_part = {host: counts for host, counts in grown.items() if any(counts.values())}

    def number(*names: str) -> int:
        return sum(1 for counts in took_part.values() if any(counts[name] for name in names))

    broken = tuple(
        host for host, counts in took_part.items() if counts["failures"] or counts["dark"]
    )
    hosts = HostCounts(
        total=len(took_part),
        ok=len(took_part) - len(broken),
        changed=number("changed"),
        failed=number("failures"),
        unreachable=number("dark"),
        rescued=number("rescued"),
    )
    status = "failed" if broken else "succeeded" if took_part else "empty"
    return Outcome(status, hosts, broken)


def failures_of(
    failed_hosts: tuple[str, ...], last: Mapping[str, Failure], detail: str
) -> tuple[Failure, ...]:
    """Return the failures to tell: the last one of each host that failed, at most ten.

    ``detail``: ``none``, ``task`` (host and task) or ``message`` (also the message).
    """
    if detail == "none":
        return ()
    told = [last.get(host, Failure(host)) for host in failed_hosts[:MOST_FAILURES]]
    if detail == "task":
        told = [Failure(failure.host, failure.task) for failure in told]
    return tuple(told)


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: max(0, after.get(name, 0) - before.get(name, 0)) for name in COUNTERS}
