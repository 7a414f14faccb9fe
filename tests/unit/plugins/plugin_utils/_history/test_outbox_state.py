# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What folders and dead letters tell about deployments."""

from __future__ import annotations

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import (
    overdue_record,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    finish,
    write_history,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    STARTED,
    finish_record,
    run_of,
    start_record,
)

NOW = 1_790_000_000.0


def deliveries(outbox: Outbox) -> dict[str, str]:
    answer = query(outbox.root, Filters(), NOW)
    return {one["id"]: one["delivery"] for one in answer.deployments}


def test_the_delivery_of_a_finish_is_known_from_folders_and_dead_letters(outbox: Outbox) -> None:
    names = ("delivered", "waiting", "refused", "expired", "task")
    write_history(outbox.root, (finish(name, NOW) for name in names))
    folder = outbox.create("any name")
    folder.append(run_of("waiting").dump(), start_record("waiting"), finish_record("waiting"))
    for kind in ("refused", "expired"):
        letter = {"kind": kind, "reason": "?", "events": finish_record(kind)["events"]}
        outbox.dead_letters.add(kind, letter)
    write_history(outbox.root, [{**finish("task", NOW), "delivery": "refused"}])
    # A start that was refused, and contents that are not about deployments.
    outbox.dead_letters.add("x", {"kind": "refused", "events": start_record("delivered")["events"]})
    outbox.dead_letters.add("x", {"events": [{"content": "text"}, {"content": "[1]"}, 5]})

    assert deliveries(outbox) == {**{name: name for name in names}, "task": "refused"}

    folder.set_delivered(folder.size())
    assert deliveries(outbox)["waiting"] == "delivered"


def test_a_running_deployment_is_overdue_once_the_event_is_written(outbox: Outbox) -> None:
    folder, run = outbox.create("d1"), run_of("d1")
    folder.append(run.dump(), start_record("d1"))
    before = query(outbox.root, Filters(), NOW).running
    folder.append(overdue_record(run, 60.0, STARTED + 60))
    (outbox.create("empty").path / "journal").touch()
    (outbox.create("odd").path / "journal").write_text("{}\n[]\n")
    after = query(outbox.root, Filters(), NOW).running

    assert [one["overdue"] for one in before] == [False]
    assert [(one["id"], one["status"], one["overdue"]) for one in after] == [
        ("d1", "running", True)
    ]
