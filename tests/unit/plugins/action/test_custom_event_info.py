# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that reads events back, against the receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Objects, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action.custom_event import ActionModule as Send
from ansible_collections.aliops.cloudmonitor.plugins.action.custom_event_info import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run

SECRET = "a-secret-of-thirty-characters"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver([Credential("an-id", SECRET)]) as running:
        yield running


def environment(receiver: Receiver) -> dict[str, str]:
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "an-id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "CLOUDMONITOR_ENDPOINT": receiver.url,
        "CLOUDMONITOR_API_ENDPOINT": receiver.url,
        "CLOUDMONITOR_RETRIES": "0",
    }


def read(receiver: Receiver, **args: Any) -> dict[str, Any]:
    return run(ActionModule, args, environment(receiver))


def report(receiver: Receiver, *events: dict[str, Any]) -> None:
    assert run(Send, {"events": list(events)}, environment(receiver))["changed"]


def test_events_come_back_as_they_can_be_sent_again(receiver: Receiver) -> None:
    report(
        receiver,
        {"name": "first", "content": "text", "group_id": 7},
        {"name": "first-2", "content": {"id": "d-1", "phase": "start"}},
    )

    result = read(receiver)

    assert (result["changed"], result["count"], result["truncated"]) == (False, 2, False)
    by_name = {event["name"]: event for event in result["events"]}
    assert by_name["first-2"]["content"] == {"id": "d-1", "phase": "start"}
    assert by_name["first"]["group_id"] == 7
    report(receiver, *result["events"])
    again = read(receiver)
    assert (len(again["events"]), again["count"]) == (4, 3)
    assert [again["events"][index]["name"] for index in again["duplicates"]] == ["first-2"]
    assert [event["name"] for event in read(receiver, name="first")["events"]] == ["first"] * 2
    assert read(receiver, keywords="d-1 and start", group_id=0, limit=1)["truncated"]


@pytest.mark.parametrize("count", [0, 1, 50, 101])
def test_all_pages_are_read(receiver: Receiver, count: int) -> None:
    if count:
        report(receiver, *({"name": "n", "content": str(n)} for n in range(count)))

    result = read(receiver, limit=1000)

    assert {event["content"] for event in result["events"]} == set(map(str, range(count)))
    assert result["requests"] == count // 50 + 1


def test_late_events_are_awaited() -> None:
    with Receiver([Credential("an-id", SECRET)], objects=Objects(visible_after=0.5)) as receiver:
        report(receiver, {"name": "n", "content": "c"})

        result = read(receiver, name="n", wait=30)

    assert (result["count"], result["requests"]) == (1, 2)
    assert 0.5 <= result["waited"] < 30


def test_a_wait_that_runs_out_gives_both_numbers_and_calls_nothing_lost(
    receiver: Receiver,
) -> None:
    report(receiver, {"name": "n", "content": "c"})

    result = read(receiver, wait=0.1, at_least=2)

    assert result["failed"]
    assert result["msg"].startswith("1 of 2 events are visible after 0.1 s.")
    assert "lost" not in json.dumps(result)
    assert (len(result["events"]), "error" in result) == (1, False)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"wait": -1}, "wait: "),
        ({"at_least": 101}, "at_least: "),
        ({"limit": "many"}, "limit"),
        ({"since": "soon"}, "since: "),
        ({"nmae": "n"}, "nmae"),
        ({}, "api_endpoint: is not a usable URL"),
    ],
)
def test_a_mistake_is_named_before_a_call_is_made(
    receiver: Receiver, args: dict[str, Any], words: str
) -> None:
    environ = {**environment(receiver), "CLOUDMONITOR_API_ENDPOINT": "ftp://x"}
    result = run(ActionModule, args, environ)

    assert (result["failed"], result["changed"], receiver.requests) == (True, False, [])
    assert words in result["msg"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("throttle-200*9", "throttled"), ("code=403", "permission"), ("html", "not_the_service")],
)
def test_a_failed_call_fails_the_task_with_the_kind(
    receiver: Receiver, fault: str, kind: str
) -> None:
    receiver.set_call_faults([fault])

    result = read(receiver)

    assert (result["failed"], result["error"]["kind"]) == (True, kind)
    assert SECRET not in json.dumps(result)
