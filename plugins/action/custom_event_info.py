# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of custom_event_info; plugins/modules/custom_event_info.py documents it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    custom_event_info_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.events import (
    Look,
    parse_query,
    wait_for_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.task import ApiSession
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction

_LONGEST_WAIT = 24 * 3600


class ActionModule(EventAction):
    """Reads events back. Nothing changes, so check mode makes no difference."""

    nothing: Mapping[str, Any] = {"changed": False}

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Read the events, and wait for them if requested."""
        params = self.validated(args, custom_event_info_spec(), environ)
        query = parse_query(params, time.time())
        wait, at_least = params["wait"], params.get("at_least")
        if not 0 <= wait <= _LONGEST_WAIT:
            raise InvalidInput(
                f"must be a number of seconds from 0 to {_LONGEST_WAIT} and is {wait}",
                option="wait",
            )
        if at_least is None:
            at_least = 1 if wait else 0
        if not 0 <= at_least <= query.limit:
            raise InvalidInput(
                f"must be a number from 0 to limit ({query.limit}) and is {at_least}",
                option="at_least",
            )
        del task_vars  # nothing of the host is needed
        session = ApiSession(params, environ)
        look = wait_for_events(
            session.api,
            query,
            at_least,
            wait,
            clock=time.time,
            monotonic=time.monotonic,
            sleep=time.sleep,
        )
        return session.result(_result(look, at_least, wait))


def _result(look: Look, at_least: int, wait: float) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": False,
        "events": [event.as_option() for event in look.events],
        "duplicates": look.duplicates,
        "count": look.count,
        "truncated": look.truncated,
        "waited": round(look.seconds, 3),
    }
    if look.count < at_least:
        result["failed"] = True
        result["msg"] = (
            f"{look.count} of {at_least} events are visible after {wait:g} s. The others are not "
            "visible yet, or were not reported with this name, group and time. Look again later."
        )
    return result
