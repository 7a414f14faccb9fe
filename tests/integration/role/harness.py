# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs real playbooks on several hosts, with the role and without it, and reads what came of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet

HERE = Path(__file__).resolve().parent
# Generous: a busy machine is no failure of the role.
DEADLINE = 240
COUNTS = ("changed", "unreachable", "failed", "rescued", "ignored")
RECAP = re.compile(r"^(\S+)-(\d+)\s+: (ok=\d+ .*)$", re.MULTILINE)

# A deployment: a step that fails on the hosts in ``fails``, and one that changes something. It
# needs the connection but no Python.
DEPLOY = """
- name: Migrate
  ansible.builtin.fail:
    msg: migration failed
  when: place in fails
- name: Install
  ansible.builtin.raw: "true"
"""
WITHOUT_ROLE = """
- name: Without the role
  ansible.builtin.include_tasks: TITLE.yml
"""
WITH_ROLE = """
- name: With the role
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: TITLE
    deployment_tasks_file: TITLE.yml
"""
# Tasks around a deployment that fails.
RESCUED = """
- name: Outer
  block:
    DEPLOY
  rescue:
    - name: Show
      ansible.builtin.debug:
        msg: "MESSAGE"
"""
SURVIVORS = """
- name: TITLE
  hosts: TITLE
  gather_facts: false
  tasks:
    - name: Survive
      ansible.builtin.debug:
        msg: "survived: {{ inventory_hostname }};"
"""


@dataclass(frozen=True)
class Outcome:
    """What one run of ansible-playbook came to, or the part of it that belongs to one play.

    ``recap`` and ``survivors`` name a host by the title of its play and its place.
    """

    returncode: int
    output: str
    recap: Mapping[tuple[str, int], Mapping[str, int]]
    survivors: frozenset[tuple[str, int]]
    events: Sequence[Mapping[str, Any]] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What has to be the same with the role as without it."""
        return {
            "returncode": self.returncode,
            "survivors": sorted(self.survivors),
            "recap": {
                host: {name: counts[name] for name in COUNTS} for host, counts in self.recap.items()
            },
        }

    @property
    def phases(self) -> tuple[str, ...]:
        """What was reported, in order: ``running`` for a start, the status for a finish."""
        finishes = [event for event in self.events if event["event"] != "deployment-failure"]
        return tuple(event["status"] for event in finishes)

    @property
    def warnings(self) -> list[str]:
        """The warnings that Ansible printed, which the test that asks judges."""
        if isinstance(self.output, quiet.Said):
            quiet.judge(self.output)
        return re.findall(r"^\[(?:WARNING|DEPRECATION).*", self.output, re.MULTILINE)

    def part(self, title: str) -> Outcome:
        """Return what came of one play. Its deployments have its title, or begin with it and -."""
        sections = re.split(r"^(?=PLAY )", self.output, flags=re.MULTILINE)
        lines = [line for line in sections[-1].splitlines() if line.startswith(title + "-")]
        mine = [section for section in sections if section.startswith(f"PLAY [{title}] ")]
        return Outcome(
            self.returncode,
            "".join(mine) + "\n".join(lines),
            {host: counts for host, counts in self.recap.items() if host[0] == title},
            frozenset(host for host in self.survivors if host[0] == title),
            [event for event in self.events if event["name"].partition("-")[0] == title],
        )


@dataclass(frozen=True, eq=False)
class Play:
    """A play in which the line ``DEPLOY`` stands for the deployment, and ``TITLE`` for the title.

    It alone uses its ``hosts``, whose places 1, 2 and so on are in the variable ``place``.
    ``keywords`` are further lines of the play, ``tasks`` its tasks, ``files`` the files beside
    the playbook, ``before`` and ``more`` other plays; the hosts in ``gone`` cannot be reached.
    """

    title: str
    tasks: str = "DEPLOY"
    keywords: str = ""
    fails: tuple[int, ...] = ()
    gone: tuple[int, ...] = ()
    hosts: int = 2
    files: Mapping[str, str] = field(default_factory=dict)
    deploy: str = DEPLOY
    before: str = ""
    more: str = ""
    role: str = WITH_ROLE

    def text(self, deployment: str) -> str:
        """Return the text of the plays with ``deployment`` in the place of DEPLOY."""
        play = [
            "- name: TITLE",
            "  hosts: TITLE",
            "  gather_facts: false",
            f"  vars: {json.dumps({'fails': list(self.fails)})}",
            indent(dedent(self.keywords).strip(), "  "),
            "  tasks:" if self.tasks else "",
            indent(dedent(self.tasks).strip(), "    "),
        ]
        text = "\n".join([dedent(self.before), *play, dedent(self.more), SURVIVORS])
        return self._named(
            re.sub(
                r"^( *)DEPLOY$",
                lambda found: indent(deployment.strip(), found.group(1)),
                text,
                flags=re.MULTILINE,
            )
        )

    def inventory(self) -> str:
        """Return the play's part of the inventory."""
        lines = [f"[{self.title}]"]
        for place in range(1, self.hosts + 1):
            connection = "gone" if place in self.gone else "local"
            lines.append(f"{self.title}-{place} place={place} ansible_connection={connection}")
        return "\n".join([*lines, ""])

    def write(self, folder: Path) -> None:
        """Write what the playbook needs into ``folder``."""
        for name, text in {"TITLE.yml": "---\n" + self.deploy, **self.files}.items():
            path = folder / self._named(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._named(text), encoding="utf-8")

    def _named(self, text: str) -> str:
        return text.replace("TITLE", self.title)


class Running:
    """One ansible-playbook at work, with the plays one after the other.

    Ansible ends the run where no host of a batch is left, so only the last play may come to that.
    """

    def __init__(
        self,
        plays: Sequence[Play],
        folder: Path,
        env: Mapping[str, str],
        *arguments: str,
        with_role: bool = True,
    ) -> None:
        """Write the playbook and what it needs into ``folder``, and start it."""
        folder.mkdir(parents=True)
        (folder / "ansible.cfg").touch()
        texts = [play.text(play.role if with_role else WITHOUT_ROLE) for play in plays]
        (folder / "playbook.yml").write_text("\n".join(["---", *texts]), encoding="utf-8")
        # No host has a Python.
        variables = "[all:vars]\nansible_python_interpreter=/nonexistent\n"
        inventory = "".join(play.inventory() for play in plays) + variables
        (folder / "hosts.ini").write_text(inventory, encoding="utf-8")
        for play in plays:
            play.write(folder)
        self.process = subprocess.Popen(
            [ansible_playbook(), "-i", "hosts.ini", "playbook.yml", *arguments],
            cwd=folder,
            env={**environment(folder), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outcome(self) -> Outcome:
        """Wait for the end and return what came of it."""
        try:
            said, _unused = self.process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise
        output = quiet.hear(said)
        recap = {
            (title, int(place)): {
                name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)
            }
            for title, place, counts in RECAP.findall(output)
        }
        survivors = re.findall(r"survived: (\w+)-(\d+);", output)
        alive = frozenset((title, int(place)) for title, place in survivors)
        return Outcome(self.process.returncode, output, recap, alive)


def ansible_playbook() -> str:
    """Return the ansible-playbook of the environment under test."""
    beside = Path(sys.executable).parent / "ansible-playbook"
    return os.environ.get("ANSIBLE_PLAYBOOK") or str(beside)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's Ansible is left but where things lie."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ANSIBLE_", "CLOUDMONITOR_", "ALIBABA_", "ALICLOUD_"))
    }
    collections = [str(parent.parent) for parent in HERE.parents if parent.name == COLLECTIONS]
    collections.append(os.environ.get("ANSIBLE_COLLECTIONS_PATH", ""))
    return {
        **kept,
        **quiet.strict(),
        "ANSIBLE_COLLECTIONS_PATH": ":".join(filter(None, collections)),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection"),
        "ANSIBLE_HOME": str(folder / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(folder / ".ansible" / "tmp"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
    }


COLLECTIONS = "ansible_collections"
