# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A strategy that answers every task by itself: only callbacks and bookkeeping are left to time.

For the benchmark with its pinned ansible-core only: it uses what that keeps internal.
"""

from __future__ import annotations

import importlib
from typing import Any

from ansible.plugins.strategy.linear import StrategyModule as Linear

DOCUMENTATION = """
name: answer_without_forking
short_description: Answers every task by itself
version_added: 1.0.0
description: For the benchmark of callbacks only.
author: aliops.cloudmonitor contributors (@aliops)
"""


# Not imported by name: other versions of ansible-core, with which types are checked, lack it.
_task: Any = importlib.import_module("ansible._internal._task")


class StrategyModule(Linear):
    """The linear strategy without workers."""

    def _queue_task(self, host: Any, task: Any, task_vars: Any, play_context: Any) -> None:
        self._queued_task_cache[(host.name, task._uuid)] = {
            "host": host,
            "task": task,
            "task_vars": task_vars,
            "play_context": play_context,
        }
        self._pending_results += 1
        self._tqm.send_callback("v2_runner_on_start", host, task)
        result = _task.UnifiedTaskResult.from_action_result_dict({"changed": False, "msg": "fine"})
        with self._results_lock:
            self._results.append(_task.HostTaskResult(host=host, task=task, utr=result))
