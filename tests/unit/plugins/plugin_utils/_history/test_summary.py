# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The short table of the playbook."""

from __future__ import annotations

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.summary import (
    MAX_ROWS,
    summary,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.terminal import (
    WIDTH,
    width,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import (
    report_samples as samples,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import finish

NOW = samples.NOW


def test_the_table_shows_what_runs_and_what_came_after_it() -> None:
    lines = [
        finish("a", NOW - 7200, version="1.4.2", commit="0123456789"),
        finish("b", NOW - 90, "failed", version="1.5.0"),
        finish("c", NOW - 90, "aborted", name="mail"),
    ]
    answer = samples.answer(lines, [samples.start(65, version="1.6.0", overdue=True)])

    assert summary(answer, NOW) == [
        "deployment  environment  version  deployed     commit    newer deployment",
        "----------  -----------  -------  -----------  --------  " + "-" * 31,
        "mail        production   none                            aborted 1 minute ago",
        "shop        production   1.4.2    2 hours ago  01234567  1.5.0 failed 1 minute ago, 1.6…",
        "",
        "3 deployments since 28 Aug 2026: 2 failed or aborted, 1 running (1 overdue)",
    ]


def test_it_has_at_most_20_rows_that_fit_whatever_it_shows() -> None:
    lines = [finish(f"{number}", NOW - 60, name=f"s{number}") for number in range(MAX_ROWS + 5)]

    assert summary(samples.answer(lines), NOW)[-3] == "... and 5 more"
    assert summary(samples.answer([]), NOW) == [
        "0 deployments since 28 Aug 2026: 0 failed or aborted"
    ]
    hostile = summary(samples.hostile(), NOW)
    assert max(map(width, hostile)) <= WIDTH
    assert not any(one < " " or one == "\u202e" for line in hostile for one in line)
