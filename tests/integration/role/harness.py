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
RECAP = re.compile(r"^(\S+)\s+: (ok=\d+ .*)$", re.MULTILINE)

# A deployment: a change, a step that fails on the hosts in ``fails``, one that needs the
# connection but no Python, and a last one.
DEPLOY = """
- name: Install
  ansible.builtin.debug:
    msg: installed
  changed_when: true
- name: Migrate
  ansible.builtin.fail:
    msg: migration failed
  when: inventory_hostname in fails | default([])
- name: Restart
  ansible.builtin.raw: "true"
  changed_when: false
- name: Check
  ansible.builtin.debug:
    msg: checked
"""
WITHOUT_ROLE = """
- name: Without the role
  ansible.builtin.include_tasks: deploy.yml
"""
WITH_ROLE = """
- name: With the role
  ansible.builtin.include_role:
    name: aliops.cloudmonitor.deployment
  vars:
    deployment_name: shop
    deployment_tasks_file: deploy.yml
"""
SURVIVORS = """
- name: Survivors
  hosts: all
  gather_facts: false
  tasks:
    - name: Survive
      ansible.builtin.debug:
        msg: "survived: {{ inventory_hostname }};"
"""


@dataclass(frozen=True)
class Outcome:
    """What one run of ansible-playbook came to."""

    returncode: int
    output: quiet.Said
    recap: Mapping[str, Mapping[str, int]]
    survivors: frozenset[str]
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
    def phases(self) -> list[str]:
        """What was reported, in order: ``running`` for a start, the status for a finish."""
        return [event["status"] for event in self.events if event["event"] != "deployment-failure"]

    @property
    def warnings(self) -> list[str]:
        """The warnings and errors that Ansible printed, which the test that asks judges."""
        quiet.judge(self.output)
        return re.findall(r"^\[(?:WARNING|DEPRECATION|ERROR).*", self.output, re.MULTILINE)


@dataclass(frozen=True)
class Play:
    """A play in which the line ``DEPLOY`` stands for the deployment.

    ``keywords`` are further lines of the play, ``tasks`` its tasks, ``files`` the files beside
    the playbook, ``before`` and ``more`` other plays; the hosts in ``gone`` cannot be reached.
    """

    tasks: str = "DEPLOY"
    keywords: str = ""
    fails: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ("h1", "h2", "h3")
    files: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    deploy: str = DEPLOY
    before: str = ""
    more: str = ""
    role: str = WITH_ROLE

    def playbook(self, deployment: str) -> str:
        """Return the text of the playbook with ``deployment`` in the place of DEPLOY."""
        play = [
            "- name: The play",
            "  hosts: all",
            "  gather_facts: false",
            f"  vars: {json.dumps({'fails': list(self.fails)})}",
            indent(dedent(self.keywords).strip(), "  "),
            "  tasks:" if self.tasks else "",
            indent(dedent(self.tasks).strip(), "    "),
        ]
        text = "\n".join([dedent(self.before), *play, dedent(self.more), SURVIVORS])
        return "---\n" + re.sub(
            r"^( *)DEPLOY$",
            lambda found: indent(deployment.strip(), found.group(1)),
            text,
            flags=re.MULTILINE,
        )

    def inventory(self) -> str:
        """Return the inventory: no host has a Python."""
        lines = []
        for host in self.hosts:
            connection = "gone" if host in self.gone else "local"
            lines.append(f"{host} ansible_connection={connection}")
        return "\n".join([*lines, "[all:vars]", "ansible_python_interpreter=/nonexistent", ""])


class Running:
    """One ansible-playbook at work."""

    def __init__(self, play: Play, deployment: str, folder: Path, env: Mapping[str, str]) -> None:
        """Write the playbook and what it needs into ``folder``, and start it."""
        folder.mkdir(parents=True)
        files = {"deploy.yml": "---\n" + play.deploy, "hosts.ini": play.inventory()}
        files.update({"playbook.yml": play.playbook(deployment), "ansible.cfg": ""})
        for name, text in {**files, **play.files}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.process = subprocess.Popen(
            [ansible_playbook(), "-i", "hosts.ini", "playbook.yml", *play.arguments],
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
            host: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)}
            for host, counts in RECAP.findall(output)
        }
        survivors = frozenset(re.findall(r"survived: (\w+);", output))
        return Outcome(self.process.returncode, output, recap, survivors)


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
