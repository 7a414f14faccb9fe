# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback lets nothing out, costs nothing, and documents the options that it has."""

from __future__ import annotations

import inspect
import os
from typing import Any

import pytest
import yaml
from ansible.plugins.callback import CallbackBase

from ansible_collections.aliops.cloudmonitor.plugins.callback import deployment_events
from ansible_collections.aliops.cloudmonitor.plugins.callback.deployment_events import (
    CallbackModule,
)
from ansible_collections.aliops.cloudmonitor.plugins.doc_fragments.connection import (
    ModuleDocFragment,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    without_empty_variables,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import Failure

SECRET = "canary-in-an-error"
DOCUMENTED: dict[str, Any] = yaml.safe_load(deployment_events.DOCUMENTATION)
PLUGIN: dict[str, Any] = yaml.safe_load(ModuleDocFragment.PLUGIN)["options"]
OWN: dict[str, Any] = DOCUMENTED["options"]
SECRETS = {"access_key_secret", "security_token"}

DEFAULTS = {
    "group_id": 0,
    "start_event": "deployment-start",
    "finish_event": "deployment-finish",
    "failure_event": "deployment-failure",
    "context_vars": [],
    "include_playbooks": [],
    "exclude_playbooks": [],
    "failure_details": "task",
    "check_mode_events": False,
    "flush_timeout": 5,
    "linger": 60,
    "outbox_ttl": 168,
    "overdue_after": 0,
    "overdue_event": "deployment-overdue",
    "history_keep": 400,
}


def _names(option: dict[str, Any], kind: str) -> list[str]:
    return [entry["name"] for entry in option.get(kind, [])]


def test_the_callback_takes_all_connection_options() -> None:
    assert DOCUMENTED["extends_documentation_fragment"] == [
        "aliops.cloudmonitor.connection",
        "aliops.cloudmonitor.connection.plugin",
    ]
    assert list(PLUGIN) == [option.name for option in CONNECTION_OPTIONS]
    assert not set(PLUGIN) & set(OWN)


@pytest.mark.parametrize("option", CONNECTION_OPTIONS, ids=lambda option: option.name)
def test_the_leftmost_variable_wins_here_as_everywhere(option: Any) -> None:
    # Ansible takes the last variable of a plugin's list that is set.
    assert _names(PLUGIN[option.name], "env") == list(reversed(option.env))


def test_secrets_come_from_the_environment_only() -> None:
    for name, option in PLUGIN.items():
        wanted = set() if name in SECRETS else {"callback_deployment_events"}
        assert {entry["section"] for entry in option.get("ini", [])} == wanted, name
        keys = [] if name in {*SECRETS, "access_key_id"} else ["cloudmonitor_" + name]
        assert _names(option, "vars") == keys, name


@pytest.mark.parametrize("name", OWN)
def test_an_option_can_be_given_in_three_ways_under_one_name(name: str) -> None:
    option = OWN[name]

    assert _names(option, "env") == ["CLOUDMONITOR_" + name.upper()]
    assert option["ini"] == [{"section": "callback_deployment_events", "key": name}]
    assert _names(option, "vars") == ["cloudmonitor_" + name]
    assert option.get("default") == DEFAULTS.get(name)
    assert option["type"] in ("str", "int", "float", "bool", "list", "path", "raw")


def test_only_failures_are_looked_at_one_by_one() -> None:
    own = {name for name in vars(CallbackModule) if name.startswith(("v2_", "playbook_", "runner"))}

    assert own == {
        "v2_playbook_on_start",
        "v2_playbook_on_play_start",
        "v2_playbook_on_stats",
        "v2_runner_on_failed",
        "v2_runner_on_unreachable",
    }
    assert CallbackModule.CALLBACK_NEEDS_ENABLED is True
    for name in own:
        theirs = [*inspect.signature(getattr(CallbackBase, name)).parameters]
        assert [*inspect.signature(getattr(CallbackModule, name)).parameters] == theirs


class Broken:
    """A reporter in which everything goes wrong."""

    wants_variables = True

    def __init__(self) -> None:
        self.given_up = 0

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("an unforeseen error that holds " + SECRET)

    def give_up(self) -> None:
        self.given_up += 1


class Result:
    host = task = result = None


class Play:
    def get_variable_manager(self) -> Any:
        raise RuntimeError(SECRET)


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> Any:
    found: Any = CallbackModule()
    found.warnings = []
    monkeypatch.setattr(found, "_warn", found.warnings.append)
    return found


def test_no_error_reaches_the_run_or_shows_its_text(callback: Any) -> None:
    callback._reporter = broken = Broken()
    callback.v2_playbook_on_play_start(Play())
    callback.v2_playbook_on_stats(object())

    assert broken.given_up == len(callback.warnings) == 1
    assert SECRET not in " ".join(callback.warnings)


def test_an_interrupt_is_none_of_its_business(callback: Any) -> None:
    with pytest.raises(KeyboardInterrupt), callback._guard():
        raise KeyboardInterrupt


def test_without_a_playbook_there_is_nothing_to_report(callback: Any) -> None:
    callback.v2_runner_on_failed(Result())
    callback.v2_runner_on_unreachable(Result())
    callback.v2_playbook_on_stats(object())

    assert callback.warnings == []
    assert callback._reporter is None


def test_an_ad_hoc_command_is_not_reported(callback: Any) -> None:
    class Playbook:
        _file_name = "__adhoc_playbook__"

    callback.v2_playbook_on_start(Playbook())

    assert (callback._reporter, callback.warnings) == (None, [])


class Remembering:
    """A reporter that remembers failures."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.failed = self.failures.append


@pytest.fixture
def remembered(callback: Any, monkeypatch: pytest.MonkeyPatch) -> list[Failure]:
    """The failures that reach the reporter."""
    monkeypatch.setattr(deployment_events, "parse_failure", lambda _result: Failure("h1"))
    callback._reporter = reporter = Remembering()
    return reporter.failures


def test_an_ignored_failure_is_not_remembered(callback: Any, remembered: list[Failure]) -> None:
    callback.v2_runner_on_failed(Result(), ignore_errors=True)
    assert remembered == []
    callback.v2_runner_on_failed(Result(), ignore_errors=None)
    callback.v2_runner_on_unreachable(Result())
    assert remembered == [Failure("h1"), Failure("h1")]


def test_a_failure_that_cannot_be_read_costs_its_details_but_not_the_report(callback: Any) -> None:
    callback._reporter = broken = Broken()
    callback.v2_runner_on_failed(Result())
    callback.v2_runner_on_unreachable(Result())

    assert (broken.given_up, callback.warnings) == (0, [])


def test_an_empty_variable_counts_as_unset_but_for_the_one_that_may_be_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("CLOUDMONITOR_LINGER", "ALIBABA_CLOUD_REGION_ID", "ALICLOUD_REGION")
    for name in (*names, "CLOUDMONITOR_FAILURE_EVENT", "OTHERS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CLOUDMONITOR_NETWORK", "vpc")
    with without_empty_variables():
        assert not set(names) & set(os.environ)
        assert {"CLOUDMONITOR_FAILURE_EVENT", "OTHERS", "CLOUDMONITOR_NETWORK"} <= set(os.environ)

    assert [os.environ[name] for name in names] == ["", "", ""]
