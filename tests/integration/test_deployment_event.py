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
def test_start_and_finish_tell_one_story_and_a_failure_has_an_event_of_its_own(
    tasks: Tasks, receiver: Receiver
) -> None:
    temporary = {
        "access_key_id": "STS." + KEY_ID,
        "access_key_secret": SECRET,
        "security_token": TOKEN,
        "report_from": "target",
    }
    run = tasks(
        [
            START,
            finish("succeeded", details={"tickets": ["A-1"]}),
            finish("aborted", failure_event="alarm", finish_event="end", group_id=9),
            finish("failed", failure_event=""),
            {**START, "check_mode": True},
            {**finish("failed"), "check_mode": True},
            finish("failed", **temporary),
        ]
    )
    assert [result["delivered"] for result in run.results] == [1, 1, 2, 1, 0, 0, 2]
    assert len(receiver.requests) == 5
    told = contents(receiver)
    assert [(item["event"], item["status"]) for item in told] == [
        ("deployment-start", "running"),
        ("deployment-finish", "succeeded"),
        ("end", "aborted"),
        ("alarm", "aborted"),
        ("deployment-finish", "failed"),
        ("deployment-finish", "failed"),
        ("deployment-failure", "failed"),
    ]
    assert [item["groupId"] for item in receiver.events] == [0, 0, 9, 9, 0, 0, 0]

    started, finished = (result["deployment"] for result in run.results[:2])
    assert list(finished) == [
        "id", "name", "version", "environment", "commit", "repository", "committed_at", "url",
        "previous", "status", "started_at", "finished_at", "duration_s",
    ]  # fmt: skip
    assert (started["status"], finished["status"]) == ("running", "succeeded")
    assert started["finished_at"] is None
    assert UTC.fullmatch(finished["finished_at"])
    assert {item["id"] for item in told} == {started["id"]} == {finished["id"]}
    assert {item["started_at"] for item in told} == {started["started_at"]}
    last = told[1]
    assert last["duration_s"] == finished["duration_s"] >= 0
    assert (last["name"], last["version"], last["environment"]) == ("shop", "1.4.2", "prod")
    assert last["playbook"].endswith("site.yml")
    assert last["details"] == {"tickets": ["A-1"]}
    assert last["user"]
    assert last["controller"]
    assert "parent" not in last


# One of each kind. The unit tests of the options have all.
BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"phase": "start"}, "name"),
    ({"name": "d"}, "phase"),
    ({"phase": "start", "name": "d", "start_event": ""}, "start_event"),
    ({"phase": "start", "name": "d", "details": {"much": "x" * 4000}}, "details"),
    ({"phase": "finish", "status": "empty", "id": "1", "name": "d"}, "status"),
    ({"phase": "finish", "status": "failed", "deployment": {"id": "1"}}, "deployment.name"),
]


@pytest.mark.every_core
def test_bad_input_is_named_before_anything_is_sent_and_an_outage_returns_the_deployment(
    tasks: Tasks, receiver: Receiver
) -> None:
    receiver.set_faults(["signature", "signature"])
    bad = [{DEPLOYMENT: options} for options, _named in BAD_INPUT]
    run = tasks([START, finish("failed", report_errors="warn"), *bad])

    assert len(run.warnings) == 1, run.output
    assert [result["failed"] for result in run.results[:2]] == [True, False]
    assert run.results[0]["deployment"]["name"] == "shop"
    assert [item["name"] for item in run.results[1]["undelivered"]] == [
        "deployment-finish",
        "deployment-failure",
    ]
    for result, (options, named) in zip(run.results[2:], BAD_INPUT, strict=True):
        assert result["failed"] is True, options
        assert named in result["msg"], (options, result["msg"])
    assert len(receiver.requests) == 2
