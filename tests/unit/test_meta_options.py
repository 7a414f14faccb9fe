# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An option that is there in several ways in is the same option in each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.plugins.callback import deployment_events
from ansible_collections.aliops.cloudmonitor.plugins.doc_fragments.connection import (
    ModuleDocFragment,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    custom_event_spec,
    deployment_event_spec,
    flush_outbox_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
)

ROLE = Path(__file__).resolve().parents[2] / "roles" / "deployment"
CALLBACK: dict[str, Any] = yaml.safe_load(deployment_events.DOCUMENTATION)["options"]
PLUGIN: dict[str, Any] = yaml.safe_load(ModuleDocFragment.PLUGIN)["options"]
SPECS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8"))
ENTRIES: dict[str, Any] = {name: spec["options"] for name, spec in SPECS["argument_specs"].items()}
MODULE = deployment_event_spec()
PREFIX = "deployment_"
# An outage must not fail a deployment, so the role only warns. Its name is needed in every step.
DIFFERENT = {("report_errors", "default"), ("name", "required")}


def shape(option: dict[str, Any]) -> dict[str, Any]:
    """Return what makes an option the same for its users."""
    return {
        "type": option.get("type", "str"),
        "elements": option.get("elements"),
        "default": option.get("default"),
        "choices": sorted(option.get("choices") or []),
        "required": option.get("required", False),
    }


def shared_with_the_role() -> list[Any]:
    return [
        pytest.param(entry, name, id=f"{entry}-{name}")
        for entry, options in ENTRIES.items()
        for name in options
        if name.removeprefix(PREFIX) in MODULE
    ]


@pytest.mark.parametrize(("entry", "name"), shared_with_the_role())
def test_an_argument_of_the_role_is_the_option_of_the_task(entry: str, name: str) -> None:
    option = name.removeprefix(PREFIX)
    role, module = shape(ENTRIES[entry][name]), shape(MODULE[option])

    for key, value in module.items():
        if (option, key) not in DIFFERENT:
            assert role[key] == value, key


def test_arguments_of_the_role_without_an_option_of_the_task_are_these() -> None:
    names = {name for options in ENTRIES.values() for name in options}
    own = {name for name in names if name.removeprefix(PREFIX) not in MODULE}

    assert own == {
        "deployment_tasks_file",
        "deployment_roles",
        "deployment_connection",  # all the options of the connection in one
    }


@pytest.mark.parametrize("entry", sorted(set(ENTRIES) - {"main"}))
def test_an_argument_is_the_same_at_every_entry_point(entry: str) -> None:
    for name, option in ENTRIES[entry].items():
        if name in ENTRIES["main"]:
            assert shape(option) == shape(ENTRIES["main"][name]), name


def test_defaults_of_the_role_are_those_that_it_documents() -> None:
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text(encoding="utf-8"))

    assert defaults
    for name, value in defaults.items():
        assert ENTRIES["main"][name]["default"] == value, name


@pytest.mark.parametrize("name", sorted(set(CALLBACK) & {*MODULE, *map(PREFIX.__add__, MODULE)}))
def test_an_option_of_the_callback_is_the_option_of_the_task(name: str) -> None:
    module = shape(MODULE[name.removeprefix(PREFIX)])
    module["required"] = False  # what a task must say, the callback knows from the playbook

    assert shape(CALLBACK[name]) == module


def test_the_callback_shares_all_that_describes_a_deployment() -> None:
    shared = {name.removeprefix(PREFIX) for name in CALLBACK} & set(MODULE)
    of_the_task_alone = {"phase", "status", "deployment", "details", "report_errors", "report_from"}

    connection = {option.name for option in CONNECTION_OPTIONS}
    assert shared == set(MODULE) - connection - of_the_task_alone


def test_the_outbox_is_the_same_for_the_callback_and_the_task() -> None:
    assert shape(CALLBACK["outbox"]) == shape(flush_outbox_spec()["outbox"])


@pytest.mark.parametrize("spec", [custom_event_spec, deployment_event_spec, flush_outbox_spec])
def test_the_connection_is_the_same_for_every_module_and_the_callback(spec: Any) -> None:
    assert set(PLUGIN) == {option.name for option in CONNECTION_OPTIONS}
    for option in CONNECTION_OPTIONS:
        assert shape(spec()[option.name]) == shape(option.spec())


def test_a_variable_of_the_environment_means_one_thing() -> None:
    meanings: dict[str, str] = {}
    for name, option in {**CALLBACK, **PLUGIN}.items():
        for entry in option.get("env", []):
            assert meanings.setdefault(entry["name"], name) == name
    for known in CONNECTION_OPTIONS:
        for variable in known.env:
            assert meanings.setdefault(variable, known.name) == known.name

    assert meanings["CLOUDMONITOR_GROUP_ID"] == "group_id"
