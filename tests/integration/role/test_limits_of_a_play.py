# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""any_errors_fatal and max_fail_percentage stop the play as they do without the role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.release import __version__ as core_version

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import Outcome, Play

pytestmark = pytest.mark.every_core

CORE = tuple(int(part) for part in core_version.split(".")[:2])
Deploy = Callable[..., tuple[Outcome, Outcome]]
AFTER = """
DEPLOY
- name: After the deployment
  ansible.builtin.debug:
    msg: after
  changed_when: true
"""
# The other hosts may complete the deployment before the play stops. They have nothing to do here.
MIGRATE = """
- name: Migrate
  ansible.builtin.fail:
  when: place in fails
"""
FATAL = "any_errors_fatal: true"
ABOVE = "max_fail_percentage: 40\nserial: 2"


def _with_failures_counted_once(outcome: Outcome) -> dict[str, Any]:
    facts = outcome.facts
    for counts in facts["recap"].values():
        counts["failed"] = min(counts["failed"], 1)
    return facts


def test_any_errors_fatal_ends_the_play_and_the_batches_after_it(deploy: Deploy) -> None:
    play = Play("fatal", AFTER, FATAL + "\nserial: 2", (2,), hosts=3, deploy=MIGRATE)

    ours, theirs = deploy([play])

    assert ours.phases == ("running", "failed")
    assert _with_failures_counted_once(ours) == theirs.facts, ours.output + theirs.output
    # Without the second failure 2.16 would go on with the other hosts.
    assert ours.recap["fatal", 2]["failed"] == (2 if CORE < (2, 17) else 1)


def test_any_errors_fatal_with_an_unreachable_host(deploy: Deploy) -> None:
    ours, theirs = deploy([Play("unreachable", AFTER, FATAL, gone=(2,))])

    if CORE < (2, 17):  # it leaves the role no way to report the finish
        assert ours.phases == ("running",)
        assert ours.returncode == theirs.returncode != 0
    else:
        assert ours.phases == ("running", "failed")
        assert ours.facts == theirs.facts, ours.output + theirs.output


def test_max_fail_percentage_ends_the_play_only_above_it(deploy: Deploy) -> None:
    plays = [
        Play("below", AFTER, "max_fail_percentage: 60", (2,), deploy=MIGRATE),
        Play("above", AFTER, ABOVE, (2,), hosts=3, deploy=MIGRATE),
    ]

    outcomes = deploy(plays)

    for play in plays:
        ours, theirs = (outcome.part(play.title) for outcome in outcomes)
        assert ours.phases == ("running", "failed"), ours.output
        assert _with_failures_counted_once(ours) == theirs.facts, ours.output + theirs.output
        assert ours.recap[play.title, 2]["failed"] == 2
        assert ours.recap[play.title, 1]["changed"] == (play.title == "below")
