# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulation of many couriers of one account: simulated time, no network, the real pace.

Each host reports a run of 30 s that begins at a random time of the same minute. It has two
requests, for the start and for the finish, and sends the second once the first was accepted. The
account takes 20 requests in any second; whether refused requests count against this limit is not
documented, so both are simulated. All couriers linger until everything is delivered.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.client import (
    MIN_INTERVAL,
    backoff,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import Outcome
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.pace import Pace

RATE = 20
RUN_SECONDS = 30.0
FLUSH_TIMEOUT = 5.0
# Nothing has been accepted for so long that nothing will be: the longest waits are 8 s and 300 s.
OLD_STALLED_SECONDS, STALLED_SECONDS = 120.0, 330.0


class OldPace:
    """The rule before: back after 8 s at the latest, as if nothing had been after an acceptance."""

    __slots__ = ("_failures", "next_at")

    def __init__(self, next_at: float = float("-inf"), failures: int = 0) -> None:
        self.next_at = next_at
        self._failures = failures

    def expect_finish(self, now: float, seconds: float) -> OldPace:
        return self

    def after_acceptance(self) -> OldPace:
        return OldPace()

    def after_failure(self, outcome: Outcome, now: float, chance: float) -> OldPace:
        return OldPace(now + backoff(self._failures, chance), self._failures + 1)


class Account:
    """Accepts 20 requests in any second."""

    def __init__(self, refused_count: bool) -> None:
        self._refused_count = refused_count
        self._counted: deque[float] = deque()

    def accepts(self, now: float) -> bool:
        counted = self._counted
        while counted and counted[0] <= now - 1.0:
            counted.popleft()
        accepted = len(counted) < RATE
        if accepted or self._refused_count:
            counted.append(now)
        return accepted


@dataclass
class Host:
    """One host: how many requests wait, the pace of its courier, and its current appointment."""

    pace: Pace | OldPace
    waiting: int = 0
    appointment: int = 0


@dataclass(frozen=True)
class Simulated:
    """``delivered`` of ``requests``, the last of them after ``seconds``."""

    requests: int
    delivered: int
    seconds: float


def simulate(hosts: int, refused_count: bool, first: Pace | OldPace, seed: int = 7) -> Simulated:
    """Return what becomes of a fleet; ``first``: the pace that every courier starts with."""
    chance = random.Random(seed)
    account = Account(refused_count)
    fleet = [Host(first) for _number in range(hosts)]
    # (time, host, appointment); -1 stands for the start of a run, -2 for its finish.
    queue = [(chance.uniform(0, 60), number, -1) for number in range(hosts)]
    queue += [(start + RUN_SECONDS, number, -2) for start, number, _kind in queue]
    heapq.heapify(queue)
    delivered, last = 0, 0.0
    stalled = OLD_STALLED_SECONDS if isinstance(first, OldPace) else STALLED_SECONDS
    while queue and delivered < 2 * hosts:
        now, number, appointment = heapq.heappop(queue)
        if now - last > stalled:
            break
        host = fleet[number]
        if appointment < 0:
            host.waiting += 1
            if appointment == -2:
                host.pace = host.pace.expect_finish(now, FLUSH_TIMEOUT)
        elif appointment != host.appointment or not host.waiting:
            continue
        elif account.accepts(now):
            delivered, last = delivered + 1, now
            host.waiting -= 1
            host.pace = host.pace.after_acceptance()
        else:
            host.pace = host.pace.after_failure(Outcome.THROTTLED, now, chance.random())
        if host.waiting:
            host.appointment += 1
            # The client itself limits the rate.
            next_at = max(now + MIN_INTERVAL, host.pace.next_at)
            heapq.heappush(queue, (next_at, number, host.appointment))
    return Simulated(2 * hosts, delivered, last)


def table() -> str:
    """Return the table of the operations guide, in Markdown."""
    rows = [("Hosts", "Refused requests", "Waits of at most 8 s", "The rules above"), ("---",) * 4]
    for hosts in (200, 1000, 5000):
        for refused_count in (True, False):
            old = simulate(hosts, refused_count, OldPace())
            new = simulate(hosts, refused_count, Pace())
            counted = "count" if refused_count else "do not count"
            rows.append((f"{hosts:,}", counted, _cell(old), _cell(new)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(result: Simulated) -> str:
    if result.delivered < result.requests:
        return f"{result.delivered:,} of {result.requests:,}, then no more"
    return f"all {result.requests:,} within {result.seconds:.0f} s"
