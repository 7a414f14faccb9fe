# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller side of custom_event: everything is checked before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.action.custom_event import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    recording,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    serving,
)

KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "an-id",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a-secret-of-thirty-characters",
}


def test_events_are_sent_with_the_key_of_the_environment() -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        environ = {**KEY, "CLOUDMONITOR_ENDPOINT": server.url()}
        result = run(ActionModule, {"events": [{"name": "n", "content": "c"}] * 101}, environ)

    assert (result["changed"], result["delivered"], result["requests"]) == (True, 101, 2)
    assert b"Authorization: an-id:" in heard[0]


def test_check_mode_shows_the_event_and_sends_nothing() -> None:
    args = {"name": "n", "content": {"a": 1}, "group_id": "7"}
    result = run(ActionModule, args, KEY, check_mode=True, diff=True)

    assert (result["changed"], result["delivered"], result["requests"]) == (True, 0, 0)
    (event,) = result["events"]
    assert (event["name"], event["content"], event["group_id"]) == ("n", '{"a":1}', 7)
    (shown,) = json.loads(result["diff"]["after"])
    assert (shown["name"], shown["content"]) == ("n", '{"a":1}')


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"events": [{"name": "n", "content": "c"}, {"name": "n"}]}, "events[1].content: "),
        ({"events": [{"name": "", "content": "c"}]}, "events[0].name: "),
        ({"events": [{"name": "n", "content": "c"}], "name": "n"}, "events"),
        ({"name": "n", "content": "c", "nmae": "n"}, "nmae"),
        ({}, "name"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_sent(args: dict[str, Any], words: str) -> None:
    # The port is never reached: a request would fail with another kind of error.
    result = run(ActionModule, args, {**KEY, "CLOUDMONITOR_ENDPOINT": "http://127.0.0.1:9"})

    assert (result["failed"], result["changed"], result["requests"]) == (True, False, 0)
    assert words in result["msg"]
    assert result["error"]["kind"] in {"invalid_event", "invalid_input"}
