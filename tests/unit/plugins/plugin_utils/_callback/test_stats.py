# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on one playbook, from statistics that count on over several."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.stats import (
    COUNTERS,
    PlaybookEnd,
    playbook_outcome,
    reported_failures,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import Failure

_COUNTS = st.fixed_dictionaries(dict.fromkeys(COUNTERS, st.integers(0, 3)))
_READING = st.dictionaries(st.sampled_from(["h1", "h2", "h3", "h4"]), _COUNTS)


def _counts(**counts: int) -> dict[str, int]:
    return {**dict.fromkeys(COUNTERS, 0), **counts}


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"ok": 1}, "succeeded"),
        ({"ok": 1, "changed": 1}, "succeeded"),
        ({"skipped": 1}, "succeeded"),
        ({"ok": 1, "failures": 1}, "failed"),
        ({"dark": 1}, "failed"),
        ({"ok": 2, "rescued": 1}, "succeeded"),
        ({"ok": 1, "ignored": 1}, "succeeded"),
        ({"rescued": 1, "failures": 1}, "failed"),
        ({}, "empty"),
    ],
)
def test_what_counts_as_a_failure(counts: dict[str, int], status: str) -> None:
    result = playbook_outcome({}, {"h1": _counts(**counts)}, None)

    assert result.status == status
    assert result.failed_hosts == (("h1",) if status == "failed" else ())


def test_no_host_at_all_is_empty() -> None:
    assert playbook_outcome({}, {}, None).status == "empty"
    assert playbook_outcome({"h1": _counts(ok=1)}, {"h1": _counts(ok=1)}, None).status == "empty"


def test_each_host_is_counted_once_in_each_number() -> None:
    hosts = playbook_outcome(
        {},
        {
            "fine": _counts(ok=9, changed=4),
            "broken": _counts(ok=3, failures=2, changed=1),
            "gone": _counts(dark=1),
            "both": _counts(dark=1, failures=1),
            "saved": _counts(ok=1, rescued=2),
        },
        None,
    ).hosts

    assert vars(hosts) == {
        "total": 5,
        "ok": 2,
        "changed": 2,
        "failed": 2,
        "unreachable": 2,
        "rescued": 1,
    }


def test_a_counter_that_is_missing_has_counted_nothing() -> None:
    result = playbook_outcome({"h1": {}}, {"h1": {"ok": 1}}, None)

    assert result.status == "succeeded"
    assert (result.hosts.changed, result.hosts.rescued) == (0, 0)


def test_an_outcome_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(playbook_outcome({}, {}, None), "status", "failed")  # noqa: B010


@given(first=_READING, second=_READING)
def test_the_second_playbook_is_judged_as_if_it_had_run_alone(
    first: dict[str, dict[str, int]], second: dict[str, dict[str, int]]
) -> None:
    both = {
        host: {
            name: first.get(host, {}).get(name, 0) + second.get(host, {}).get(name, 0)
            for name in COUNTERS
        }
        for host in [*first, *(host for host in second if host not in first)]
    }
    together, alone = playbook_outcome(first, both, None), playbook_outcome({}, second, None)

    assert (together.status, together.hosts) == (alone.status, alone.hosts)
    assert set(together.failed_hosts) == set(alone.failed_hosts)
    assert together.hosts.ok + len(together.failed_hosts) == together.hosts.total


@given(before=_READING, after=_READING)
def test_statistics_that_went_backwards_are_no_failure_and_no_error(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> None:
    result = playbook_outcome(before, after, None)

    for host in result.failed_hosts:
        grown = [after[host][name] > before.get(host, {}).get(name, 0) for name in COUNTERS]
        assert any(grown)


@pytest.mark.parametrize(
    ("counts", "exit_status", "left", "status", "responsible"),
    [
        ({"h1": {"dark": 1, "ok": 2}}, 0, [], "succeeded", ()),
        ({"h1": {"failures": 1}, "h2": {"ok": 1}}, 0, [], "succeeded", ()),
        ({}, 0, ["h9"], "empty", ()),
        ({"h1": {"failures": 1}, "h2": {"ok": 1}}, 2, ["h1"], "failed", ("h1",)),
        # h1 has recovered, h2 has not.
        ({"h1": {"dark": 1}, "h2": {"failures": 1}}, 2, ["h2"], "failed", ("h2",)),
        # any_errors_fatal also marks the hosts that did not fail themselves.
        ({"h1": {"ok": 1}, "h2": {"failures": 1}}, 2, ["h1", "h2"], "failed", ("h2",)),
        ({"h1": {"failures": 1}}, 2, [], "failed", ("h1",)),
        # An earlier playbook left h9 unreachable.
        ({"h1": {"ok": 1}}, 4, ["h9"], "failed", ("h9",)),
        ({}, 255, [], "failed", ()),
    ],
)
def test_the_exit_status_decides(
    counts: dict[str, dict[str, int]],
    exit_status: int,
    left: list[str],
    status: str,
    responsible: tuple[str, ...],
) -> None:
    after = {host: _counts(**numbers) for host, numbers in counts.items()}
    outcome = playbook_outcome({}, after, PlaybookEnd(exit_status, frozenset(left)))

    assert (outcome.status, outcome.failed_hosts) == (status, responsible)
    assert outcome.hosts == playbook_outcome({}, after, None).hosts


@given(first=_READING, second=_READING, exit_status=st.sampled_from([0, 1, 2, 4, 255]))
def test_whether_it_failed_is_always_the_exit_status(
    first: dict[str, dict[str, int]], second: dict[str, dict[str, int]], exit_status: int
) -> None:
    outcome = playbook_outcome(first, second, PlaybookEnd(exit_status, frozenset(first)))

    assert (outcome.status == "failed") is (exit_status != 0)
    assert outcome.status == "failed" or outcome.failed_hosts == ()


_LAST = {"h1": Failure("h1", "Restart", "no such service")}


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ("none", ()),
        ("task", (Failure("h1", "Restart"), Failure("h2"))),
        ("message", (Failure("h1", "Restart", "no such service"), Failure("h2"))),
    ],
)
def test_how_much_is_told(detail: str, told: tuple[Failure, ...]) -> None:
    assert reported_failures(("h1", "h2"), _LAST, detail) == told


def test_a_failure_that_did_not_count_in_the_end_is_not_told() -> None:
    assert reported_failures((), _LAST, "message") == ()


def test_at_most_ten_hosts_are_told() -> None:
    assert len(reported_failures(tuple(f"h{n}" for n in range(99)), {}, "task")) == 10
