# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that writes a rule, against the receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Objects, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action.custom_event import ActionModule as Send
from ansible_collections.aliops.cloudmonitor.plugins.action.custom_event_rule import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run

SECRET = "a-secret-of-thirty-characters"
TOKEN = "webhook-token-0815"
MANY = tuple(f"team-{number}" for number in range(120))
ARGS = {
    "event_name": "deployment-failure",
    "group_id": 4711,
    "contact_groups": "team-0,team-119",
    "webhook": f"https://hooks.example/?token={TOKEN}",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    objects = Objects(MANY, {4711: "shop"})
    with Receiver([Credential("an-id", SECRET)], objects=objects) as running:
        environ = environment(running)
        event = {"name": "deployment-failure", "content": "c", "group_id": 4711}
        assert run(Send, event, environ)["changed"]
        yield running


def environment(receiver: Receiver) -> dict[str, str]:
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "an-id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "CLOUDMONITOR_ENDPOINT": receiver.url,
        "CLOUDMONITOR_API_ENDPOINT": receiver.url,
        "CLOUDMONITOR_RETRIES": "0",
    }


def write(receiver: Receiver, *, check_mode: bool = False, **args: Any) -> dict[str, Any]:
    result = run(ActionModule, {**ARGS, **args}, environment(receiver), check_mode, diff=True)
    assert SECRET not in json.dumps(result)
    assert TOKEN not in json.dumps(result)
    return result


def writes(receiver: Receiver) -> int:
    return [item["action"] for item in receiver.requests].count("PutCustomEventRule")


def test_a_second_run_writes_the_same_rule_and_adds_nothing(receiver: Receiver) -> None:
    first = write(receiver)
    second = write(receiver, rule_name="Another name", level="WARN")

    assert (first["changed"], second["changed"], writes(receiver)) == (True, True, 2)
    (rule,) = receiver.rules.values()
    assert rule == {
        "RuleId": "aliops-4711-deployment-failure",
        "RuleName": "Another name",
        "EventName": "deployment-failure",
        "GroupId": "4711",
        "ContactGroups": "team-0,team-119",
        "Level": "WARN",
        "Threshold": "1",
        "Period": "60",
        "EffectiveInterval": "00:00-23:59",
        "Webhook": ARGS["webhook"],
    }


def test_check_mode_reads_all_pages_and_writes_nothing(receiver: Receiver) -> None:
    checked = write(receiver, check_mode=True)

    assert (checked["changed"], writes(receiver), receiver.rules) == (True, 0, {})
    assert checked["requests"] == 4  # three pages of contact groups, one of application groups
    assert json.loads(checked["diff"]["after"]) == checked["rule"]
    missing = write(receiver, check_mode=True, contact_groups=["team-1", "team"])
    assert missing["failed"]
    assert "team-1, " in missing["msg"]


@pytest.mark.parametrize(
    ("args", "kind", "words"),
    [
        ({"contact_groups": "team-12x"}, "invalid_input", "there is no contact group team-12x"),
        ({"group_id": 471}, "invalid_input", "Existing application groups: 4711 (shop)."),
        ({"event_name": "deployment-fail"}, "refused", "after its event was reported once"),
        ({"level": "P4"}, "invalid_input", "CRITICAL"),
        ({"contact_groups": None}, "invalid_input", "contact_groups"),
    ],
)
def test_a_mistake_is_explained_and_no_rule_is_written(
    receiver: Receiver, args: dict[str, Any], kind: str, words: str
) -> None:
    result = write(receiver, **args)

    assert (result["failed"], result["changed"], receiver.rules) == (True, False, {})
    assert result["error"]["kind"] == kind
    assert words in result["msg"]
