# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of deployments as tasks use it: the role and deployment_event."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any

from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._api.event import Event
from .._config import configured_options, find_history_keep, find_outbox
from .._deployment.content import Deployment
from .._outbox.storage import Outbox

# The delivery of a finish that the service did not accept, if no outbox keeps it.
UNDELIVERED = "refused"


class TaskHistory:
    """The history in the outbox of a task. ``problem``: one line of text if it cannot be used.

    A problem never fails the task, because the deployment itself is not affected.
    """

    def __init__(self, given: str | None, environ: Mapping[str, str], by: str) -> None:
        """``given``: the task's outbox, None for the default. ``environ``: its environment.

        ``by``: ``role`` or ``task``.
        """
        self.problem: str | None = None
        self._by = by
        self._outbox: Outbox | None = None
        try:
            configured = configured_options(("outbox", "history_keep"))
            days = find_history_keep(environ, configured)
            self._outbox = Outbox(find_outbox(given, environ, configured), days)
        except CloudMonitorError as exc:
            self._note(str(exc))

    def previous(self, deployment: Deployment) -> dict[str, Any] | None:
        """Return the deployment that ``deployment`` replaces, None if it is unknown."""
        if self._outbox is None:
            return None
        one = deployment
        return self._outbox.history.previous(one.name, one.environment, one.id)

    def add(self, finish: Event, delivery: str | None = None) -> None:
        """Add the content of a finish. ``delivery``: set if it is known not to be delivered."""
        if self._outbox is None or not self._outbox.history.is_on:
            return
        content = json.loads(finish.content)
        if delivery is not None:
            content["delivery"] = delivery
        try:
            if not os.path.lexists(self._outbox.history.folder):
                self._outbox.prepare()
            problem = self._outbox.history.add(content, self._by)
        except CloudMonitorError as exc:
            problem = str(exc)
        if problem is None:
            self._outbox.history.maintain(time.time())
        else:
            self._note(problem)

    def _note(self, problem: str) -> None:
        self.problem = f"This deployment is missing in the history, because {problem}"
