# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of deployment_event; plugins/modules/deployment_event.py documents it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible import context

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.redact import Redactor
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    deployment_event_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import known_secrets
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.events import (
    Naming,
    deployment_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.facts import (
    Facts,
    collect_facts,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.options import (
    deployment_result,
    parse_deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.history import (
    UNDELIVERED,
    TaskHistory,
)


class ActionModule(EventAction):
    """Reports the start or the finish of a deployment.

    ``reported_by``: ``task``, or ``role`` if the role runs this action.
    """

    reported_by = "task"

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Compose the events of this phase and send them."""
        params = self.validated(args, deployment_event_spec(), environ)
        now = time.time()
        facts = collect_facts(environ, _playbook(), task_vars.get("playbook_dir"), task_vars)
        # Before the content is composed: it may cut a text in the middle of a secret.
        redactor = Redactor(known_secrets(params, environ))
        facts = Facts(**redactor.value(vars(facts)))
        deployment = parse_deployment(redactor.value(params), facts, now)
        history = TaskHistory(params.get("outbox"), environ, self.reported_by)
        if not params.get("deployment"):
            deployment = replace(deployment, previous=redactor.value(history.previous(deployment)))
        events = deployment_events(
            deployment, Naming.from_options(params), deployment.finished_at or now
        )
        is_recorded = deployment.phase == "finish" and not self._task.check_mode
        if is_recorded:
            # Before it is sent: a task that is killed in between leaves no gap.
            history.add(events[0])
        result = self.send(events, params, environ, task_vars, deployment=deployment)
        if is_recorded and not (result.get("delivered") or result.get("queued")):
            history.add(events[0], UNDELIVERED)
        if history.problem is not None:
            result["warnings"] = [*result.get("warnings", ()), history.problem]
        return {**result, "deployment": deployment_result(deployment)}


def _playbook() -> str | None:
    """Return the playbook of the command line; with several a task cannot know which one runs."""
    playbooks = context.CLIARGS.get("args")
    if isinstance(playbooks, (list, tuple)) and len(playbooks) == 1:
        return str(playbooks[0])
    return None  # the ad-hoc command has a host pattern there, which is text
