# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of deployment_info; plugins/modules/deployment_info.py documents it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    InvalidInput,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.timestamp import iso_time
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    deployment_info_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    configured_options,
    find_outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.period import (
    parse_moment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Answer,
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction


class ActionModule(EventAction):
    """Reads the history and the outbox, and changes nothing."""

    nothing: Mapping[str, Any] = {"changed": False}

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Return what is known about deployments."""
        del task_vars  # nothing of the host is needed
        given = {name: value for name, value in args.items() if value != ""}  # empty means unset
        params = self.validated(given, deployment_info_spec(), environ)
        return {"changed": False, **_read(params, environ, time.time())}


def _read(args: Mapping[str, Any], environ: Mapping[str, str], now: float) -> dict[str, Any]:
    """Return the result for validated options. Raises CloudMonitorError."""
    filters = _filters(args, now)
    outbox = find_outbox(args["outbox"], environ, configured_options(("outbox",)))
    warnings = []
    if os.path.lexists(outbox):
        Outbox(outbox).mode()  # an outbox of another user, or a link, is an error
    else:
        warnings.append(f"There is no outbox at {outbox}, so no deployment is known.")
    answer = query(outbox, filters, now)
    if answer.damaged:
        warnings.append(
            f"{answer.damaged} lines of the history in {outbox} are damaged and were left out."
        )
    return {**_result(answer), "outbox": outbox, **({"warnings": warnings} if warnings else {})}


def _filters(args: Mapping[str, Any], now: float) -> Filters:
    """Return the filters in the options. Raises InvalidInput."""
    since, until = (parse_moment(args[name], name, now) for name in ("since", "until"))
    if since is not None and since > (now if until is None else until):
        raise InvalidInput(
            "is after the end of the period, so the period is empty",
            option="since",
            advice="Use an earlier time, or a later until.",
        )
    if args["limit"] < 0:
        raise InvalidInput(f"must be 0 or more and is {args['limit']}", option="limit")
    return Filters(
        name=args["name"],
        environment=args["environment"],
        status=tuple(args["status"]),
        since=since,
        until=until,
        limit=args["limit"],
    )


def _result(answer: Answer) -> dict[str, Any]:
    return {
        "deployments": answer.deployments,
        "running": answer.running,
        "current": answer.current,
        "metrics": answer.metrics,
        "matched": answer.matched,
        "damaged_lines": answer.damaged,
        "unknown_lines": answer.unknown,
        "since": None if answer.since is None else iso_time(answer.since),
        "until": iso_time(answer.until),
    }
