# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation says is what the code does."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.plugins.module_utils import _argspec
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
    ConnectionOption,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._version import VERSION

ROOT = Path(__file__).resolve().parents[2]
NAME = "aliops.cloudmonitor."
PACKAGE = "ansible_collections.aliops.cloudmonitor.plugins."
SPECS = {
    "custom_event": _argspec.custom_event_spec(),
    "custom_event_info": _argspec.custom_event_info_spec(),
    "custom_event_rule": _argspec.custom_event_rule_spec(),
    "deployment_event": _argspec.deployment_event_spec(),
    "deployment_info": _argspec.deployment_info_spec(),
    "flush_outbox": _argspec.flush_outbox_spec(),
    "deployment_report": _argspec.deployment_report_spec(),
    "outbox_info": _argspec.outbox_info_spec(),
}
REPORTING = ["custom_event", "deployment_event"]


def read(path: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return document


def fragment(name: str) -> dict[str, Any]:
    source = importlib.import_module(PACKAGE + "doc_fragments." + name).ModuleDocFragment
    document: dict[str, Any] = yaml.safe_load(source.DOCUMENTATION)
    return document


def module(name: str) -> dict[str, Any]:
    source = importlib.import_module(PACKAGE + "modules." + name)
    document: dict[str, Any] = yaml.safe_load(source.DOCUMENTATION)
    return document


def fragments_of(document: dict[str, Any]) -> list[str]:
    names = document.get("extends_documentation_fragment", [])
    return [name.removeprefix(NAME) for name in names]


def options_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a module with those of its fragments."""
    options = dict(document["options"])
    for name in fragments_of(document):
        for option, documented in fragment(name).get("options", {}).items():
            assert option not in options, f"{option} is documented twice"
            options[option] = documented
    return options


def test_the_fragment_has_exactly_the_connection_options_in_their_order() -> None:
    assert list(fragment("connection")["options"]) == [one.name for one in CONNECTION_OPTIONS]


@pytest.mark.parametrize("option", CONNECTION_OPTIONS, ids=lambda option: option.name)
def test_a_connection_option_is_documented_as_it_is(option: ConnectionOption) -> None:
    documented = fragment("connection")["options"][option.name]

    assert documented["type"] == option.type
    assert documented.get("default") == option.default
    assert tuple(documented.get("aliases", ())) == option.aliases
    assert sorted(documented.get("choices", ())) == sorted(option.choices)
    text = " ".join(documented["description"])
    variables = text[text.lower().index("environment variable") :]
    assert tuple(re.findall(r"E\((\w+)\)", variables)) == option.env
    assert ("the first non-empty one is used" in variables) == (len(option.env) > 1)


def compare(documented: dict[str, Any], spec: dict[str, Any]) -> None:
    assert set(documented) == set(spec)
    for name, option in documented.items():
        entry = spec[name]
        assert option["type"] == entry.get("type", "str"), name
        assert option.get("default") == entry.get("default"), name
        assert option.get("required", False) == entry.get("required", False), name
        assert option.get("choices", []) == entry.get("choices", []), name
        assert option.get("aliases", []) == entry.get("aliases", []), name
        assert option.get("elements") == entry.get("elements"), name
        assert option["description"], name
        compare(option.get("suboptions", {}), entry.get("options", {}))


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_module_documents_the_options_that_it_takes(name: str) -> None:
    compare(options_of(module(name)), SPECS[name])


@pytest.mark.parametrize("name", sorted(SPECS))
def test_the_examples_use_options_that_there_are(name: str) -> None:
    source = importlib.import_module(PACKAGE + "modules." + name)
    used = 0
    for task in yaml.safe_load(source.EXAMPLES):
        for action, given in task.items():
            if action.startswith(NAME):
                used += 1
                assert set(given or ()) <= set(SPECS[action.removeprefix(NAME)]), task["name"]
    assert used


@pytest.mark.parametrize("name", REPORTING)
def test_every_kind_of_error_is_documented_where_results_are(name: str) -> None:
    source = importlib.import_module(PACKAGE + "modules." + name)
    returned = yaml.safe_load(source.RETURN)

    assert {"events", "delivered", "requests", "endpoint", "undelivered", "error"} <= set(returned)


def kinds_in_the_code() -> set[str]:
    """Return the kinds that stand in the code as constants."""
    kinds = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        kinds |= set(re.findall(r'^    kind = "(\w+)"', text, re.MULTILINE))
        kinds |= set(re.findall(r'(?:Refused|Retry|TransportError)\(\s*"(\w+)"', text))
    return kinds - {"error"}  # the base class: never raised as it is


def test_the_documented_kinds_of_error_are_those_of_the_code() -> None:
    source = importlib.import_module(PACKAGE + "modules.custom_event")
    text = yaml.safe_load(source.RETURN)["error"]["contains"]["kind"]["description"]

    assert set(re.findall(r"V\((\w+)\)", text)) == kinds_in_the_code()
    flush = importlib.import_module(PACKAGE + "modules.flush_outbox")
    assert "V(outbox)" in " ".join(yaml.safe_load(flush.RETURN)["error"]["description"])


def test_the_action_group_is_made_of_the_modules_that_document_it() -> None:
    members = read("meta/runtime.yml")["action_groups"]["cloudmonitor"]
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[!_]*.py"))

    assert members == sorted(members)
    assert members == [one for one in modules if "connection" in fragments_of(module(one))]
    assert members == [one for one in modules if "attributes" in fragments_of(module(one))]
    documented = fragment("attributes")["attributes"]["action_group"]["membership"]
    assert documented == [NAME + "cloudmonitor"]
    assert [one for one in modules if "reporting" in fragments_of(module(one))] == REPORTING


def test_every_module_has_its_action() -> None:
    modules = {path.name for path in (ROOT / "plugins" / "modules").glob("[!_]*.py")}

    assert modules == {path.name for path in (ROOT / "plugins" / "action").glob("[!_]*.py")}


def test_the_version_is_the_same_everywhere() -> None:
    assert read("galaxy.yml")["version"] == VERSION


def test_the_oldest_ansible_core_is_the_same_everywhere() -> None:
    assert read("meta/runtime.yml")["requires_ansible"] == ">=2.16.0"
    oldest = (ROOT / "tests/requirements/oldest.txt").read_text(encoding="utf-8")
    assert "ansible-core==2.16." in oldest


def test_what_is_needed_at_run_time_is_requests_alone() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()

    needed = [line for line in lines if line.strip() and not line.startswith("#")]
    assert [re.split(r"[^\w.-]", line)[0] for line in needed] == ["requests"]
