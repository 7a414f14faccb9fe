# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of deployment_info: what is read, filtered and put together."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Answer,
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    DAY,
    finish,
    invented,
    write_history,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    run_of,
    start_record,
)

NOW = 1_790_000_000.0


def ask(outbox: Outbox, now: float = NOW, **filters: Any) -> Answer:
    return query(outbox.root, Filters(**filters), now)


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in found]


def test_an_outbox_without_history_has_an_empty_answer(outbox: Outbox, tmp_path: Path) -> None:
    for place in (outbox.root, tmp_path / "nothing"):
        answer = query(place, Filters(), NOW)

        assert (answer.deployments, answer.running, answer.current, answer.metrics) == (
            [],
            [],
            [],
            [],
        )
        assert not (place / "history").exists()


def test_the_last_line_of_an_id_counts_and_the_newest_deployment_comes_first(
    outbox: Outbox,
) -> None:
    write_history(
        outbox.root,
        (
            finish("a", NOW - 40 * DAY, version="1"),
            finish("b", NOW - 2 * DAY, version="2"),
            finish("b", NOW - 2 * DAY, "aborted", version="2", reason="killed"),
            finish("c", NOW - DAY, name="mail", environment=None),
        ),
    )
    answer = ask(outbox)

    assert ids(answer.deployments) == ["c", "b", "a"]
    assert answer.deployments[1]["reason"] == "killed"
    assert [(one["name"], one.get("environment"), one["id"]) for one in answer.current] == [
        ("mail", None, "c"),
        ("shop", "production", "a"),
    ]
    assert answer.current[1] == answer.deployments[2]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": "shop"}, "edcb"),
        ({"environment": "staging"}, "b"),
        ({"status": ("failed", "empty")}, "dc"),
        ({"since": NOW - 3 * DAY, "until": NOW - 2 * DAY}, "dc"),
        ({"limit": 2}, "fe"),
        ({"limit": 0}, ""),
        ({"name": "unknown"}, ""),
    ],
)
def test_filters_choose_deployments_and_neither_limit_nor_status_changes_the_metrics(
    outbox: Outbox, filters: dict[str, Any], expected: str
) -> None:
    write_history(
        outbox.root,
        (
            finish("b", NOW - 4 * DAY, environment="staging"),
            finish("c", NOW - 3 * DAY, "failed"),
            finish("d", NOW - 2 * DAY, "empty"),
            finish("e", NOW - DAY),
            finish("f", NOW, name="mail"),
        ),
    )
    answer = ask(outbox, **filters)
    unlimited = {key: value for key, value in filters.items() if key not in ("limit", "status")}

    assert "".join(ids(answer.deployments)) == expected
    assert answer.metrics == ask(outbox, **unlimited).metrics
    assert answer.matched == (5 if "limit" in filters else len(expected))


def test_deployments_that_only_checked_or_did_nothing_never_become_current(outbox: Outbox) -> None:
    lines = (
        finish("real", NOW - 9),
        finish("check", NOW - 8, check_mode=True),
        finish("empty", NOW - 7, "empty"),
        finish("failed", NOW - 6, "failed"),
    )
    write_history(outbox.root, lines)

    assert ids(ask(outbox).current) == ["real"]


def test_a_part_of_a_deployment_that_failed_does_not_stay_current(outbox: Outbox) -> None:
    write_history(
        outbox.root,
        (
            finish("before", NOW - 9, version="1"),
            finish("part", NOW - 8, version="2", parent="outer"),
            finish("other part", NOW - 7, version="2", parent="outer"),
        ),
    )
    assert ids(ask(outbox).current) == ["other part"]

    write_history(outbox.root, [finish("outer", NOW - 6, "failed", version="2")])

    assert ids(ask(outbox).current) == ["before"]


def test_damaged_lines_are_counted_and_lines_of_a_newer_version_are_read(outbox: Outbox) -> None:
    newer = finish(
        "newer",
        NOW,
        "rolled-back",
        schema="deployment/2",
        hosts=7,
        failures="none",
        user={"name": "bo"},
        duration_s=None,
        wave=3,
    )
    write_history(outbox.root, [finish("good", NOW - 1)])
    path = next((outbox.root / "history").iterdir())
    rest = [
        json.dumps(newer),
        '{"half of a li',
        "\x00\x01",
        "[1]",
        json.dumps({"id": "x", "kind": "note"}),
        json.dumps({**finish("odd time", NOW), "finished_at": "soon"}),
        json.dumps({**finish("odd name", NOW), "environment": {"a": 1}}),
    ]
    with path.open("a", encoding="utf-8") as file:
        file.write("\n".join(rest) + "\n" + '{"torn')
    answer = ask(outbox)

    assert ids(answer.deployments) == ["newer", "good"]
    assert (answer.damaged, answer.unknown) == (3, 3)
    assert answer.deployments[0]["wave"] == 3
    assert not {"hosts", "failures", "user"} & answer.deployments[0].keys()
    assert answer.metrics[0]["frequency"]["deployments"] == 1


def test_a_deployment_runs_until_its_finish_is_in_the_history(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    start = Deployment("d1", "shop", environment="production", user="bo", started_at=NOW - 60)
    folder.append(run_of(deployment=start).dump(), start_record())

    assert [(one["id"], one["user"], one["overdue"]) for one in ask(outbox).running] == [
        ("d1", "bo", False)
    ]
    assert ask(outbox, name="mail").running == []

    write_history(outbox.root, [finish("d1", NOW - 1, "failed", duration_s=59.0)])
    assert ask(outbox).running == []

    # An earlier deployment of the same id does not hide it.
    write_history(outbox.root, [finish("d1", NOW - 2 * DAY)])
    assert ids(ask(outbox).running) == ["d1"]


@pytest.mark.slow
def test_ten_thousand_deployments_are_read_in_a_moment(outbox: Outbox) -> None:
    write_history(outbox.root, invented(10_000, NOW))
    begin = time.process_time()
    answer = ask(outbox)

    assert len(answer.deployments) == 10_000
    assert len(answer.metrics) == len(answer.current) == 10
    assert time.process_time() - begin < 5
