# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers about made-up histories, for the tests and pictures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.outbox_state import (
    OutboxState,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Answer,
    Filters,
    compose,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.history import (
    HistoryLines,
)

from .histories import DAY, finish, invented

NOW = 1_795_651_200.0  # 2026-11-26 00:00 UTC
HOSTILE = "</title><script>window.hit = 1</script><img src=x onerror='hit()'>"
RIGHT_TO_LEFT = "פריסה \u202e\u202b אבג"
LONG = "a-very-long-name-" * 40


def answer(
    lines: Sequence[dict[str, Any]], running: Sequence[dict[str, Any]] = (), days: float = 90.0
) -> Answer:
    """Return what the query finds in these lines of a history, the last ``days`` of it."""
    filters = Filters(since=NOW - days * DAY)
    return compose(HistoryLines(list(lines)), OutboxState(list(running), {}), filters, NOW)


def start(seconds: float, *, overdue: bool = False, **parts: Any) -> dict[str, Any]:
    """Return a deployment that has been running for ``seconds``."""
    whole = finish(f"running-{seconds}", NOW - seconds, "running", duration_s=None, **parts)
    del whole["finished_at"], whole["by"]
    return {**whole, "phase": "start", "overdue": overdue}


def hostile() -> Answer:
    """Return an answer with values that try to break the page."""
    lines = invented(25, NOW)
    changes: list[dict[str, Any]] = [
        {"name": HOSTILE, "status": "succeeded"},
        {"environment": HOSTILE, "version": HOSTILE, "user": HOSTILE},
        {"name": LONG, "environment": LONG, "version": LONG},
        {"name": RIGHT_TO_LEFT, "environment": RIGHT_TO_LEFT},
        {"url": "javascript:alert(1)", "ci": {"url": "javascript:alert(1)", "job": HOSTILE}},
        {"repository": "javascript:alert(1)//", "commit": '"><script>', "reason": HOSTILE},
        {"user": "\x00\ud800\u202eevil", "failures": [{"host": HOSTILE, "message": LONG}]},
        {"url": "https://example.com/\"onmouseover='hit()'", "delivery": HOSTILE},
    ]
    for line, change in zip(reversed(lines), changes, strict=False):
        line.update(change)
    return answer(lines, [start(60, name=HOSTILE, environment=HOSTILE, version=HOSTILE)])
