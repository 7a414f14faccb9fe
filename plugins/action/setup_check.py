# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the playbook ``check``; private to it."""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.checkup import Checkup
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.reader import read_settings


class ActionModule(ActionBase):
    """Checks everything and never fails: the playbook shows the findings and fails then."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Check the set-up; return the lines to show and whether something is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, args = self.validate_argument_spec(
            argument_spec={
                "send": {"type": "bool", "default": True},
                "receipt": {"type": "bool", "default": False},
            }
        )
        environ = dict(os.environ)
        extra = {
            name: value
            for name, value in load_extra_vars(self._loader).items()
            if str(name).startswith("cloudmonitor_")
        }
        callback = read_settings(environ, extra, self._template_value)
        checkup = Checkup(callback, environ, bool(self._task.check_mode))
        result.update(checkup.run(args["send"], args["receipt"]))
        return result

    def _template_value(self, value: Any) -> Any:
        """Return the value of an extra variable. Raises AnsibleError if it cannot be evaluated."""
        return self._templar.template(value)
