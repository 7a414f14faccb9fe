# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``report_errors: queue``: decides which events of a task are queued, and queues them."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from ...module_utils._api.credentials import given_credentials
from ...module_utils._api.errors import (
    CloudMonitorError,
    CredentialsError,
    DeliveryError,
    Outcome,
)
from ...module_utils._api.frozen import frozen
from ...module_utils._api.redact import Redactor
from ...module_utils._event_task import Undelivered, error_result, known_secrets, queued_result
from .._config import configured_options, find_outbox
from .._deployment.content import Deployment
from .._outbox.destination import Account, Selection, given_destination, select
from .._outbox.queue import Origin, queue_events
from .._outbox.storage import Outbox, OutboxError

# Every machine may have a RAM role, so this provider alone is no sign of an AccessKey.
_ANY_MACHINE = "ecs_ram_role:"


@frozen
class TaskQueue:
    """Queues the events of one task that an outage keeps from being delivered.

    ``params``: the validated options of the task. ``environ``: its environment. ``deployment``:
    what its events are about, if they are about one.
    """

    params: Mapping[str, Any]
    environ: Mapping[str, str]
    deployment: Deployment | None

    def keep(self, left: Undelivered) -> dict[str, Any] | None:
        """Queue events; return the members to add to the result, None for other errors.

        The events are queued if a later attempt can succeed: the rule of the callback's outbox.
        A refusal is an error even in the middle of a list, and then nothing is queued: the rest
        would overtake the refused events, and ``resume_from`` would send it twice.
        """
        destination = self._destination(left)
        if destination is None:
            return None
        secrets = left.credentials.secrets if left.credentials else ()
        redact = Redactor((*known_secrets(self.params, self.environ), *secrets)).text
        label, deployment_id = left.events[0].name, None
        if self.deployment is not None:
            label, deployment_id = self.deployment.name, redact(self.deployment.id)
        origin = Origin(redact(label), deployment_id, destination)
        text, brief = redact(str(left.error)), redact(left.error.brief)
        why = DeliveryError(text, left.error.kind, Outcome.OUTAGE, brief=brief)
        try:
            configured = configured_options(("outbox",))
            root = find_outbox(self.params.get("outbox"), self.environ, configured)
            outbox = Outbox(root)
            queue_events(outbox, left.events, origin, why)
        except CloudMonitorError as exc:
            problem = f"{left.error} The events cannot be queued either: {exc}"
            return error_result(OutboxError(problem), "fail", left.events, left.delivered)
        return queued_result(left, _warning(left, root))

    def _destination(self, left: Undelivered) -> str | None:
        """Return whose credentials may deliver the events later, None if nobody's can."""
        credentials = left.credentials
        if credentials is None:
            is_about_them = isinstance(left.error, CredentialsError)
            return self._expected_destination() if is_about_them else None
        if not (isinstance(left.error, DeliveryError) and left.error.keep):
            return None
        if credentials.source == "chain":
            return Account.of_chain(credentials, select(os.environ)).destination
        return given_destination(credentials, self.environ)

    def _expected_destination(self) -> str | None:
        """Return the destination of credentials that the default chain could not find just now.

        None unless one of its providers is configured. Otherwise the AccessKey is simply missing.
        """
        try:
            if given_credentials(self.params, self.environ) is not None:
                return None
        except CredentialsError:
            return None
        if importlib.util.find_spec("alibabacloud_credentials") is None:
            return None
        selection = select(os.environ)  # the chain does not see the environment of the task
        return selection.expected if _is_configured(selection) else None


def _is_configured(selection: Selection) -> bool:
    return any(one.certain or one.destination != _ANY_MACHINE for one in selection.choices)


def _warning(left: Undelivered, root: str) -> str:
    """Return in one line what happened, where the events are, and how they are delivered."""
    count = len(left.events)
    queued = "1 event waits" if count == 1 else f"{count:,} events wait"
    return (
        f"{left.error.brief} {queued} in {root} for the next callback run or "
        "aliops.cloudmonitor.flush_outbox."
    )
