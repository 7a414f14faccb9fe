# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One start, one true finish, and otherwise the same run as without the role."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import Outcome, Play

pytestmark = pytest.mark.every_core

Outcomes = tuple[Outcome, Outcome]

OWN_RESCUE = """
- name: Own block
  block:
    - name: Fail
      ansible.builtin.fail:
      when: place in fails
  rescue:
    - name: Mend
      ansible.builtin.debug:
        msg: mended
- name: Ignored
  ansible.builtin.fail:
  ignore_errors: true
  when: place in fails
"""
RESCUE_AROUND = """
- name: Outer
  block:
    - name: Inner
      block:
        DEPLOY
  rescue:
    - name: Roll back
      ansible.builtin.debug:
        msg: rolled back
- name: After
  ansible.builtin.debug:
    msg: after
"""
EARLIER_PLAY = """
- name: TITLE
  hosts: TITLE
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.fail:
      when: place == 1
"""
TWO_PLAYS = """
- name: TITLE
  hosts: TITLE
  gather_facts: false
  vars:
    fails: [1]
  tasks:
    DEPLOY
"""
WHEN_LEAVES_OUT_THE_FIRST = """
- name: Included for some
  when: place != 1
  block:
    DEPLOY
"""
IMPORTED = """
- name: With the role, imported
  ansible.builtin.import_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: TITLE
    deployment_tasks_file: TITLE.yml
"""
RUN_ONCE_IN_A_FILE = """
- name: Nested
  ansible.builtin.include_tasks: nested.yml
- name: Last
  ansible.builtin.debug:
"""
NESTED = """---
- name: Migrate once
  ansible.builtin.fail:
  run_once: true
"""
SKIPPED = """
- name: Left out
  ansible.builtin.fail:
  tags: left_out
"""

OK = ("running", "succeeded")
FAILED = ("running", "failed")
# Two deployments that go through the batches together: both end with the last one.
TWO_AT_ONCE = ("running", "running", "succeeded", "succeeded")
FATAL_BATCHES = "serial: 2\nany_errors_fatal: true"
BACKWARDS = "serial: 1\norder: reverse_inventory"

# The expected reports of each play. Ansible ends the run in the last one.
CASES = {
    Play("own_rescue_and_ignore", fails=(2,), deploy=OWN_RESCUE): OK,
    Play("rescue_around", RESCUE_AROUND, FATAL_BATCHES, (2,), hosts=3): FAILED,
    Play("role_twice_serial", "DEPLOY\nDEPLOY", "serial: 1"): TWO_AT_ONCE,
    Play("two_plays_of_one_name", more=TWO_PLAYS): OK + FAILED,
    Play("last_batch_failed_in_an_earlier_play", "DEPLOY", BACKWARDS, before=EARLIER_PLAY): OK,
    Play("condition_and_failure", WHEN_LEAVES_OUT_THE_FIRST, fails=(2,)): FAILED,
    Play("import_role", role=IMPORTED, fails=(1,)): FAILED,
    Play("check_mode", keywords="check_mode: true", fails=(2,)): (),
    Play("ignored_unreachable", keywords="ignore_unreachable: true", gone=(2,)): OK,
    Play("batch_fails_and_unreachable", "DEPLOY", "serial: 2", (4,), (3,), 5): FAILED,
}
CHOSEN = ("--skip-tags", "left_out", "--limit", "all:!limit-2")
CASES_OF_THE_CHOSEN = {
    Play("skip_tags", deploy=SKIPPED, hosts=1): OK,
    Play("limit", keywords="serial: 1"): OK,
    Play("run_once_in_a_file", deploy=RUN_ONCE_IN_A_FILE, files={"nested.yml": NESTED}): FAILED,
}


@pytest.fixture(scope="module")
def outcomes(deploy: Callable[..., Outcomes]) -> Outcomes:
    """The plays with the role and without it."""
    return deploy(list(CASES))


@pytest.fixture(scope="module")
def outcomes_of_the_chosen(deploy: Callable[..., Outcomes]) -> Outcomes:
    """The same with options of the command line."""
    return deploy(list(CASES_OF_THE_CHOSEN), *CHOSEN)


@pytest.mark.parametrize("play", CASES, ids=lambda play: play.title)
def test_reports_the_truth_and_changes_nothing(play: Play, outcomes: Outcomes) -> None:
    check(play, CASES[play], outcomes)


@pytest.mark.parametrize("play", CASES_OF_THE_CHOSEN, ids=lambda play: play.title)
def test_heeds_the_options_of_the_command_line(
    play: Play, outcomes_of_the_chosen: Outcomes
) -> None:
    check(play, CASES_OF_THE_CHOSEN[play], outcomes_of_the_chosen)


def check(play: Play, phases: tuple[str, ...], outcomes: Outcomes) -> None:
    """Check what was reported of ``play``, and that it was the same play without the role."""
    ours, theirs = (outcome.part(play.title) for outcome in outcomes)
    assert ours.phases == phases, ours.output
    assert ours.facts == theirs.facts, ours.output + theirs.output
    assert ours.facts["recap"], ours.output
    assert len({event["id"] for event in ours.events}) == len(phases) // 2
    failures = [event for event in ours.events if event["event"] == "deployment-failure"]
    assert len(failures) == phases.count("failed")
    assert ours.warnings == theirs.warnings
