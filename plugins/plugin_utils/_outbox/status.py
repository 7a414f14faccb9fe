# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the courier knows about the delivery of its run: facts for the callback. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ...module_utils._api.errors import DeliveryError, Outcome
from ...module_utils._api.frozen import frozen


@frozen
class DeliveryStatus:
    """The content of the file ``status``.

    ``accepted``: requests that the service has accepted. ``outages``: attempts in a row that
    failed with an outage. ``finish_attempts``: attempts since the courier has read the finish of
    the run. ``outcome``, ``kind``, ``brief`` and ``text``: those of the last attempt's error, None
    after an accepted attempt. ``brief`` and ``text`` are for people, ``text`` with all details.
    """

    accepted: int = 0
    outages: int = 0
    finish_attempts: int = 0
    outcome: Outcome | None = None
    kind: str | None = None
    brief: str | None = None
    text: str | None = None

    def after_attempt(self, error: DeliveryError | None, finish_is_known: bool) -> DeliveryStatus:
        """Return the status after one more attempt."""
        attempts = self.finish_attempts + finish_is_known
        if error is None:
            return DeliveryStatus(accepted=self.accepted + 1, finish_attempts=attempts)
        return replace(
            self,
            outages=self.outages + 1 if error.outcome is Outcome.OUTAGE else 0,
            finish_attempts=attempts,
            outcome=error.outcome,
            kind=error.kind,
            brief=error.brief,
            text=str(error),
        )

    def dump(self) -> dict[str, Any]:
        """Return the status as plain data."""
        return {**asdict(self), "outcome": self.outcome.value if self.outcome else None}

    @staticmethod
    def parse(raw: Mapping[str, Any]) -> DeliveryStatus:
        """Return the status that ``dump`` wrote. Anything unusable counts as not known."""
        return DeliveryStatus(
            accepted=_count(raw.get("accepted")),
            outages=_count(raw.get("outages")),
            finish_attempts=_count(raw.get("finish_attempts")),
            outcome=next((one for one in Outcome if one.value == raw.get("outcome")), None),
            kind=_text(raw.get("kind")),
            brief=_text(raw.get("brief")),
            text=_text(raw.get("text")),
        )


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
