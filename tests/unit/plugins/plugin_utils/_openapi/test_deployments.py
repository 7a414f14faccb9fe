# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The deployments in the events that Cloud Monitor has."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.timestamp import iso_time
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.deployments import (
    history_from_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.events import StoredEvent

NOW = 1795623300.0
HOUR = 3600.0


def event(
    deployment: str, phase: str, age: float, name: str = "any-name", **members: Any
) -> StoredEvent:
    at = NOW - age
    content: dict[str, Any] = {
        "schema": "deployment/1",
        "id": deployment,
        "phase": phase,
        "status": "running" if phase != "finish" else "succeeded",
        "name": "shop",
        "started_at": iso_time(at - 60),
        **({"finished_at": iso_time(at)} if phase == "finish" else {}),
        **members,
    }
    return StoredEvent("", name, 0, int(at * 1000), json.dumps(content))


def test_finishes_come_in_the_order_in_which_they_ended_under_any_event_name() -> None:
    events = [
        event("new", "finish", 1 * HOUR, "my-finish"),
        event("old", "finish", 9 * HOUR),
        event("new", "start", 2 * HOUR),
        event("old", "finish", 9 * HOUR, "deployment-failure"),
        StoredEvent(
            "", "other", 0, int(NOW * 1000), '{"id":"x","schema":"other","phase":"finish"}'
        ),
        StoredEvent("", "other", 0, int(NOW * 1000), "schema deployment phase"),
    ]

    history, state = history_from_events(events, NOW)

    assert [line["id"] for line in history.lines] == ["old", "old", "new"]
    assert (history.unknown, state.running) == (0, [])


def test_a_start_without_a_finish_runs_for_a_day_and_may_be_overdue() -> None:
    events = [
        event("overdue", "overdue", 1 * HOUR),
        event("overdue", "start", 3 * HOUR),
        event("running", "start", 23 * HOUR),
        event("vanished", "start", 25 * HOUR),
    ]

    _history, state = history_from_events(events, NOW)

    running = {one["id"]: one["overdue"] for one in state.running}
    assert running == {"running": False, "overdue": True}


def test_events_that_cannot_be_understood_are_counted() -> None:
    events = [
        event("a", "finish", HOUR, name="n", finished_at=7),
        event("b", "finish", HOUR, environment=["production"]),
        event("c", "pause", HOUR),
        event("", "finish", HOUR, id=8),
    ]

    history, state = history_from_events(events, NOW)

    assert (history.lines, history.unknown, state.running) == ([], 4, [])
