# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of outbox_info; plugins/modules/outbox_info.py documents it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import outbox_info_spec
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    configured_options,
    find_outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overview_reader import (
    read_overview,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overview_text import (
    overview_lines,
    summary,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction


class ActionModule(EventAction):
    """Shows what is in the outbox, and changes nothing."""

    nothing: Mapping[str, Any] = {"changed": False}

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Read the outbox."""
        del task_vars  # nothing of the host is wanted
        given = args.get("outbox")
        outbox = find_outbox(args.pop("outbox", None), environ, configured_options())
        params = self.validated({**args, "outbox": outbox}, outbox_info_spec(), environ)
        if params["limit"] < 0:
            raise InvalidInput("must not be negative", option="limit")
        overview = read_overview(Outbox(params["outbox"]), time.time())
        return {
            "changed": False,
            "msg": summary(overview),
            **overview.as_result(params["limit"]),
            "table": overview_lines(overview, named=bool(given)),
        }
