# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report shows of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.views import (
    MAX_ENVIRONMENTS,
    MAX_SERVICES,
    MEASURE_NAMES,
    Link,
    commit_link,
    matrix,
    measures,
    row,
    running_row,
    totals,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import (
    report_samples as samples,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import finish

NOW = samples.NOW
HOUR = 3600.0


def cells(lines: list[dict[str, Any]], *running: dict[str, Any]) -> dict[tuple[str, str], Any]:
    found = matrix(samples.answer(lines, running), NOW)
    return {(name, cell.environment): cell for name, row in found.rows for cell in row}


def test_the_matrix_shows_what_runs_and_what_came_after_it() -> None:
    found = cells(
        [
            finish("a", NOW - 9 * HOUR, "failed", version="1.0"),
            finish("b", NOW - 3 * HOUR, version="1.1", url="https://example.com/1.1"),
            finish("c", NOW - 2 * HOUR, "failed", version="1.2"),
            finish("d", NOW - HOUR, "empty", version="1.3"),
            finish("e", NOW - HOUR, "failed", environment="staging", version="9"),
            finish("f", NOW - HOUR, version="8", environment="test", check_mode=True),
            finish("g", NOW - 400 * HOUR * 24, name="old", version="0.1"),
        ],
        samples.start(90, version="1.4", overdue=True),
    )

    shop = found["shop", "production"]
    assert (shop.current.version, shop.current.when) == (
        Link("1.1", "https://example.com/1.1"),
        "3 hours ago",
    )
    assert (shop.latest.state, shop.latest.version.text) == ("failed", "1.2")
    assert (shop.running.state, shop.running.when) == ("overdue", "for 1 min 30 s")
    staging = found["shop", "staging"]
    assert (staging.current, staging.latest.version.text) == (None, "9")
    assert ("shop", "test") not in found
    # It is older than the period, and still runs.
    assert found["old", "production"].current.when == "13 months ago"


def test_a_matrix_that_is_too_large_counts_the_rest() -> None:
    lines = [
        finish(f"{number}", NOW - HOUR, name=f"s{number}", environment=f"e{number % 40}")
        for number in range(MAX_SERVICES + 20)
    ]
    found = matrix(samples.answer(lines), NOW)

    assert (len(found.rows), found.more_services) == (MAX_SERVICES, 20)
    assert (len(found.environments), found.more_environments) == (
        MAX_ENVIRONMENTS,
        40 - MAX_ENVIRONMENTS,
    )


def test_totals_count_what_changed_something() -> None:
    lines = [
        finish("a", NOW - HOUR),
        finish("b", NOW - HOUR, "failed", delivery="waiting"),
        finish("c", NOW - HOUR, "aborted"),
        finish("d", NOW - HOUR, "empty"),
        finish("e", NOW - HOUR, check_mode=True),
    ]
    found = totals(samples.answer(lines, [samples.start(9), samples.start(10, overdue=True)]))

    assert [(one.value, one.remark) for one in found] == [
        ("3", "0.2 per week"),
        ("33 %", "1 of 3"),
        ("2", "of 3"),
        ("2", "1 overdue"),
        ("1", "1 waiting"),
    ]


def test_a_row_has_everything_that_is_known() -> None:
    content = finish(
        "a",
        NOW,
        "aborted",
        version="1.4.2",
        user="ada",
        reason="killed",
        parent="x",
        commit="0123456789abcdef0123",
        repository="https://git.example.com/acme/shop.git",
        ci={"system": "gitlab", "url": "https://ci.example.com/7"},
        failures=[{"host": f"web{number}"} for number in range(3)],
        delivery="refused",
    )
    found = row(content, "d0")

    assert (found.state, found.remarks) == ("aborted", "killed, part of another deployment")
    assert found.commit == Link("01234567", "https://git.example.com/acme/shop/commit/0123456789ab")
    assert found.job == Link("gitlab", "https://ci.example.com/7")
    assert (len(found.failures), len(found.more_failures)) == (2, 1)
    assert (found.duration, found.delivery) == ("1 min", "refused")


@pytest.mark.parametrize(
    "content",
    [
        {"name": "shop"},
        {"name": 7, "status": ["x"], "ci": "x", "failures": {"a": 1}, "commit": 12},
        {"duration_s": "long", "started_at": "yesterday", "failures": ["x"], "ci": {"url": 1}},
    ],
)
def test_a_row_of_anything_is_possible(content: dict[str, Any]) -> None:
    assert row(content, "d0").state == "empty"
    assert running_row({**content, "status": "running"}, NOW).state == "running"


def test_a_commit_without_a_web_address_has_its_long_form() -> None:
    known = {"commit": "0123456789", "repository": "git@example.com:acme/shop.git"}

    assert commit_link(known) == Link("01234567", None, "0123456789")
    assert commit_link({"commit": "abc"}) == Link("abc")
    assert commit_link({}) is None


def test_each_metric_has_its_sample() -> None:
    lines = [
        finish("a", NOW - 9 * HOUR, "failed", duration_s=60.0),
        finish("b", NOW - 7 * HOUR, duration_s=120.0, committed_at=NOW - 8 * HOUR),
        finish("c", NOW - HOUR, "aborted", duration_s=600.0),
    ]
    (metric,) = samples.answer(lines).metrics

    shown = dict(zip((name for name, _unused in MEASURE_NAMES), measures(metric), strict=True))
    assert {name: (one.value, one.sample) for name, one in shown.items()} == {
        "Frequency": ("0.2 per week", "3 in 90 days"),
        "Failed": ("67 %", "2 of 3"),
        "Recovery time": ("2 h", "of 1, failing for 1 h"),
        "Lead time": ("1 h", "of 1"),
        "Duration p50": ("2 min", "of 3"),
        "Duration p95": ("9 min 12 s", "of 3"),
    }
