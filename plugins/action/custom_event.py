# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of custom_event; plugins/modules/custom_event.py documents it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import custom_event_spec
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import (
    parse_event_options,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction


class ActionModule(EventAction):
    """Sends one custom event, or many."""

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Check everything and send."""
        # The list is left to parse_event_options, which names the index of a wrong event. Checking
        # 10,000 events by argument specification as well would take longer than sending them.
        others = {name: value for name, value in args.items() if name != "events"}
        params = self.validated(others, custom_event_spec(), environ)
        events, single = parse_event_options(args, time.time())
        return self.send(events, params, environ, task_vars, single)
