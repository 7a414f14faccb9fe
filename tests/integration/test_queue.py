# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report_errors: queue - an outage loses no event of the role and of tasks, in whole runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
# Each of these requests meets another outage. The rest goes to a host that does not exist.
OUTAGES = ["status=500", "status=503", "hang", "throttle"]
ELSEWHERE = {"refused connection": "http://127.0.0.1:1", "unknown host": "http://nohost.invalid"}


def plays() -> list[dict[str, Any]]:
    """A deployment by the role, one by tasks, and 252 events."""
    shop = {"deployment_name": "shop", "deployment_tasks_file": "deploy.yml"}
    started = {"phase": "start", "name": "till", "report_errors": "queue"}
    finished = {
        "phase": "finish",
        "deployment": "{{ result_0.deployment }}",
        "status": "failed",
        "report_errors": "queue",
    }
    elsewhere = [
        {"name": name, "content": url, "endpoint": url, "report_errors": "queue"}
        for name, url in ELSEWHERE.items()
    ]
    listed: list[dict[str, Any]] = [
        {"ansible.builtin.include_role": {"name": ROLE}, "vars": shop},
        {DEPLOYMENT: started, "register": "result_0"},
        {DEPLOYMENT: finished, "register": "result_1"},
        {EVENT: elsewhere[0], "register": "result_2"},
        {EVENT: elsewhere[1], "register": "result_3"},
        {EVENT: {"events": BULK, "report_errors": "queue"}, "register": "result_4"},
    ]
    names = "[result_0, result_1, result_2, result_3, result_4]"
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


def test_every_event_arrives_once_in_order_and_with_its_time_after_an_outage_of_any_kind(
    playbook: Callable[..., Run], receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "deploy.yml").write_text('[{"ansible.builtin.debug": {"msg": "deployed"}}]')
    # The last one is for the 250 events.
    receiver.set_faults([*OUTAGES, "status=503*inf"])
    env = {
        **credentials_in_environment(receiver),
        "CLOUDMONITOR_TIMEOUT": "0.7",
        "CLOUDMONITOR_RETRIES": "0",
    }

    queued = playbook(plays(), env=env)
    receiver.set_faults([])
    assert queued.rc == 0, queued.output
    assert [result["queued"] for result in queued.results] == [1, 2, 1, 1, 250]
    assert all(result["changed"] for result in queued.results)
    # Two of the role, for its start and its finish, and one of each task. Two tasks could not
    # connect, and Ansible shows a text once.
    assert len(queued.warnings) == 6
    assert all("or aliops.cloudmonitor.flush_outbox" in text for text in queued.warnings)
    assert receiver.events == []
    runs = tmp_path / ".ansible" / "aliops.cloudmonitor" / "runs"
    stored = [path.read_text() for path in runs.glob("*/*")]
    assert len(list(runs.iterdir())) == 7
    assert SECRET not in "".join(stored)

    # Once by a flush, and once more by a run with the callback.
    saved = shutil.copytree(runs, tmp_path / "saved")
    for how in ("flush", "run"):
        known = len(receiver.events)
        later, enabled = delivering(how)
        assert playbook(later, env={**env, **enabled}).rc == 0
        own = 2 if how == "run" else 0
        receiver.wait_for(known + len(WANTED) + own, deadline=30.0)
        found = receiver.events[known:]
        check_events([event for event in found if '"name":"site"' not in event["content"]])
        assert len(found) == len(WANTED) + own
        # A courier removes the folder after its events have arrived.
        until(lambda: not [*runs.glob("[!.]*")], "an empty outbox")
        shutil.copytree(saved, runs, dirs_exist_ok=True)


WANTED = ["deployment-start", "deployment-finish"] * 2 + ["deployment-failure", *ELSEWHERE]
WANTED += [event["name"] for event in BULK]


def check_events(events: list[dict[str, Any]]) -> None:
    """Check that all events are there once, in order, and with the time at which they occurred."""
    assert [event["name"] for event in events] == WANTED
    assert [occurred(event) for event in events[:5]] == [event["time"] for event in events[:5]]
    statuses = [json.loads(event["content"])["status"] for event in events[:5]]
    assert statuses == ["running", "succeeded", "running", "failed", "failed"]
    contents = [event["content"].replace(SECRET, "********") for event in BULK]
    assert [event["content"] for event in events[7:]] == contents
    expected = [re.sub("[-:]", "", event["time"]).replace("Z", ".000+0000") for event in BULK]
    assert [event["time"] for event in events[7:]] == expected
