# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results and statistics as ansible-core has them, before 2.19 and since."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.executor.stats import AggregateStats

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.compat import (
    parse_failure,
    read_counters,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import Failure

SECRET = "canary-no-log-77"


class Named:
    def __init__(self, name: str, no_log: bool | None = False) -> None:
        self._name = name
        self.no_log = no_log

    def get_name(self) -> str:
        return self._name


class OldResult:
    """As before ansible-core 2.19."""

    def __init__(self, task: Named, result: dict[str, Any] | None) -> None:
        self._host, self._task, self._result = Named("web1"), task, result


class NewResult:
    """As from ansible-core 2.19 on, where the old names warn."""

    def __init__(self, task: Named, result: dict[str, Any] | None) -> None:
        self._parts = (Named("web1"), task, result)

    @property
    def host(self) -> Named:
        return self._parts[0]

    @property
    def task(self) -> Named:
        return self._parts[1]

    @property
    def result(self) -> dict[str, Any] | None:
        return self._parts[2]

    @property
    def _host(self) -> Named:
        raise AssertionError("the old name is deprecated")


each_kind = pytest.mark.parametrize("kind", [OldResult, NewResult])


@each_kind
def test_a_failure_names_host_task_and_message(kind: type[Any]) -> None:
    assert parse_failure(kind(Named("Restart"), {"msg": "no"})) == Failure("web1", "Restart", "no")


@each_kind
@pytest.mark.parametrize("result", [None, {}, {"msg": None}, {"msg": ""}])
def test_a_failure_without_a_message_has_none(
    kind: type[Any], result: dict[str, Any] | None
) -> None:
    assert parse_failure(kind(Named("Restart"), result)) == Failure("web1", "Restart")


@each_kind
@pytest.mark.parametrize(
    ("no_log", "result"),
    [
        (True, {"msg": SECRET}),
        (False, {"msg": SECRET, "_ansible_no_log": True}),
        (None, {"censored": "the output has been hidden", "changed": False}),
    ],
)
def test_name_and_message_of_a_hidden_task_are_omitted(
    kind: type[Any], no_log: bool | None, result: dict[str, Any]
) -> None:
    assert parse_failure(kind(Named("log in with " + SECRET, no_log), result)) == Failure("web1")


@each_kind
def test_a_message_of_megabytes_is_cut(kind: type[Any]) -> None:
    failure = parse_failure(kind(Named("t" * 99_999), {"msg": "m" * 9_999_999}))

    assert len(failure.task or "") == len(failure.message or "") == 65_536


def test_the_statistics_of_ansible_are_read_and_not_touched() -> None:
    stats = AggregateStats()
    for what in ("ok", "ok", "changed", "rescued"):
        stats.increment(what, "web1")
    stats.increment("dark", "web2")
    before = {name: dict(getattr(stats, name)) for name in ("ok", "dark", "failures")}

    reading = read_counters(stats)

    assert {name: count for name, count in reading["web1"].items() if count} == {
        "ok": 2,
        "changed": 1,
        "rescued": 1,
    }
    assert reading["web2"]["dark"] == 1
    assert {name: dict(getattr(stats, name)) for name in before} == before
    stats.increment("ok", "web1")
    assert reading["web1"]["ok"] == 2, "a reading is of its moment"
