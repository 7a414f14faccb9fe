# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty runs at once on one outbox, killed at random with their couriers: a complete history."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import Account
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush import Flush
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.sender import Sender
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    CREDENTIALS,
    KEY_ID,
    SECRET,
    Parent,
    is_alive,
    settings_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    new_outbox,
    until,
)

RUNS = 20


def test_twenty_runs_at_once_and_killed_leave_one_line_each(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = request.config.getoption("--chaos-seed")
    print(f"\nseed {seed}: --chaos-seed={seed}")  # noqa: T201
    rng = random.Random(seed)
    outbox = new_outbox(tmp_path)
    with Receiver([Credential(KEY_ID, SECRET)]) as receiver:
        names = [f"run-{number}" for number in range(RUNS)]
        parents = [Parent(outbox, receiver.url, identifier=name) for name in names]
        killed = 0
        for parent in rng.sample(parents, RUNS):
            time.sleep(rng.uniform(0.0, 0.05))
            # The run, its courier, both or neither, some of them while the finish is written.
            parent.end_input()
            time.sleep(rng.choice((0.0, 0.0, rng.uniform(0.0, 0.02))))
            for pid in {0: [], 1: [parent.pid], 2: [parent.courier]}.get(
                rng.randrange(4), [parent.courier, parent.pid]
            ):
                killed += 1
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for parent in parents:
            parent.end()
        until(lambda: not any(is_alive(parent.courier) for parent in parents), 60)
        sender = Sender(settings_for(receiver.url).connection, CREDENTIALS)
        flush = Flush(outbox, Account.of_given(DESTINATION), sender.send, 5.0)
        until(lambda: (flush.run("keep"), outbox.folders() == [])[1], 60)
        outbox.history.maintain(time.time())
        contents = [json.loads(event["content"]) for event in receiver.events]

    answer = query(outbox.root, Filters(), time.time() + 1)
    delivered = {one["id"]: one["status"] for one in contents if one["phase"] == "finish"}
    print(f"{killed} kills: {sorted(delivered.values())}")  # noqa: T201
    assert sorted(one["id"] for one in answer.deployments) == sorted(names), f"seed {seed}"
    assert {one["id"]: one["status"] for one in answer.deployments} == delivered, f"seed {seed}"
    assert {one["delivery"] for one in answer.deployments} == {"delivered"}
    assert (answer.damaged, answer.unknown, answer.running) == (0, 0, [])
