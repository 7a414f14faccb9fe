# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The overview of an outbox as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overview import (
    DamagedEntry,
    DeadEntry,
    DeliveryEntry,
    DeploymentEntry,
    Overview,
    QueueEntry,
    State,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overview_text import (
    overview_lines,
    shown_age,
    summary,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.terminal import (
    WIDTH,
    width,
)
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import blocks, guide

OUTBOX = "/home/ada/.ansible/aliops.cloudmonitor"
SHOP = DeploymentEntry(
    "1", "shop", None, "production", State.OVERDUE, 0.0, 9000.0, 0, None, None, 4242, "/o/runs/1"
)
DOWN = (
    "Cloud Monitor (https://metrichub-cms-cn-hangzhou.aliyuncs.com) cannot be reached: connection "
    "refused. Check the endpoint, the network, and the proxy."
)
PRICES = replace(SHOP, name="price-list", state=State.WAITING, age=200.0, events=2, problem=DOWN)
BLOG = replace(PRICES, name="blog", environment="staging", next_attempt_in=42.0)
QUEUE = QueueEntry("nightly-export", None, 0.0, 200.0, 1250, DOWN, "/o/runs/q")
REFUSED = "The user may not call cms:PutCustomEvent. Allow it in the RAM policy of the user."
DEAD = DeadEntry("d", "shop", "staging", 1, 2, "refused", REFUSED, 0.0, 2e5, "/o/dead/d")
BAD = DamagedEntry(f"{OUTBOX}/damaged/9b1f", None, True, 7200.0)
LINE = "2 events, cn-hangzhou, 0.103 s, attempt 1, request 86BC29E8"
SENT = DeliveryEntry(0.0, 30.0, "a", "blog", "production", 2, LINE)
FULL = Overview(OUTBOX, True, [SHOP, PRICES, BLOG], [QUEUE], [DEAD], [BAD], [SENT])


def test_the_screen_of_the_guide_shows_the_next_command_for_every_problem() -> None:
    (screen,) = [one.text for one in blocks(guide("operations"), "text") if "Outbox:" in one.text]

    assert "\n".join(overview_lines(FULL)) + "\n" == screen


def test_wide_characters_take_two_columns() -> None:
    wide = replace(PRICES, name="\u652f\u4ed8" * 9)
    lines = overview_lines(replace(FULL, deployments=[wide, BLOG]))

    name = "\u652f\u4ed8" * 5 + "\u652f\u2026"
    assert f"{name}  production   waiting  3 min       2  next run  [1]" in lines
    assert f"blog{' ' * 19}  staging      waiting  3 min       2  in 42 s   [1]" in lines


@pytest.mark.parametrize(
    ("overview", "expected"),
    [
        (Overview("/o", False), "The outbox does not exist. No run has used it yet."),
        (Overview("/o", True), "Nothing runs or waits, and nothing was refused."),
        (
            Overview("/o", True, unread=3),
            "0 deployments running, 0 waiting, 0 events to deliver, 0 dead letters, 3 not read, "
            "because there are so many.",
        ),
    ],
)
def test_an_outbox_with_nothing_to_show_has_a_clear_sentence(
    overview: Overview, expected: str
) -> None:
    assert summary(overview) == expected
    assert not any(line.isupper() for line in overview_lines(overview) if line != "NEXT STEPS")


def test_of_many_entries_the_first_are_shown_and_the_rest_is_counted() -> None:
    lines = overview_lines(replace(FULL, deployments=[PRICES] * 10_000))

    assert sum(line.startswith("price-list") for line in lines) == 20
    assert "and 9,980 more" in lines
    assert len(lines) < 80


def test_the_commands_for_an_outbox_that_the_user_has_named_are_about_that_outbox() -> None:
    lines = overview_lines(replace(FULL, outbox="/my outbox"), named=True)

    assert "  export CLOUDMONITOR_OUTBOX='/my outbox'" in lines
    assert "  rm -r '/my outbox/damaged'/*" in lines


@given(st.text(), st.text(), st.text(max_size=400), st.integers(0, 10**12))
def test_no_name_breaks_the_table(name: str, environment: str, problem: str, number: int) -> None:
    entry = replace(
        PRICES, name=name, environment=environment, problem=problem, events=number, age=number
    )
    queue = replace(QUEUE, label=name, events=number, problem=problem)
    dead = replace(DEAD, name=name, environment=environment, events=number, reason=problem)
    lines = overview_lines(Overview("/o", True, [entry, SHOP], [queue], [dead], [], [SENT]))

    assert max(width(line) for line in lines) <= WIDTH
    assert all(line == "" or line.isprintable() for line in lines)
    head, row, other = lines[lines.index("DEPLOYMENTS") + 1 :][:3]
    before = [
        width(line[: line.rindex(word)]) for line, word in ((head, "STATE"), (other, "overdue"))
    ]
    assert before[0] == before[1]
    assert width(row[: row.rindex("waiting")]) == before[0]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 hour"),
        (172_799, "47 hours"),
        (172_800, "2 days"),
    ],
)
def test_an_age_has_one_unit(seconds: float | None, expected: str) -> None:
    assert shown_age(seconds) == expected
