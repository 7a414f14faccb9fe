# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is without documentation, examples, unit tests and an integration target."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
TARGETS = ROOT / "tests" / "integration" / "targets"
NAME = "aliops.cloudmonitor."
VERSION = str(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])

MODULES = sorted(PLUGINS.glob("modules/[!_]*.py"))
DOCUMENTED = [*MODULES, *sorted(PLUGINS.glob("callback/[!_]*.py"))]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
CODE = [*sorted(PLUGINS.rglob("*.py")), *sorted((ROOT / "playbooks" / "files").glob("*.py"))]
# The work of a role or playbook, and of nobody else: tried where that is tried.
PRIVATE = {
    "deployment_report": "report",
    "deployment_role": "deployment",
    "playbook_variables": "status",
    "setup_check": "check",
}


def constants(path: Path) -> dict[str, str]:
    """Return the texts that a file assigns to names, without importing it."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = str(node.value.value)
    return found


def documentation(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(constants(path)["DOCUMENTATION"])
    return document


def callback_options() -> dict[str, Any]:
    """Return the callback's own options, without those of the connection."""
    options: dict[str, Any] = documentation(ROOT / "plugins/callback/deployment_events.py")[
        "options"
    ]
    return options


def attributes_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the attributes of a module, completed by its fragments as ansible-doc does it."""
    found: dict[str, dict[str, Any]] = {}
    for name in document.get("extends_documentation_fragment", []):
        path = PLUGINS / "doc_fragments" / f"{name.removeprefix(NAME)}.py"
        (fragment,) = ast.parse(path.read_text(encoding="utf-8")).body[-1:]
        assert isinstance(fragment, ast.ClassDef)
        text = ast.literal_eval(next(n for n in fragment.body if isinstance(n, ast.Assign)).value)
        for attribute, value in (yaml.safe_load(text).get("attributes") or {}).items():
            found[attribute] = {**value, **found.get(attribute, {})}
    for attribute, value in document.get("attributes", {}).items():
        found[attribute] = {**found.get(attribute, {}), **value}
    return found


def label(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def test_everything_was_really_looked_at() -> None:
    names = {path.stem for path in DOCUMENTED}

    assert {"custom_event", "deployment_event", "flush_outbox", "deployment_events"} <= names
    assert [path.name for path in ROLES] == ["deployment"]
    assert {path.stem for path in PLAYBOOKS} >= {"demo"}


@pytest.mark.parametrize("path", CODE, ids=label)
def test_a_file_with_code_has_tests_of_its_own(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree)):
        return  # documentation and constants: test_documentation holds them to the code

    folder = ROOT / "tests" / "unit" / path.parent.relative_to(ROOT)
    wanted = [*folder.glob(f"test_{path.stem}*.py"), *folder.glob(f"test{path.stem}*.py")]
    assert wanted, f"no {folder.relative_to(ROOT)}/test_{path.stem}.py"
    assert any("\ndef test_" in test.read_text(encoding="utf-8") for test in wanted)


def is_version(added: str) -> bool:
    """Return whether something can have been added in this version: a known or the next one."""
    major, minor, _patch = numbers(VERSION)
    return numbers(added) <= numbers(VERSION) or numbers(added) == (major, minor + 1, 0)


@pytest.mark.parametrize("path", DOCUMENTED, ids=label)
def test_a_plugin_says_what_it_is_and_since_when(path: Path) -> None:
    document = documentation(path)

    name = document.get("module") or document.get("name")
    assert name == path.stem
    assert not document["short_description"].endswith(".")
    assert document["description"]
    assert document["author"]
    assert is_version(document["version_added"])
    for option in document.get("options", {}).values():
        assert is_version(option.get("version_added", VERSION))
    assert ("private to it" in document["short_description"]) == (path.stem in PRIVATE)


@pytest.mark.parametrize("path", DOCUMENTED, ids=label)
def test_a_plugin_has_examples_that_name_it(path: Path) -> None:
    assert NAME + path.stem in constants(path)["EXAMPLES"]


@pytest.mark.parametrize("path", MODULES, ids=label)
def test_a_module_says_what_it_returns_and_how_it_behaves(path: Path) -> None:
    document = documentation(path)

    for name, value in yaml.safe_load(constants(path)["RETURN"]).items():
        assert value["description"], name
        assert value["returned"], name
        assert value["type"], name
    attributes = attributes_of(document)
    assert {"check_mode", "diff_mode"} <= set(attributes)
    for name, value in attributes.items():
        assert value["support"] in {"full", "partial", "none", "N/A"}, name
        assert value["description"], name


@pytest.mark.parametrize("role", ROLES, ids=label)
def test_every_entry_point_of_a_role_is_described_and_none_besides(role: Path) -> None:
    text = (role / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    specs = yaml.safe_load(text)["argument_specs"]
    entries = {path.stem for path in (role / "tasks").glob("[!_]*.yml")}

    assert set(specs) == entries
    for spec in specs.values():
        assert is_version(spec["version_added"])
        assert spec["short_description"]
        assert spec["description"]
        assert all(option["description"] for option in spec["options"].values())
    readme = (role / "README.md").read_text(encoding="utf-8")
    assert NAME + role.name in readme
    for entry in entries - {"main"}:
        assert re.search(rf"tasks_from: {entry}\b", readme), entry


def targets_of() -> list[Any]:
    names = [path.stem for path in DOCUMENTED if path.stem not in PRIVATE]
    names += [path.name for path in ROLES] + [path.stem for path in PLAYBOOKS]
    return sorted(set(names))


@pytest.mark.parametrize("name", targets_of())
def test_an_integration_target_of_that_name_uses_it(name: str) -> None:
    target = TARGETS / name
    text = "\n".join(path.read_text(encoding="utf-8") for path in target.glob("*.*"))

    assert NAME + name in text
    aliases = (target / "aliases").read_text(encoding="utf-8")
    assert not re.search("^(disabled|unsupported|unstable)", aliases, re.MULTILINE)


@pytest.mark.parametrize("target", sorted(TARGETS.iterdir()), ids=label)
def test_a_target_is_started_by_a_script_that_stops_at_the_first_failure(target: Path) -> None:
    aliases = (target / "aliases").read_text(encoding="utf-8").splitlines()
    if "hidden" in aliases:  # what others are set up with
        assert target.name.startswith("setup_")
        return

    script = target / "runme.sh"
    assert script.stat().st_mode & 0o111
    assert re.search(r"^set -eux", script.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("module", "user"), sorted(PRIVATE.items()))
def test_what_is_private_is_used_where_it_says_so(module: str, user: str) -> None:
    places = [*(ROOT / "roles" / user / "tasks").glob("*.yml"), ROOT / "playbooks" / f"{user}.yml"]
    texts = [path.read_text(encoding="utf-8") for path in places if path.exists()]

    assert any(NAME + module in text for text in texts)
