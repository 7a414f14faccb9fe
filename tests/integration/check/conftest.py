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

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import Project
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    SECRET,
    TOKEN,
    ansible_playbook,
)

PLAYBOOK = "aliops.cloudmonitor.check"


@dataclass(frozen=True)
class Told:
    """What a check has said."""

    rc: int
    output: str

    def lines(self, task: str) -> list[str]:
        """The lines of one of its lists, none when it is not there."""
        part = self.output.partition(f"TASK [{task}]")[2].partition("\nTASK [")[0]
        found = re.search(r'"msg": (\[.*?^    \])', part, re.MULTILINE | re.DOTALL)
        shown: list[str] = json.loads(found.group(1)) if found else []
        return shown

    @property
    def checks(self) -> dict[str, str]:
        """The state of each check, and what it says; of several lines of a name the worst."""
        rank = ["ok", "skipped", "note", "WRONG"]
        found: dict[str, str] = {}
        for line in self.lines("What was found"):
            state, name, text = line[:8].strip(), line[9:22].strip(), line[23:]
            if rank.index(state) >= rank.index(found.get(name, "ok").split()[0]):
                found[name] = f"{state} {text}"
        return found

    @property
    def states(self) -> dict[str, str]:
        return {name: told.split()[0] for name, told in self.checks.items()}

    @property
    def wrong(self) -> list[str]:
        """The names of the checks that found something wrong."""
        return [name for name, state in self.states.items() if state == "WRONG"]

    @property
    def fixes(self) -> str:
        return "\n".join(self.lines("What to fix"))

    @property
    def notes(self) -> str:
        return "\n".join(self.lines("Worth knowing"))

    @property
    def settings(self) -> dict[str, str]:
        """The value of each setting and where it comes from, with single spaces."""
        rows = [line.split() for line in self.lines("Where the settings come from")]
        return {row[0]: " ".join(row[1:]) for row in rows}


class Checked(Project):
    """A project whose set-up is checked."""

    def check(self, *arguments: str, warned: bool = False, **variables: str | None) -> Told:
        """Run the check at its most talkative; a warning or a secret in it is an error.

        ``warned``: Ansible itself warns of a value that it does not take for the callback.
        """
        command = (ansible_playbook(), PLAYBOOK, "-vvvv", *arguments)
        ended = self.command(*command, **variables).ended()
        assert bool(ended.warnings) is warned, ended.output
        assert SECRET not in ended.output
        assert TOKEN not in ended.output
        told = Told(ended.rc, ended.output)
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
