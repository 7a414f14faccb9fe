# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module side: hosts that report by themselves, with whatever Python they have.

TARGET_PYTHONS may name their Pythons, separated as in PATH; without it this one is taken.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    DEPLOYMENT,
    EVENT,
    KEY_ID,
    SECRET,
    TOKEN,
    Run,
)

PYTHONS = os.environ.get("TARGET_PYTHONS", sys.executable).split(os.pathsep)
FROM_TARGET = {"report_from": "target"}
TEMPORARY = {
    "access_key_id": "STS." + KEY_ID,
    "access_key_secret": SECRET,
    "security_token": TOKEN,
}


def version_of(python: str) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def event(**options: Any) -> dict[str, Any]:
    return {EVENT: {"name": "n", "content": "c", **FROM_TARGET, **options}}


@pytest.fixture(params=PYTHONS, ids=version_of)
def on_target(request: pytest.FixtureRequest, tasks: Callable[..., Run]) -> Callable[..., Run]:
    """Run tasks on a host with one of the Pythons; each test runs with all of them."""

    def run(listed: list[dict[str, Any]], *args: str) -> Run:
        host = f"localhost ansible_connection=local ansible_python_interpreter={request.param}"
        which = {"ansible.builtin.setup": {"gather_subset": ["!all", "!min", "python"]}}
        done = tasks([*listed, which], *args, inventory=host)
        python = done.results[-1]["ansible_facts"]["ansible_python"]
        assert python["executable"] == request.param
        return done

    return run


@pytest.mark.every_core
def test_a_target_of_every_python_reports_checks_and_says_what_went_wrong(
    on_target: Callable[..., Run], receiver: Receiver
) -> None:
    many = [{"name": "n", "content": number} for number in range(150)]
    run = on_target(
        [
            {EVENT: {"events": many, **FROM_TARGET}},
            event(content={"a": ["云", 1.5, None, True]}, time="2017-10-23T14:44:39.948+08:00"),
            event(**TEMPORARY),
            {DEPLOYMENT: {"phase": "start", "name": "shop", "id": "7", **FROM_TARGET}},
            {
                DEPLOYMENT: {
                    "phase": "finish",
                    "deployment": "{{ result_3.deployment }}",
                    "status": "failed",
                    **FROM_TARGET,
                }
            },
            event(access_key_id="LTAI-other", access_key_secret=SECRET),
            event(endpoint="http://127.0.0.1:9", retries=0),
            {**event(), "check_mode": True},
        ]
    )
    reported, failed, checked = run.results[:5], run.results[5:7], run.results[7]
    assert [result.get("delivered") for result in reported] == [150, 1, 1, 1, 2], run.output
    contents = [item["content"] for item in receiver.events]
    assert contents[:151] == [*map(str, range(150)), '{"a":["云",1.5,null,true]}']
    assert receiver.events[150]["time"] == "20171023T144439.948+0800"
    assert receiver.requests[3]["access_key_id"] == "STS." + KEY_ID
    assert [item["name"] for item in receiver.events[152:]] == [
        "deployment-start",
        "deployment-finish",
        "deployment-failure",
    ]
    assert [result["error"]["kind"] for result in failed] == ["signature", "connection"], run.output
    assert [result["failed"] for result in failed] == [True, True]
    assert SECRET not in run.output
    assert (checked["changed"], checked["delivered"]) == (True, 0)
    assert len(receiver.requests) == 7
