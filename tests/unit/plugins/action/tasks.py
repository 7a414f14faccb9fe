# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task made of plain objects, for the actions that need no running playbook."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

CONNECTION = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))


def run(
    action: Any,
    args: Mapping[str, Any],
    environ: Mapping[str, str],
    check_mode: bool = False,
    diff: bool = False,
) -> dict[str, Any]:
    """Run a class of actions on one task in this environment, and return the result."""
    task = SimpleNamespace(
        action="aliops.cloudmonitor.test",
        args=dict(args),
        async_val=0,
        check_mode=check_mode,
        diff=diff,
        environment=[],
    )
    made = action(task, CONNECTION, None, None, None, None)
    made._environ = lambda: dict(environ)
    result: dict[str, Any] = made.run(task_vars={})
    return result
