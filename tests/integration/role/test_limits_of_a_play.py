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

CORE = tuple(int(part) for part in core_version.split(".")[:2])
Deploy = Callable[[Play], tuple[Outcome, Outcome]]
SIX = ("h1", "h2", "h3", "h4", "h5", "h6")
AFTER = """
DEPLOY
- name: After the deployment
  ansible.builtin.debug:
    msg: "after: {{ inventory_hostname }}"
  changed_when: true
"""


def _with_failures_counted_once(outcome: Outcome) -> dict[str, Any]:
    facts = outcome.facts
    for counts in facts["recap"].values():
        counts["failed"] = min(counts["failed"], 1)
    return facts


@pytest.mark.every_core
@pytest.mark.parametrize(
    "keywords",
    ["any_errors_fatal: true", "any_errors_fatal: true\nserial: 2"],
    ids=["all_at_once", "serial"],
)
def test_any_errors_fatal_ends_the_play(keywords: str, deploy: Deploy) -> None:
    ours, theirs = deploy(Play(AFTER, keywords, fails=("h2",)))

    assert ours.phases == ["running", "failed"]
    assert _with_failures_counted_once(ours) == theirs.facts, ours.output + theirs.output
    # Without the second failure 2.16 would go on with the other hosts.
    assert ours.recap["h2"]["failed"] == (2 if CORE < (2, 17) else 1)


@pytest.mark.every_core
@pytest.mark.skipif(CORE < (2, 17), reason="2.16 leaves the role no way to speak, tested below")
def test_any_errors_fatal_with_an_unreachable_host(deploy: Deploy) -> None:
    ours, theirs = deploy(Play(AFTER, "any_errors_fatal: true", gone=("h2",)))

    assert ours.phases == ["running", "failed"]
    assert ours.facts == theirs.facts, ours.output + theirs.output


@pytest.mark.every_core
def test_max_fail_percentage_ends_the_play(deploy: Deploy) -> None:
    play = Play(AFTER, "max_fail_percentage: 40\nserial: 3", ("h2", "h3"), hosts=SIX)

    ours, theirs = deploy(play)

    assert ours.phases == ["running", "failed"]
    ended, expected = _with_failures_counted_once(ours), theirs.facts
    assert ended == expected, ours.output + theirs.output
    assert {ours.recap[host]["failed"] for host in play.fails} == {2}


def test_below_max_fail_percentage_the_play_goes_on(deploy: Deploy) -> None:
    ours, theirs = deploy(Play(AFTER, "max_fail_percentage: 40", ("h2",)))

    assert ours.phases == ["running", "failed"]
    assert _with_failures_counted_once(ours) == theirs.facts
    assert "after: h1" in ours.output


def test_a_rescue_around_the_role_is_not_disturbed(deploy: Deploy) -> None:
    tasks = """
    - name: Outer
      block:
        - name: Inner
          block:
            DEPLOY
      rescue:
        - name: Roll back
          ansible.builtin.debug:
            msg: rolled back
    """

    ours, theirs = deploy(Play(tasks, "any_errors_fatal: true", fails=("h2",)))

    assert ours.phases == ["running", "failed"]
    assert ours.facts == theirs.facts, ours.output + theirs.output
