# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a courier makes its next attempt. Pure: time and chance are arguments.

Times are in seconds of a monotonic clock. Three rules:

* While Ansible waits for the delivery of its finish, attempts follow each other quickly.
* After throttling, the backoff doubles up to 300 s with full jitter, and one acceptance halves it
  instead of resetting it. A fleet of hosts that report in the same minute would otherwise keep
  its account above the limit; the tests simulate that.
* Otherwise an outage is retried after 0.5 s to 8 s, and a refusal that can pass after 20 s to
  300 s.

Orphans have a separate pace, so that the events of the run are sent at once.
"""

from __future__ import annotations

from dataclasses import replace

from ...module_utils._api.client import backoff
from ...module_utils._api.errors import Outcome
from ...module_utils._api.frozen import frozen

URGENT_WAITS = (0.1, 0.25, 0.5, 1.0)
THROTTLED_FIRST = 1.0
REFUSED_FIRST = 20.0
BACKOFF_MAX = 300.0
# Between two requests for orphans while the run may still report something: the account takes 20
# requests a second, and the other half is for the events of runs.
ORPHAN_SECONDS = 0.1
# Between two parts of the search for orphans while the run may still report something.
SEARCH_SECONDS = 0.005
# A service that asks for more is asked again after this time.
RETRY_AFTER_MAX = 600.0


@frozen
class Pace:
    """The time of the next attempt, and what it depends on.

    ``next_at``: no attempt before. ``not_before``: the service forbade attempts before that
    (Retry-After). ``urgent_until``: Ansible waits for the delivery of its finish until then.
    ``throttled_max``: upper limit of the next wait after throttling. ``failures``: failed
    attempts in a row with the same outcome. ``urgent_failures``: failed attempts in a row while
    Ansible has been waiting.
    """

    next_at: float = float("-inf")
    not_before: float = float("-inf")
    urgent_until: float = float("-inf")
    throttled_max: float = 0.0
    outcome: Outcome | None = None
    failures: int = 0
    urgent_failures: int = 0

    def is_due(self, now: float) -> bool:
        """Return whether an attempt may be made."""
        return now >= self.next_at

    def expect_finish(self, now: float, seconds: float) -> Pace:
        """Return the pace from now on, because the finish waits for its delivery.

        ``seconds``: how long Ansible waits for it; 0 if Ansible has ended.
        """
        return replace(self, next_at=self.not_before, urgent_until=now + seconds, urgent_failures=0)

    def after_acceptance(self) -> Pace:
        """Return the pace after the service has accepted a request."""
        halved = self.throttled_max / 2
        kept = halved if halved >= THROTTLED_FIRST else 0.0
        return replace(self.after_refusal(), throttled_max=kept)

    def after_refusal(self) -> Pace:
        """Return the pace after the service has refused events for good: it is within reach."""
        return Pace(urgent_until=self.urgent_until, throttled_max=self.throttled_max)

    def after_failure(
        self, outcome: Outcome, now: float, chance: float, retry_after: float | None = None
    ) -> Pace:
        """Return the pace after an attempt without success, whose events are kept.

        ``chance``: a random number from 0 to 1. ``retry_after``: the seconds that the service
        asked to wait.
        """
        throttled_max = self.throttled_max
        if outcome is Outcome.THROTTLED:
            throttled_max = min(BACKOFF_MAX, 2 * throttled_max or THROTTLED_FIRST)
        failures = self.failures + 1 if outcome is self.outcome else 1
        urgent = _urgent_wait(self.urgent_failures, chance)
        if outcome is Outcome.REFUSED_FOR_NOW:
            wait = _refused_wait(failures, chance)
        elif now + urgent < self.urgent_until:
            wait = urgent
        elif outcome is Outcome.THROTTLED:
            wait = chance * throttled_max
        else:
            wait = backoff(failures - 1, chance)
        not_before = now + min(retry_after or 0.0, RETRY_AFTER_MAX)
        return Pace(
            next_at=max(now + wait, not_before),
            not_before=not_before,
            urgent_until=self.urgent_until,
            throttled_max=throttled_max,
            outcome=outcome,
            failures=failures,
            urgent_failures=self.urgent_failures + 1,
        )


@frozen
class OrphanPace:
    """When the courier may work on orphans again. The events of the run do not wait for this.

    ``next_at``: nothing is done for orphans before. When everything of the run is delivered,
    only the client limits the rate.
    """

    next_at: float = float("-inf")

    def is_due(self, now: float) -> bool:
        """Return whether something may be done for orphans."""
        return now >= self.next_at

    @staticmethod
    def after_request(now: float) -> OrphanPace:
        """Return the pace after a request, for the run or for an orphan."""
        return OrphanPace(now + ORPHAN_SECONDS)

    @staticmethod
    def after_search(now: float) -> OrphanPace:
        """Return the pace after a part of the search for orphans."""
        return OrphanPace(now + SEARCH_SECONDS)


def _urgent_wait(failures: int, chance: float) -> float:
    longest = URGENT_WAITS[min(failures, len(URGENT_WAITS) - 1)]
    return longest / 2 + chance * longest / 2


def _refused_wait(failures: int, chance: float) -> float:
    longest = min(BACKOFF_MAX, REFUSED_FIRST * 2.0 ** min(failures - 1, 10))
    return longest / 2 + chance * longest / 2
