# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From Ansible's statistics to the outcome of one playbook. Pure.

Ansible's statistics add up over all playbooks of a command line, so the work of one playbook is
the difference between two readings. Rescued and ignored failures do not count as failures there.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...module_utils._api.frozen import frozen
from .._deployment.content import Failure, HostCounts

MOST_FAILURES = 10

# The counters of ansible.executor.stats.AggregateStats (ansible-core 2.16 to 2.21).
COUNTERS = ("ok", "failures", "dark", "changed", "skipped", "rescued", "ignored")

# Host name -> counter -> number of tasks.
TaskCounts = Mapping[str, Mapping[str, int]]


@frozen
class PlaybookEnd:
    """How Ansible ends a playbook.

    ``exit_status``: the exit status of Ansible if it ended now. ``failed_hosts``: the hosts that
    are failed or unreachable now, also because of an earlier playbook.
    """

    exit_status: int
    failed_hosts: frozenset[str]


@frozen
class PlaybookOutcome:
    """How a playbook ended: ``succeeded``, ``failed`` or ``empty``, and its numbers of hosts.

    ``failed_hosts``: the hosts because of which it failed; empty unless it failed.
    """

    status: str
    hosts: HostCounts
    failed_hosts: tuple[str, ...]


def playbook_outcome(
    before: TaskCounts, after: TaskCounts, end: PlaybookEnd | None
) -> PlaybookOutcome:
    """Return what happened between two readings of the statistics.

    ``end`` decides whether the playbook failed. Without it, the statistics do. The numbers of
    hosts are those of Ansible's recap in any case, so a host that recovered with
    ``meta: clear_host_errors`` is counted as failed or unreachable in a playbook that succeeded.
    """
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
    failed = bool(broken) if end is None else end.exit_status != 0
    if not failed:
        return PlaybookOutcome("succeeded" if took_part else "empty", hosts, ())
    return PlaybookOutcome("failed", hosts, _responsible(broken, end))


def _responsible(broken: tuple[str, ...], end: PlaybookEnd | None) -> tuple[str, ...]:
    """Return the hosts because of which a playbook failed.

    ``broken``: the hosts that failed or were unreachable in it, some of which may have recovered.
    Hosts that only an earlier playbook left failed are the last resort.
    """
    if end is None:
        return broken
    still = tuple(host for host in broken if host in end.failed_hosts)
    return still or broken or tuple(sorted(end.failed_hosts))


def reported_failures(
    failed_hosts: tuple[str, ...], last: Mapping[str, Failure], detail: str
) -> tuple[Failure, ...]:
    """Return the failures to report: the last one of each host that failed, at most ten.

    ``detail``: ``none``, ``task`` (host and task) or ``message`` (also the message).
    """
    if detail == "none":
        return ()
    found = [last.get(host, Failure(host)) for host in failed_hosts[:MOST_FAILURES]]
    if detail == "task":
        found = [Failure(failure.host, failure.task) for failure in found]
    return tuple(found)


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: max(0, after.get(name, 0) - before.get(name, 0)) for name in COUNTERS}
