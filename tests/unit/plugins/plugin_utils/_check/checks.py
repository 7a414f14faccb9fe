# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a check in a form that tests compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """What a check has found: the lists that the playbook shows."""

    settings_list: Sequence[str]
    checks_list: Sequence[str]
    notes_list: Sequence[str]
    fixes_list: Sequence[str]

    @property
    def text(self) -> str:
        """All lists."""
        lists = (self.settings_list, self.checks_list, self.notes_list, self.fixes_list)
        return "\n".join(line for each in lists for line in each)

    @property
    def checks(self) -> dict[str, str]:
        """The state of each check and its text; of several lines with one name, the worst."""
        rank = ["ok", "skipped", "note", "WRONG"]
        found: dict[str, str] = {}
        for line in self.checks_list:
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
        return "\n".join(self.fixes_list)

    @property
    def notes(self) -> str:
        return "\n".join(self.notes_list)

    @property
    def settings(self) -> dict[str, str]:
        """The value of each setting and its origin, with single spaces."""
        rows = [line.split() for line in self.settings_list]
        return {row[0]: " ".join(row[1:]) for row in rows}
