# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples that ansible-doc shows are ones that Ansible takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.tests.programs import output_of_ansible
from ansible_collections.aliops.cloudmonitor.tests.unit.test_meta import (
    DOCUMENTED,
    MODULES,
    ROLES,
    constants,
    label,
)


def tasks_of(path: Path) -> list[dict[str, Any]]:
    """Return the tasks in the examples of a module."""
    tasks: list[dict[str, Any]] = yaml.safe_load(constants(path)["EXAMPLES"])
    return tasks


def syntax_check(folder: Path, *playbooks: str) -> str:
    """Return what ansible-playbook says about the syntax of playbooks, which must be fine."""
    (folder / "ansible.cfg").touch()
    hosts = ("-i", "localhost,shop,web,")
    return output_of_ansible(folder, "ansible-playbook", *hosts, "--syntax-check", *playbooks)


def test_ansible_accepts_the_examples_of_every_module_and_role(tmp_path: Path) -> None:
    playbooks = {}
    for path in MODULES:
        playbooks[path.stem] = [{"name": "x", "hosts": "localhost", "tasks": tasks_of(path)}]
    for role in ROLES:
        text = (role / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        loaded = [yaml.safe_load(block) for block in blocks]
        plays = [play for block in loaded for play in block if "hosts" in play]
        assert plays, role
        playbooks["role-" + role.name] = plays
    for name, plays in playbooks.items():
        (tmp_path / f"{name}.yml").write_text(json.dumps(plays), encoding="utf-8")

    said = syntax_check(tmp_path, *(f"{name}.yml" for name in playbooks))
    assert "WARN" not in said
    assert said.count("playbook: ") == len(playbooks)


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_an_example_has_a_name_that_says_what_it_is_for(path: Path) -> None:
    names = [task["name"] for task in tasks_of(path)]

    assert len(set(names)) == len(names)
    assert all(re.match("[A-Z].*[^.]$", name) for name in names)


def test_the_callback_s_examples_name_options_that_it_has() -> None:
    (callback,) = (path for path in DOCUMENTED if path.parent.name == "callback")
    texts = constants(callback)
    options = yaml.safe_load(texts["DOCUMENTATION"])["options"]
    known = {*options, "region", "callbacks_enabled"}
    lines = [line.removeprefix("# ") for line in texts["EXAMPLES"].splitlines()]

    given = [found[1] for line in lines if (found := re.match(r"(\w+) = ", line))]
    assert "callbacks_enabled" in given
    assert set(given) <= known
    variables = re.findall(r"CLOUDMONITOR_(\w+)=", texts["EXAMPLES"])
    assert variables
    assert {name.lower() for name in variables} <= known
