# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the playbook ``report``; private to it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    deployment_report_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    OUTBOX_VARIABLE,
    configured_options,
    find_outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.formats import (
    as_csv,
    as_json,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.output import (
    check_file,
    write_file,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.page import (
    Source,
    render,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.period import parse_start
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Answer,
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.summary import summary
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.deployments import (
    MOST_EVENTS,
    read_deployments,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.task import (
    configured_session,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction


class ActionModule(EventAction):
    """Writes the report. Fails with a message, and never leaves half of a file."""

    nothing: Mapping[str, Any] = {"changed": False}

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Write the report, except in check mode; return its path and the short table."""
        del task_vars  # nothing of the host is needed
        given = {name: value for name, value in args.items() if value != ""}  # empty means unset
        params, now = self.validated(given, deployment_report_spec(), environ), time.time()
        target = check_file(params["path"] or f"deployments.{params['format']}")
        since = parse_start(params["since"], "since", now)
        read = _read_service if params["source"] == "cloudmonitor" else _read_outbox
        answer, source, note = read(params, environ, since, now)
        content = _content(answer, params["format"], source, now)
        if not self._task.check_mode:
            write_file(target, content)
        lines = summary(answer, now)
        return {
            "changed": True,
            "path": str(target),
            "size": len(content),
            "deployments": answer.matched,
            "running": len(answer.running),
            "table": lines,
            "msg": _written(str(target), len(content), self._task.check_mode) + note,
        }


def _read_outbox(
    args: Mapping[str, Any], environ: Mapping[str, str], since: float, now: float
) -> tuple[Answer, Source, str]:
    """Return what the outbox knows, its name, and an empty note. Raises CloudMonitorError."""
    named = args["outbox"] or environ.get(OUTBOX_VARIABLE)
    # Other options of the callback may be wrong, and do not matter here.
    configured = {} if named else configured_options()
    outbox = _existing_outbox(find_outbox(named, environ, configured))
    return query(outbox, Filters(since=since), now), Source("the outbox", outbox), ""


def _read_service(
    _args: Mapping[str, Any], environ: Mapping[str, str], since: float, now: float
) -> tuple[Answer, Source, str]:
    """Return what Cloud Monitor knows, its name, and a note. Raises CloudMonitorError."""
    session = configured_session(configured_options(), environ)
    answer, truncated = read_deployments(session.api, Filters(since=since), now)
    note = f" Only the newest {MOST_EVENTS:,} events were read." if truncated else ""
    return answer, Source("Cloud Monitor", session.endpoint), note


def _existing_outbox(path: str) -> str:
    """Return the path of an outbox that is there. Raises ConfigurationError and OutboxError."""
    if not os.path.lexists(path):
        raise ConfigurationError(
            f"there is no outbox at {path}, so no deployment was reported from here",
            option="outbox",
            advice="Enable the callback and run a playbook, or set CLOUDMONITOR_OUTBOX to the "
            "outbox of your runs.",
        )
    Outbox(path).mode()
    return path


def _content(answer: Answer, form: str, source: Source, now: float) -> bytes:
    if form == "json":
        text = as_json(answer, now, source.place)
    elif form == "csv":
        text = as_csv(answer)
    else:
        text = render(answer, source, now)
    return text.encode("utf-8", "replace")


def _written(path: str, size: int, check_mode: bool) -> str:
    if check_mode:
        return f"{path} was not written, because of check mode."
    return f"The report is {path} ({max(1, round(size / 1000)):,} kB)."
