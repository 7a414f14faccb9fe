# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads from Ansible's executor with which exit status it ends a playbook.

The statistics that a callback gets do not show it: they still count a host as unreachable after
``meta: clear_host_errors``, although Ansible then ends with exit status 0. The exit status is the
local variable ``result`` of ``PlaybookExecutor.run`` (ansible-core 2.16 to 2.21), which sends the
statistics directly before it decides whether to go on with the next playbook.
"""

from __future__ import annotations

import sys

from ansible.executor.playbook_executor import PlaybookExecutor

from .stats import PlaybookEnd


def read_playbook_end() -> PlaybookEnd | None:
    """Return how the playbook ends whose statistics a callback handles at this moment.

    None if it is not called from ``PlaybookExecutor.run``, for example from another runner.
    """
    frame = sys._getframe()
    while frame is not None and frame.f_code is not PlaybookExecutor.run.__code__:
        if frame.f_back is None:
            return None
        frame = frame.f_back
    result, executor = frame.f_locals.get("result"), frame.f_locals.get("self")
    manager = getattr(executor, "_tqm", None)
    if not isinstance(result, int) or manager is None:
        return None
    return PlaybookEnd(
        exit_status=int(result),
        failed_hosts=frozenset(map(str, (*manager._failed_hosts, *manager._unreachable_hosts))),
    )
