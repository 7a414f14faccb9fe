# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deployment_event: the start and the end of a deployment, as the receiver gets them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    DEPLOYMENT,
    KEY_ID,
    SECRET,
    TOKEN,
    Run,
)

Tasks = Callable[..., Run]

START = {DEPLOYMENT: {"phase": "start", "name": "shop", "version": "1.4.2", "environment": "prod"}}
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def finish(status: str, **more: Any) -> dict[str, Any]:
    return {
        DEPLOYMENT: {
            "phase": "finish",
            "deployment": "{{ result_0.deployment }}",
            "status": status,
            **more,
        }
    }


def contents(receiver: Receiver) -> list[dict[str, Any]]:
    return [{"event": item["name"], **json.loads(item["content"])} for item in receiver.events]


@pytest.mark.every_core
def test_start_and_finish_tell_one_story(tasks: Tasks, receiver: Receiver) -> None:
    run = tasks([START, finish("succeeded", details={"tickets": ["A-1"]})])
    started, finished = (result["deployment"] for result in run.results)
    assert list(finished) == [
        "id", "name", "version", "environment", "commit", "repository", "committed_at", "url",
        "previous", "status", "started_at", "finished_at", "duration_s",
    ]  # fmt: skip
    assert (started["status"], finished["status"]) == ("running", "succeeded")
    assert started["finished_at"] is None
    assert UTC.fullmatch(finished["finished_at"])
    first, last = contents(receiver)
    assert (first["event"], last["event"]) == ("deployment-start", "deployment-finish")
    assert first["id"] == last["id"] == started["id"] == finished["id"]
    assert first["started_at"] == last["started_at"] == started["started_at"]
    assert last["duration_s"] == finished["duration_s"] >= 0
    assert (last["name"], last["version"], last["environment"]) == ("shop", "1.4.2", "prod")
    assert last["playbook"].endswith("site.yml")
    assert last["details"] == {"tickets": ["A-1"]}
    assert last["user"]
    assert last["controller"]
    assert "parent" not in last


def test_a_failure_has_an_event_of_its_own(tasks: Tasks, receiver: Receiver) -> None:
    run = tasks(
        [
            START,
            finish("failed"),
            finish("aborted", failure_event="alarm", finish_event="end", group_id=9),
            finish("failed", failure_event=""),
        ]
    )
    assert [result["delivered"] for result in run.results] == [1, 2, 2, 1]
    assert [(item["event"], item["status"]) for item in contents(receiver)] == [
        ("deployment-start", "running"),
        ("deployment-finish", "failed"),
        ("deployment-failure", "failed"),
        ("end", "aborted"),
        ("alarm", "aborted"),
        ("deployment-finish", "failed"),
    ]
    assert [item["groupId"] for item in receiver.events] == [0, 0, 0, 9, 9, 0]


@pytest.mark.every_core
def test_check_mode_returns_a_deployment_and_sends_nothing(
    tasks: Tasks, receiver: Receiver
) -> None:
    run = tasks([START, finish("succeeded")], "--check")
    assert run.results[1]["deployment"]["id"] == run.results[0]["deployment"]["id"]
    assert receiver.requests == []


@pytest.mark.every_core
def test_the_target_can_report_a_deployment(tasks: Tasks, receiver: Receiver) -> None:
    temporary = {
        "access_key_id": "STS." + KEY_ID,
        "access_key_secret": SECRET,
        "security_token": TOKEN,
        "report_from": "target",
    }
    start = {DEPLOYMENT: {"phase": "start", "name": "shop", **temporary}}
    run = tasks([start, finish("failed", **temporary)])
    assert [result["delivered"] for result in run.results] == [1, 2]
    assert run.results[1]["deployment"]["status"] == "failed"
    assert [item["event"] for item in contents(receiver)] == [
        "deployment-start",
        "deployment-finish",
        "deployment-failure",
    ]


def test_an_outage_returns_the_deployment_and_the_undelivered_events(
    tasks: Tasks, receiver: Receiver
) -> None:
    receiver.set_faults(["signature", "signature"])
    run = tasks([START, finish("failed", report_errors="warn")])
    assert len(run.warnings) == 1, run.output
    assert [result["failed"] for result in run.results] == [True, False]
    assert run.results[0]["deployment"]["name"] == "shop"
    assert [item["name"] for item in run.results[1]["undelivered"]] == [
        "deployment-finish",
        "deployment-failure",
    ]


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"phase": "start"}, "name"),
    ({"phase": "start", "name": " "}, "name"),
    ({"name": "d"}, "phase"),
    ({"phase": "start", "name": "d", "status": "failed"}, "status"),
    ({"phase": "start", "name": "d", "deployment": {"id": "1"}}, "deployment"),
    ({"phase": "start", "name": "d", "id": "x" * 129}, "id"),
    ({"phase": "start", "name": "d", "start_event": ""}, "start_event"),
    ({"phase": "start", "name": "d", "details": {"much": "x" * 4000}}, "details"),
    ({"phase": "finish", "name": "d", "id": "1"}, "status"),
    ({"phase": "finish", "name": "d", "status": "failed"}, "deployment"),
    ({"phase": "finish", "status": "failed"}, "deployment"),
    ({"phase": "finish", "status": "failed", "deployment": {"name": "d"}}, "deployment.id"),
    ({"phase": "finish", "status": "failed", "deployment": {"id": "1"}}, "deployment.name"),
    ({"phase": "finish", "status": "empty", "id": "1", "name": "d"}, "status"),
    (
        {"phase": "finish", "status": "failed", "id": "1", "deployment": {"id": "1", "name": "d"}},
        "id, name",
    ),
    (
        {
            "phase": "finish",
            "status": "failed",
            "deployment": {"id": "1", "name": "d", "started_at": "then"},
        },
        "deployment.started_at",
    ),
]


@pytest.mark.every_core
def test_bad_input_is_named_before_anything_is_sent(tasks: Tasks, receiver: Receiver) -> None:
    run = tasks([{DEPLOYMENT: options} for options, _named in BAD_INPUT])
    for result, (options, named) in zip(run.results, BAD_INPUT, strict=True):
        assert result["failed"] is True, options
        assert named in result["msg"], (options, result["msg"])
    assert receiver.requests == []
