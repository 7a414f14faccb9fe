# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of custom_event_rule; plugins/modules/custom_event_rule.py documents it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    custom_event_rule_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.rules import (
    check_contact_groups,
    check_group,
    parse_rule,
    write_rule,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.task import ApiSession
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction

# Cloud Monitor documents no call that reads a rule.
_BEFORE = "unknown, because no documented call reads a rule"


class ActionModule(EventAction):
    """Writes an alert rule. Check mode makes all checks and writes nothing."""

    nothing: Mapping[str, Any] = {"changed": False}

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Check the options and the objects that they name, and write the rule."""
        params = self.validated(args, custom_event_rule_spec(), environ)
        rule = parse_rule(params)
        del task_vars  # nothing of the host is needed
        session = ApiSession(params, environ, rule.secrets)
        check_contact_groups(session.api, rule.contact_groups)
        check_group(session.api, rule.group_id)
        if not self._task.check_mode:
            write_rule(session.api, rule)
        shown = rule.as_result()
        result: dict[str, Any] = {"changed": True, "rule": shown}
        if self._task.diff:
            result["diff"] = {
                "before": "",
                "after": json.dumps(shown, ensure_ascii=False, indent=2) + "\n",
                "before_header": _BEFORE,
                "after_header": f"rule {rule.rule_id}",
            }
        return session.result(result)
