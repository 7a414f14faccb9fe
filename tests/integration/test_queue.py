# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report_errors: queue - an outage loses no event of the role and of tasks, in whole runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import until
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    DEPLOYMENT,
    EVENT,
    SECRET,
    Run,
    credentials_in_environment,
)

ROLE = "aliops.cloudmonitor.deployment"
FLUSH = "aliops.cloudmonitor.flush_outbox"
CALLBACK = "aliops.cloudmonitor.deployment_events"

BULK = [
    {"name": "disk-replaced", "content": f"slot {n}", "time": f"2026-03-01T09:{n % 60:02}:00Z"}
    for n in range(250)
]
BULK[7]["content"] = f"signed with {SECRET}"
# Everything is delivered by one flush or, in half of the cases, by one run with the callback.
OUTAGES = {
    "refused connection": ("http://127.0.0.1:1", None, "flush"),
    "unknown host": ("http://nohost.invalid", None, "run"),
    "500": (None, "status=500*inf", "run"),
    "503": (None, "status=503*inf", "flush"),
    "hang": (None, "hang*inf", "flush"),
    "throttled": (None, "throttle*inf", "run"),
}


def plays() -> list[dict[str, Any]]:
    """A deployment by the role, one by tasks, and 250 events."""
    shop = {"deployment_name": "shop", "deployment_tasks_file": "deploy.yml"}
    started = {"phase": "start", "name": "till", "report_errors": "queue"}
    finished = {
        "phase": "finish",
        "deployment": "{{ result_0.deployment }}",
        "status": "failed",
        "report_errors": "queue",
    }
    listed: list[dict[str, Any]] = [
        {"ansible.builtin.include_role": {"name": ROLE}, "vars": shop},
        {DEPLOYMENT: started, "register": "result_0"},
        {DEPLOYMENT: finished, "register": "result_1"},
        {EVENT: {"events": BULK, "report_errors": "queue"}, "register": "result_2"},
    ]
    names = "[result_0, result_1, result_2]"
    told = f"RESULTS-IN-BASE64:{{{{ {names} | to_json | b64encode }}}}"
    listed.append({"ansible.builtin.debug": {"msg": told}})
    return [{"hosts": "all", "gather_facts": False, "tasks": listed}]


def delivering(how: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The run that delivers, and its environment."""
    task = {FLUSH: {}} if how == "flush" else {"ansible.builtin.debug": {"msg": "later"}}
    enabled = {} if how == "flush" else {"ANSIBLE_CALLBACKS_ENABLED": CALLBACK}
    return [{"hosts": "all", "gather_facts": False, "tasks": [task]}], enabled


def occurred(event: dict[str, Any]) -> str:
    """The time in the content of a deployment event, in the form of the service."""
    content = json.loads(event["content"])
    moment = content["started_at" if content["phase"] == "start" else "finished_at"]
    return re.sub("[-:]", "", moment).replace("Z", "+0000")


@pytest.mark.parametrize("outage", OUTAGES)
def test_every_event_arrives_once_in_order_and_with_its_time_after_the_outage(
    playbook: Callable[..., Run], receiver: Receiver, tmp_path: Path, outage: str
) -> None:
    endpoint, fault, how = OUTAGES[outage]
    (tmp_path / "deploy.yml").write_text('[{"ansible.builtin.debug": {"msg": "deployed"}}]')
    receiver.set_faults([] if fault is None else [fault])
    env = {
        **credentials_in_environment(receiver),
        "CLOUDMONITOR_TIMEOUT": "0.7",
        "CLOUDMONITOR_RETRIES": "0",
    }
    down = {**env, **({} if endpoint is None else {"CLOUDMONITOR_ENDPOINT": endpoint})}

    queued = playbook(plays(), env=down)
    receiver.set_faults([])
    assert queued.rc == 0, queued.output
    assert [result["queued"] for result in queued.results] == [1, 2, 250]
    assert all(result["changed"] for result in queued.results)
    # Two of the role, for its start and its finish, and one of each task.
    assert len(queued.warnings) == 5
    assert all("or aliops.cloudmonitor.flush_outbox" in text for text in queued.warnings)
    assert receiver.events == []
    runs = tmp_path / ".ansible" / "aliops.cloudmonitor" / "runs"
    stored = [path.read_text() for path in runs.glob("*/*")]
    assert len(list(runs.iterdir())) == 5
    assert SECRET not in "".join(stored)

    wanted = ["deployment-start", "deployment-finish"] * 2 + ["deployment-failure"]
    wanted += [event["name"] for event in BULK]
    later, enabled = delivering(how)
    assert playbook(later, env={**env, **enabled}).rc == 0
    own = 2 if how == "run" else 0
    receiver.wait_for(len(wanted) + own, deadline=30.0)
    mine = [event for event in receiver.events if '"name":"site"' not in event["content"]]

    assert [event["name"] for event in mine] == wanted
    assert [occurred(event) for event in mine[:5]] == [event["time"] for event in mine[:5]]
    statuses = [json.loads(event["content"])["status"] for event in mine[:5]]
    assert statuses == ["running", "succeeded", "running", "failed", "failed"]
    contents = [event["content"].replace(SECRET, "********") for event in BULK]
    assert [event["content"] for event in mine[5:]] == contents
    expected = [re.sub("[-:]", "", event["time"]).replace("Z", ".000+0000") for event in BULK]
    assert [event["time"] for event in mine[5:]] == expected
    assert len(receiver.events) == len(mine) + own
    # A courier removes the folder after its events have arrived.
    until(lambda: not [*runs.glob("[!.]*")], "an empty outbox")
