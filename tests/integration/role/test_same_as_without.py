# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One start, one true finish, and otherwise the same run as without the role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import (
    Outcome,
    Play,
)

SIX = ("h1", "h2", "h3", "h4", "h5", "h6")
OK = ("running", "succeeded")
FAILED = ("running", "failed")
# Two deployments that go through the batches together: both end with the last one.
TWO_AT_ONCE = ("running", "running", "succeeded", "succeeded")


@dataclass(frozen=True)
class Case:
    """A play and what is to be reported of it."""

    title: str
    play: Play
    phases: tuple[str, ...]


OWN_RESCUE = """
- name: Own block
  block:
    - name: Fail
      ansible.builtin.fail:
      when: inventory_hostname in fails
  rescue:
    - name: Mend
      ansible.builtin.debug:
        msg: mended
- name: Ignored
  ansible.builtin.fail:
  ignore_errors: true
  when: inventory_hostname in fails
- name: Last
  ansible.builtin.debug:
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
FAILED_EARLIER = """
- name: Fail before the deployment
  ansible.builtin.fail:
  when: inventory_hostname == "h1"
DEPLOY
"""
EARLIER_PLAY = """
- name: An earlier play
  hosts: all
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.fail:
      when: inventory_hostname == "h1"
"""
REVERSE = "serial: 2\norder: reverse_inventory"
TWO_PLAYS = """
- name: The second play
  hosts: all
  gather_facts: false
  vars:
    fails: [h2]
  tasks:
    DEPLOY
"""
WHEN_LEAVES_OUT_THE_FIRST = """
- name: Included for some
  when: inventory_hostname != "h1"
  block:
    DEPLOY
"""
TAGGED = """
- name: Chosen
  ansible.builtin.debug:
  tags: chosen
- name: Left out
  ansible.builtin.fail:
  tags: left_out
"""
IMPORTED = """
- name: With the role, imported
  ansible.builtin.import_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: shop
    deployment_tasks_file: deploy.yml
"""
RUN_ONCE = """
- name: Migrate once
  ansible.builtin.fail:
  run_once: true
  when: inventory_hostname in fails
- name: Last
  ansible.builtin.debug:
"""
RUN_ONCE_IN_A_FILE = """
- name: Nested
  ansible.builtin.include_tasks: nested.yml
- name: Last
  ansible.builtin.debug:
"""
NESTED = {"nested.yml": "---" + RUN_ONCE}


def _serial(hosts: tuple[str, ...], fails: tuple[str, ...] = (), **more: Any) -> Play:
    return Play(keywords="serial: 2", hosts=hosts, fails=fails, **more)


# Here, a version of ansible-core may differ from the others.
ON_EVERY_CORE = [
    Case("first_fails", Play(fails=("h1",)), FAILED),
    Case("one_fails_two_unreachable", Play(fails=("h2",), gone=("h1", "h3")), FAILED),
    Case("serial_1_a_whole_batch_fails", Play(keywords="serial: 1", fails=("h2",)), FAILED),
    Case("serial_2_fails_and_unreachable", _serial(SIX, ("h3",), gone=("h4",)), FAILED),
    Case("own_rescue_and_ignore", Play(fails=("h2",), deploy=OWN_RESCUE), OK),
    Case(
        "run_once_in_a_file_fails",
        Play(fails=("h1",), deploy=RUN_ONCE_IN_A_FILE, files=NESTED),
        FAILED,
    ),
    Case("rescue_around_serial", Play(RESCUE_AROUND, "serial: 2", ("h2",)), FAILED),
    Case("role_twice_serial", _serial(SIX[:4], tasks="DEPLOY\nDEPLOY"), TWO_AT_ONCE),
    Case("last_batch_failed_in_an_earlier_play", Play("DEPLOY", REVERSE, before=EARLIER_PLAY), OK),
    Case("import_role", Play(role=IMPORTED, fails=("h1",)), FAILED),
    Case("check_mode", Play(fails=("h2",), arguments=("--check",)), ()),
    Case("ignored_unreachable", Play(keywords="ignore_unreachable: true", gone=("h2",)), OK),
]
CASES = [
    Case("all_fail", Play(fails=("h1", "h2", "h3")), FAILED),
    Case("role_twice_host_fails_between", Play("DEPLOY\n" + FAILED_EARLIER), OK + OK),
    Case("two_plays_of_one_name", Play(more=TWO_PLAYS), OK + FAILED),
    Case("order_shuffle_serial", Play(keywords="order: shuffle\nserial: 1"), OK),
    Case("condition_and_failure", Play(WHEN_LEAVES_OUT_THE_FIRST, fails=("h3",)), FAILED),
    Case("skip_tags", Play(deploy=TAGGED, arguments=("--skip-tags", "left_out")), OK),
    Case("other_tags", Play(arguments=("--tags", "chosen")), ()),
    Case("limit", Play(keywords="serial: 1", arguments=("--limit", "h1,h2")), OK),
]


@pytest.mark.parametrize(
    "case",
    [
        *(
            pytest.param(case, id=case.title, marks=pytest.mark.every_core)
            for case in ON_EVERY_CORE
        ),
        *(pytest.param(case, id=case.title) for case in CASES),
    ],
)
def test_reports_the_truth_and_changes_nothing(
    case: Case, deploy: Callable[[Play], tuple[Outcome, Outcome]]
) -> None:
    ours, theirs = deploy(case.play)

    assert tuple(ours.phases) == case.phases, ours.output
    assert ours.facts == theirs.facts, ours.output + theirs.output
    assert len({event["id"] for event in ours.events}) == len(case.phases) // 2
    failures = [event for event in ours.events if event["event"] == "deployment-failure"]
    assert len(failures) == case.phases.count("failed")
    assert ours.warnings == theirs.warnings
