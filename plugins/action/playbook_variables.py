# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the private module playbook_variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.utils.vars import load_extra_vars

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.reader import (
    check_extra_variables,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import EventAction


class ActionModule(EventAction):
    """Fails if the user has misspelled an extra variable of a playbook of this collection."""

    nothing: Mapping[str, Any] = {"changed": False}

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Check the names of the extra variables."""
        del task_vars
        self.validated(args, {}, environ)
        check_extra_variables(load_extra_vars(self._loader))
        return dict(self.nothing)
