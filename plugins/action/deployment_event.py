# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of deployment_event; plugins/modules/deployment_event.py documents it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible import context

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.redact import Redactor
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    deployment_event_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import known_secrets
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._action import EventAction
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


class ActionModule(EventAction):
    """Reports the start or the finish of a deployment."""

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
        events = deployment_events(
            deployment, Naming.from_options(params), deployment.finished_at or now
        )
        result = self.send(events, params, environ, task_vars, deployment=deployment)
        return {**result, "deployment": deployment_result(deployment)}


def _playbook() -> str | None:
    """Return the playbook of the command line; with several a task cannot know which one runs."""
    playbooks = context.CLIARGS.get("args")
    if isinstance(playbooks, (list, tuple)) and len(playbooks) == 1:
        return str(playbooks[0])
    return None  # the ad-hoc command has a host pattern there, which is text
