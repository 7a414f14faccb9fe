# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback lets nothing out, costs nothing, and documents the options that it has."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import context
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
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.observer import (
    Observer,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import launch

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
    """An observer in which everything goes wrong."""

    def __init__(self) -> None:
        self.given_up = 0

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("an unforeseen error that holds " + SECRET)

    def give_up(self) -> None:
        self.given_up += 1


class Result:
    """A result of a task."""


class Playbook:
    _file_name = "site.yml"
    _loader = None


@pytest.fixture
def callback(monkeypatch: pytest.MonkeyPatch) -> Any:
    found: Any = CallbackModule()
    found.warnings = []
    monkeypatch.setattr(found, "_warn", found.warnings.append)
    return found


def test_no_error_reaches_the_run_or_shows_its_text(callback: Any) -> None:
    callback._observer = broken = Broken()
    callback.v2_playbook_on_start(Playbook())
    callback.v2_playbook_on_stats(object())

    assert broken.given_up == len(callback.warnings) == 2
    assert SECRET not in " ".join(callback.warnings)


def test_an_interrupt_is_none_of_its_business(callback: Any) -> None:
    with pytest.raises(KeyboardInterrupt), callback._guard():
        raise KeyboardInterrupt


def test_without_a_playbook_there_is_nothing_to_report(callback: Any) -> None:
    callback.v2_playbook_on_play_start(object())
    callback.v2_runner_on_failed(Result())
    callback.v2_runner_on_unreachable(Result())
    callback.v2_playbook_on_stats(object())

    assert (callback._observer, callback.warnings) == (None, [])


def test_an_ad_hoc_command_is_not_reported_and_imports_nothing_more(
    callback: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(deployment_events, "import_file")
    playbook = Playbook()
    playbook._file_name = "__adhoc_playbook__"

    callback.v2_playbook_on_start(playbook)

    assert (callback._observer, callback.warnings) == (None, [])


@pytest.mark.parametrize("is_broken", [False, True])
def test_the_observer_is_imported_from_the_cache_or_as_ansible_does_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_broken: bool
) -> None:
    asked = []

    def import_file(name: str, outbox: str) -> Any:
        asked.append((name, outbox))
        if is_broken:
            raise RuntimeError(SECRET)
        return SimpleNamespace(Observer=None)

    monkeypatch.setattr(deployment_events, "import_file", import_file)
    found = deployment_events._import("plugin_utils._callback.observer", str(tmp_path))

    assert asked == [("plugin_utils._callback.observer", str(tmp_path))]
    assert found.Observer is (Observer if is_broken else None)


class Idle:
    """An observer that reports nothing."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.couriers: list[Any] = []
        self._error = error

    def start(self, _playbook: Any, *couriers: Any) -> None:
        self.couriers += couriers
        if self._error is not None:
            raise self._error


def _observed_by(
    idle: Idle, callback: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **options: Any
) -> None:
    files = {"launch": launch, "observer": SimpleNamespace(Observer=lambda *_given: idle)}
    monkeypatch.setattr(
        deployment_events, "import_file", lambda name, _outbox: files[name.rpartition(".")[2]]
    )
    callback._load_name = "name"
    callback._plugin_options = {"outbox": str(tmp_path), "check_mode_events": False, **options}


def test_a_courier_is_started_for_the_first_playbook_and_ends_if_nothing_is_reported(
    callback: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    idle = Idle()
    _observed_by(idle, callback, monkeypatch, tmp_path)
    callback.v2_playbook_on_start(Playbook())
    callback.v2_playbook_on_start(Playbook())

    [courier] = idle.couriers
    assert courier.process.returncode is not None
    assert callback.warnings == []


def test_an_interrupt_of_the_start_ends_the_courier(
    callback: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    idle = Idle(KeyboardInterrupt())
    _observed_by(idle, callback, monkeypatch, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        callback.v2_playbook_on_start(Playbook())

    assert idle.couriers[0].process.returncode is not None


@pytest.mark.parametrize("is_reported", [False, True])
def test_in_check_mode_a_courier_is_started_only_for_its_events(
    callback: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_reported: bool
) -> None:
    idle = Idle()
    _observed_by(idle, callback, monkeypatch, tmp_path, check_mode_events=is_reported)
    monkeypatch.setattr(context, "CLIARGS", {"check": True})
    callback.v2_playbook_on_start(Playbook())

    assert [courier is not None for courier in idle.couriers] == [is_reported]


class Remembering:
    """An observer that remembers failures."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.remember = self.results.append


def test_an_ignored_failure_is_not_remembered(callback: Any) -> None:
    callback._observer = observer = Remembering()
    result = Result()
    callback.v2_runner_on_failed(result, ignore_errors=True)
    assert observer.results == []
    callback.v2_runner_on_failed(result, ignore_errors=None)
    callback.v2_runner_on_unreachable(result)
    assert observer.results == [result, result]
