# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the playbook aliops.cloudmonitor.check as a user does, and reads what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    SECRET,
    TOKEN,
    ansible_playbook,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils._check.checks import (
    Told,
)

PLAYBOOK = "aliops.cloudmonitor.check"


@dataclass(frozen=True)
class Shown(Told):
    """What a run of the check playbook has shown."""

    rc: int
    output: str


def shown(ended: Ended) -> Shown:
    """Read the lists of the playbook; a list that it does not show is empty."""

    def lines(task: str) -> list[str]:
        part = ended.output.partition(f"TASK [{task}]")[2].partition("\nTASK [")[0]
        found = re.search(r'"msg": (\[.*?^    \])', part, re.MULTILINE | re.DOTALL)
        listed: list[str] = json.loads(found.group(1)) if found else []
        return listed

    return Shown(
        lines("Settings and their origins"),
        lines("Results"),
        lines("Notes"),
        lines("What to fix"),
        ended.rc,
        ended.output,
    )


class Checked(Project):
    """A project whose set-up is checked."""

    def check(self, *arguments: str, warned: bool = False, **variables: str | None) -> Shown:
        """Run the check at its most talkative; a warning or a secret in it is an error.

        ``warned``: Ansible itself warns of a value that it does not take for the callback.
        """
        command = (ansible_playbook(), PLAYBOOK, "-vvvv", *arguments)
        ended = self.command(*command, **variables).ended()
        assert bool(ended.warnings) is warned, ended.output
        assert SECRET not in ended.output
        assert TOKEN not in ended.output
        told = shown(ended)
        assert (told.rc == 2) is bool(told.wrong), ended.output
        assert bool(told.fixes) is bool(told.wrong), ended.output
        return told


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[Checked]:
    """A project that is set up as it should be."""
    made = Checked(tmp_path / "project", receiver)
    try:
        yield made
    finally:
        made.settled(30)
