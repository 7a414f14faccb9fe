# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics, against fixtures that were computed by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.timestamp import parse_epoch
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.metrics import (
    Sample,
    metrics,
    percentile,
)

HOUR = 3600.0


def sample(at: str, status: str = "succeeded", **parts: Any) -> Sample:
    """A deployment that ended at a time with an offset, so that the fixture shows local times."""
    finished_at = parse_epoch(at)
    return Sample(
        **{
            "id": at,
            "name": "shop",
            "environment": "production",
            "status": status,
            "finished_at": finished_at,
            **parts,
        }
    )


# Berlin, Sunday 2026-03-29: at 02:00 (+01:00) the clock goes to 03:00 (+02:00).
# Berlin, Sunday 2026-10-25: at 03:00 (+02:00) the clock goes back to 02:00 (+01:00).
SPRING = (
    sample("2026-03-28T12:00:00+01:00", duration_s=100.0),
    # Fails half an hour before the change, works again half an hour after it: one hour, not two.
    sample("2026-03-29T01:30:00+01:00", "failed", duration_s=200.0),
    sample("2026-03-29T03:30:00+02:00", duration_s=300.0),
    # Fails twice; the recovery begins with the first: 4 hours.
    sample("2026-03-30T08:00:00+02:00", "aborted", duration_s=400.0),
    sample("2026-03-30T10:00:00+02:00", "failed", duration_s=None),
    sample(
        "2026-03-30T12:00:00+02:00",
        duration_s=1000.0,
        # Saturday noon: 48 hours by the wall clock, 47 in fact.
        committed_at=parse_epoch("2026-03-28T12:00:00+01:00"),
    ),
    sample("2026-03-31T12:00:00+02:00", "failed", duration_s=600.0),
)


def test_metrics_equal_a_fixture_over_a_change_to_summer_time() -> None:
    since, until = (
        parse_epoch("2026-03-28T00:00:00+01:00"),
        parse_epoch("2026-04-01T00:00:00+02:00"),
    )

    assert metrics(SPRING, since, until) == [
        {
            "name": "shop",
            "environment": "production",
            # 4 days by the wall clock less one hour: 95 hours.
            "frequency": {
                "deployments": 7,
                "days": 3.958,
                "per_day": 1.7684,
                "per_week": 12.3789,
            },
            "failed": {"failed": 4, "deployments": 7, "ratio": 0.5714},
            "recovery": {
                "recoveries": 2,
                "median_s": 2.5 * HOUR,
                "open": 1,
                "open_s": 12 * HOUR,
            },
            "lead_time": {"deployments": 1, "median_s": 47 * HOUR},
            # 100, 200, 300, 400, 600, 1000: rank 2.5 and rank 4.75.
            "duration": {"deployments": 6, "p50_s": 350.0, "p95_s": 900.0},
        }
    ]


def test_a_recovery_over_the_change_to_winter_time_counts_the_hour_that_comes_twice() -> None:
    samples = (
        sample("2026-10-25T02:30:00+02:00", "failed"),
        sample("2026-10-25T02:30:00+01:00"),
    )
    found = metrics(samples, None, parse_epoch("2026-10-26T00:00:00Z"))[0]

    assert found["recovery"]["median_s"] == HOUR


def test_a_recovery_belongs_to_the_period_in_which_it_ends() -> None:
    failed, fixed = sample("2026-01-01T00:00:00Z", "failed"), sample("2026-01-03T00:00:00Z")
    period = (parse_epoch("2026-01-02T00:00:00Z"), parse_epoch("2026-01-04T00:00:00Z"))

    inside = metrics((failed, fixed), *period)[0]
    still_open = metrics((failed,), *period)[0]
    before = metrics((failed, fixed), None, period[0])[0]

    assert inside["failed"] == {"failed": 0, "deployments": 1, "ratio": 0.0}
    assert inside["recovery"] == {
        "recoveries": 1,
        "median_s": 48 * HOUR,
        "open": 0,
        "open_s": None,
    }
    assert still_open["failed"]["ratio"] is None
    assert still_open["recovery"]["open"] == before["recovery"]["open"] == 1


@pytest.mark.parametrize(
    ("parts", "number"),
    [
        ({}, 2),
        ({"deployed": False}, 1),  # check mode, or nothing ran
        ({"parent": "outer"}, 1),
        ({"parent": "between"}, 1),  # a part of a part with another name
        ({"parent": "running"}, 1),
        ({"parent": "unknown"}, 2),
        ({"parent": "inner"}, 2),  # damaged: its own parent
        ({"parent": "outer", "environment": "staging"}, 1),
    ],
)
def test_what_was_only_checked_or_is_a_part_of_another_deployment_is_not_counted(
    parts: dict[str, Any], number: int
) -> None:
    outer = sample("2026-01-01T00:00:00Z", id="outer")
    between = sample("2026-01-01T00:00:00Z", id="between", name="database", parent="outer")
    inner = sample("2026-01-01T00:00:00Z", **{"id": "inner", **parts})
    running = {"id": "running", "name": "shop", "environment": "production"}
    found = metrics((inner, between, outer), None, parse_epoch("2026-02-01T00:00:00Z"), [running])

    counts = {(one["name"], one["environment"]): one["frequency"]["deployments"] for one in found}
    assert counts["shop", "production"] == number
    assert (
        counts["database", None if "database" not in {n for n, _e in counts} else "production"] == 1
    )
    assert counts.get(("shop", "staging")) == (1 if "environment" in parts else None)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_is_between_the_values_and_the_fiftieth_is_the_median(
    values: list[float], percent: float
) -> None:
    found = percentile(values, percent)

    assert found is not None
    assert min(values) <= found <= max(values)
    ordered, half = sorted(values), len(values) // 2
    middle = ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
    assert percentile(values, 50) == pytest.approx(middle)


def test_without_deployments_there_are_no_metrics() -> None:
    assert metrics((), None, 1e9) == []
    assert percentile((), 50) is None
