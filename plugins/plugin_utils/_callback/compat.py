# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads ansible-core's objects whose attributes differ between versions. Nothing else does."""

from __future__ import annotations

from typing import Any

from .._deployment.content import Failure
from .stats import COUNTERS, TaskCounts

# A message may have megabytes. The reporter masks secrets in it and then cuts it much shorter.
_TEXT_LIMIT = 65_536


def parse_failure(result: Any) -> Failure:
    """Return where a host failed, from a task result of Ansible.

    From ansible-core 2.19 on, a result has ``host``, ``task`` and ``result``. Before, these names
    began with an underscore. With no_log, neither the name nor the message of the task is
    included: the result is censored, but a templated name can contain a secret.
    """
    host, task = _attribute(result, "host"), _attribute(result, "task")
    details = _attribute(result, "result") or {}
    name = str(host.get_name())
    if task.no_log or details.get("_ansible_no_log") or "censored" in details:
        return Failure(name)
    message = details.get("msg")
    return Failure(
        name,
        str(task.get_name())[:_TEXT_LIMIT] or None,
        str(message)[:_TEXT_LIMIT] if message else None,
    )


def read_counters(stats: Any) -> TaskCounts:
    """Return the counters of each host in Ansible's statistics, as they are now."""
    return {
        str(host): {name: int(getattr(stats, name).get(host, 0)) for name in COUNTERS}
        for host in stats.processed
    }


def _attribute(result: Any, name: str) -> Any:
    return getattr(result, name) if hasattr(type(result), name) else getattr(result, "_" + name)
