# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a journal can be read again, and what is damaged is no record."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import (
    RunRecord,
    events_record,
    missing_finish,
    missing_start,
    read_events,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.deployments import (
    deployments,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    NAMING,
    STARTED,
    deployment,
    finish_record,
    names_of,
    run_of,
    start_record,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def _stored(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found


@given(deployments())
def test_a_run_that_was_written_down_can_end_elsewhere(some: Deployment) -> None:
    some = replace(some, status="running", started_at=STARTED, failures=(), hosts=None)
    run = run_of(deployment=replace(some, finished_at=None, reason=None))
    found = RunRecord.read(_stored(run.dump()))

    assert found == run
    events = read_events(missing_finish(run, "lost", STARTED + 9))
    assert names_of(events) == ["deployment-finish", "deployment-failure"]


def test_a_journal_says_what_it_is_and_by_which_rules_it_is_written() -> None:
    record = run_of().dump()

    assert (record["record"], record["version"]) == ("run", 1)


@pytest.mark.parametrize(
    "change", [{"record": "aaa"}, {"record": "zzz"}, {"version": 0}, {"version": 2}]
)
def test_a_record_of_another_kind_or_of_other_rules_is_no_run(change: dict[str, Any]) -> None:
    assert RunRecord.read(_stored(run_of().dump())) is not None
    assert RunRecord.read({**_stored(run_of().dump()), **change}) is None


@pytest.mark.parametrize("kind", ["aaa", "run", "zzz"])
def test_a_record_of_another_kind_holds_no_events(kind: str) -> None:
    assert len(read_events(_stored(finish_record()))) == 1
    assert read_events({**_stored(finish_record()), "record": kind}) == []


@pytest.mark.parametrize("started_at", [None, 0.0, 1e9])
def test_a_run_whose_start_is_long_ago_or_unknown_can_end(started_at: float | None) -> None:
    run = run_of(deployment=deployment(started_at=started_at))

    assert RunRecord.read(_stored(run.dump())) == run


@pytest.mark.parametrize("started_at", [None, 0.0, 1e9])
def test_the_missing_start_has_the_time_of_the_start_when_that_is_known(
    started_at: float | None,
) -> None:
    record = missing_start(run_of(deployment=deployment(started_at=started_at)), 2e9)

    assert record["at"] == (2e9 if started_at is None else started_at)
    assert names_of(record["events"]) == ["deployment-start"]


def test_the_end_of_a_run_that_says_no_start_is_when_it_was_noticed() -> None:
    record = missing_finish(run_of(deployment=deployment(started_at=None)), "lost", 2e9)

    assert record["at"] == 2e9


def test_events_belong_to_no_group_unless_one_is_named() -> None:
    assert NAMING.group_id == 0
    assert [event.group_id for event in read_events(start_record())] == [0]


@pytest.mark.parametrize("value", [NAMING, run_of()], ids=lambda value: type(value).__name__)
def test_what_was_written_down_cannot_be_changed(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, next(iter(vars(value))), None)


def test_the_missing_finish_says_how_and_when_it_ended() -> None:
    content = json.loads(missing_finish(run_of(), "killed", STARTED + 60)["events"][0]["content"])

    assert (content["status"], content["reason"]) == ("aborted", "killed")
    assert (content["id"], content["duration_s"]) == ("d1", 60.0)


def test_a_clock_set_back_gives_no_finish_before_the_start() -> None:
    content = json.loads(missing_finish(run_of(), "lost", STARTED - 60)["events"][0]["content"])

    assert content["finished_at"] == content["started_at"]
    assert content["duration_s"] == 0


def test_finish_and_failure_are_one_record_for_a_line_is_there_as_a_whole() -> None:
    assert names_of(finish_record(status="failed")["events"]) == [
        "deployment-finish",
        "deployment-failure",
    ]
    assert names_of(finish_record()["events"]) == ["deployment-finish"]
    assert (start_record()["final"], finish_record()["final"]) == (False, True)


def test_an_event_without_a_name_is_an_error_before_anything_is_written() -> None:
    with pytest.raises(InvalidInput, match="start_event: is empty"):
        events_record(deployment(), replace(NAMING, start_event=" "), STARTED)


def test_the_time_of_an_event_is_that_of_the_happening() -> None:
    early, late = (read_events(_stored(start_record(at=at)))[0].time for at in (STARTED, 2e9))

    assert early != late
    assert read_events(_stored(start_record(at=STARTED)))[0].time == early


@given(record=st.dictionaries(st.sampled_from(["record", "at", "events", "final"]), _JSON))
def test_whatever_stands_there_is_events_or_none(record: dict[str, Any]) -> None:
    for kind in ("events", record.get("record")):
        assert isinstance(read_events({**record, "record": kind}), list)


@given(
    part=st.sampled_from(["deployment", "naming", "destination", "host", "pid", "mark"]), to=_JSON
)
def test_a_damaged_run_is_none_or_one_that_can_be_ended(part: str, to: Any) -> None:
    found = RunRecord.read({**_stored(run_of().dump()), part: to})

    assert found is None or missing_finish(found, "lost", STARTED)["final"] is True


@given(key=st.sampled_from([*vars(deployment())]), to=_JSON)
def test_a_damaged_deployment_is_none_or_one_that_can_be_ended(key: str, to: Any) -> None:
    record = _stored(run_of().dump())
    record["deployment"][key] = to
    found = RunRecord.read(record)

    assert found is None or missing_finish(found, "lost", STARTED)["final"] is True


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"record": "events"},
        {"record": "run", "version": 2},
        {"record": "run", "version": 1},
        {**run_of().dump(), "pid": float("inf")},
        {**run_of().dump(), "deployment": {"id": "d1"}},
        {**run_of().dump(), "deployment": {**run_of().dump()["deployment"], "later": 1}},
        {**run_of().dump(), "naming": {"start_event": 1, "finish_event": 2, "failure_event": 3}},
    ],
)
def test_what_describes_no_run_is_none(record: dict[str, Any]) -> None:
    assert RunRecord.read(record) is None


@pytest.mark.parametrize("at", [10**400, float("inf"), None, "soon"])
def test_events_at_an_impossible_time_are_none(at: Any) -> None:
    assert (
        read_events({**start_record(), "at": at, "events": [{"name": "n", "content": "c"}]}) == []
    )
