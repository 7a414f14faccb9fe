# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a deployment to the events that report it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.events import (
    Naming,
    deployment_events,
)

NOW = 1508741079.948
NAMING = Naming("s", "e", "f", group_id=7)
RUNNING = Deployment(id="i", name="shop", started_at=NOW - 60)


@pytest.mark.parametrize(
    ("status", "names"),
    [
        ("running", ["s"]),
        ("succeeded", ["e"]),
        ("empty", ["e"]),
        ("failed", ["e", "f"]),
        ("aborted", ["e", "f"]),
    ],
)
def test_a_failed_deployment_has_a_separate_failure_event(status: str, names: list[str]) -> None:
    found = deployment_events(replace(RUNNING, status=status), NAMING, NOW)

    assert [event.name for event in found] == names
    assert {event.group_id for event in found} == {7}
    assert {event.time for event in found} == {"20171023T064439.948+0000"}
    assert {json.loads(event.content)["status"] for event in found} == {status}


def test_an_empty_failure_event_turns_it_off() -> None:
    failed = replace(RUNNING, status="failed")

    found = deployment_events(failed, replace(NAMING, failure_event=""), NOW)
    assert [event.name for event in found] == ["e"]


@pytest.mark.parametrize(
    ("status", "option", "value"),
    [("running", "start_event", ""), ("failed", "finish_event", " "),
     ("failed", "failure_event", " ")],
)  # fmt: skip
def test_other_events_cannot_be_without_a_name(status: str, option: str, value: str) -> None:
    names = {"start_event": "s", "finish_event": "e", "failure_event": "f", option: value}
    naming = Naming.from_options({**names, "group_id": 0})

    with pytest.raises(InvalidInput, match=f"^{option}: is empty"):
        deployment_events(replace(RUNNING, status=status), naming, NOW)
