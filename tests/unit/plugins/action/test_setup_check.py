# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action hands to its playbook; whole runs are in tests/integration/check."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants as C  # noqa: N812
from ansible.errors import AnsibleError

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "playbooks" / "files"))
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action import setup_check
from ansible_collections.aliops.cloudmonitor.plugins.action.setup_check import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run

KEY_ID = "LTAI5tUnitSetup"
SECRET = "unit-canary-secret"
PACKAGE = "ansible_collections.aliops.cloudmonitor.plugins."
OURS = ("CLOUDMONITOR_", "ALIBABA_CLOUD_", "ALICLOUD_")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver([Credential(KEY_ID, SECRET)]) as running:
        yield running


def options() -> dict[str, Any]:
    """The options of the callback, which Ansible would find in a run."""
    callback = importlib.import_module(PACKAGE + "callback.deployment_events")
    fragment = importlib.import_module(PACKAGE + "doc_fragments.connection").ModuleDocFragment
    shared, sources = (
        yaml.safe_load(text)["options"] for text in (fragment.DOCUMENTATION, fragment.PLUGIN)
    )
    found = dict(yaml.safe_load(callback.DOCUMENTATION)["options"])
    found.update({name: {**shared[name], **sources.get(name, {})} for name in shared})
    return found


@pytest.fixture
def environ(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, receiver: Receiver
) -> pytest.MonkeyPatch:
    """An environment with everything that is needed, and no ansible.cfg."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("CLOUDMONITOR_ENDPOINT", receiver.url)
    monkeypatch.setenv("CLOUDMONITOR_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.setattr(C.config, "_config_file", None)
    known = SimpleNamespace(get=lambda _name, class_only: SimpleNamespace(_load_name="unit_check"))
    monkeypatch.setattr(setup_check, "callback_loader", known)
    C.config.initialize_plugin_configuration_definitions("callback", "unit_check", options())
    monkeypatch.setattr(setup_check, "load_extra_vars", lambda _loader: {})
    return monkeypatch


def documented() -> set[str]:
    source = importlib.import_module(PACKAGE + "modules.setup_check")
    returned: dict[str, Any] = yaml.safe_load(source.RETURN)
    assert set(yaml.safe_load(source.DOCUMENTATION)["options"]) == {"send"}
    return set(returned)


def test_it_returns_what_is_documented(environ: pytest.MonkeyPatch, receiver: Receiver) -> None:
    result = run(ActionModule, {}, {})

    assert set(result) - {"changed", "invocation"} == documented()
    assert (result["healthy"], result["changed"]) == (True, False)
    assert [event["name"] for event in receiver.events] == ["deployment-check"]


@pytest.mark.parametrize("args", [{"send": False}, {"send": "no"}])
def test_without_the_event_nothing_is_accepted(
    environ: pytest.MonkeyPatch, receiver: Receiver, args: dict[str, Any]
) -> None:
    result = run(ActionModule, args, {})

    assert result["healthy"] is True
    assert receiver.events == []
    assert len(receiver.requests) == 1


def test_what_is_wrong_is_told_and_does_not_fail_the_task(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("ALIBABA_CLOUD_REGION_ID", "cn-atlantis")
    environ.delenv("CLOUDMONITOR_ENDPOINT")
    environ.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")

    result = run(ActionModule, {}, {})

    assert result["healthy"] is False
    assert result.get("failed", False) is False
    assert len(result["to_fix"]) == 2
    assert "2 of " in result["verdict"]


def test_a_secret_in_ansible_cfg_is_read_by_nothing_and_shown_by_nothing(
    environ: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "ansible.cfg"
    config.write_text(
        f"[callback_deployment_events]\nstart_event = {SECRET}\naccess_key_secret = {SECRET}\n"
    )
    environ.setattr(C.config, "_config_file", str(config))
    environ.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")

    result = run(ActionModule, {}, {})

    assert "Remove access_key_secret from the file" in "\n".join(result["to_know"])
    assert any(line.startswith("start_event") for line in result["settings"])
    assert SECRET not in str(result)


def test_a_value_of_a_wrong_type_is_named_with_the_variable_that_counts(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("CLOUDMONITOR_RETRIES", "many")

    result = run(ActionModule, {"send": False}, {})

    assert "retries from CLOUDMONITOR_RETRIES must be of the type int" in str(result["checks"])
    assert any(
        line.split() == ["retries", "cannot", "be", "used", "CLOUDMONITOR_RETRIES"]
        for line in result["settings"]
    )


def test_a_secret_in_the_place_of_the_id_is_shown_in_no_part(
    environ: pytest.MonkeyPatch,
) -> None:
    environ.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", SECRET)
    environ.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY_ID)
    environ.setenv("CLOUDMONITOR_START_EVENT", "a-" + SECRET)

    result = run(ActionModule, {}, {})

    assert "access_key_id given ALIBABA_CLOUD_ACCESS_KEY_ID" in [
        " ".join(line.split()) for line in result["settings"]
    ]
    assert any(line.startswith("start_event") for line in result["settings"])
    assert SECRET[:6] not in str(result)
    assert "are id and secret swapped?" in str(result["checks"])


@pytest.mark.parametrize(
    ("variable", "value", "events", "requests"),
    [
        ("CLOUDMONITOR_GROUP_ID", "-1", [], 1),
        ("CLOUDMONITOR_GROUP_ID", "one", [], 1),
        ("CLOUDMONITOR_START_EVENT", " ", [], 1),
        ("CLOUDMONITOR_LINGER", "long", ["deployment-check"], 1),
        ("CLOUDMONITOR_LINGER", "-1", ["deployment-check"], 1),
        ("CLOUDMONITOR_TIMEOUT", "long", [], 0),
        ("CLOUDMONITOR_TIMEOUT", "-1", [], 0),
    ],
)
def test_a_wrong_setting_is_told_once_and_hides_only_what_needs_it(
    environ: pytest.MonkeyPatch,
    receiver: Receiver,
    variable: str,
    value: str,
    events: list[str],
    requests: int,
) -> None:
    environ.setenv(variable, value)

    result = run(ActionModule, {}, {})

    states = {line[9:22].strip(): line[:8].strip() for line in result["checks"]}
    assert [line[9:17] for line in result["checks"] if line.startswith("WRONG")] == ["settings"]
    assert len(result["to_fix"]) == 1
    assert [event["name"] for event in receiver.events] == events
    assert len(receiver.requests) == requests
    reached = "ok" if requests else "skipped"
    assert (states["endpoint"], states["clock"]) == (reached, reached)
    assert states["test event"] == ("ok" if events else "skipped")


class Templating(ActionModule):
    """The action with a template engine for which every template names something undefined."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        made: Any = self
        made._templar = SimpleNamespace(template=self._evaluate)

    def _evaluate(self, value: Any) -> Any:
        if "{{" in str(value):
            raise AnsibleError("'nope' is undefined")
        return value


def test_an_extra_variable_without_a_value_is_told_with_its_name(
    environ: pytest.MonkeyPatch,
) -> None:
    extra = {"cloudmonitor_group_id": "{{ nope }}", "cloudmonitor_of_a_play": "{{ nope }}"}
    environ.setattr(setup_check, "core_version", "2.21.0")
    environ.setattr(setup_check, "load_extra_vars", lambda _loader: extra)

    result = run(Templating, {"send": False}, {})

    wrong = [line for line in result["checks"] if line.startswith("WRONG")]
    assert len(wrong) == 1
    assert "group_id from -e cloudmonitor_group_id cannot be evaluated" in wrong[0]
    assert "define what the template names" in result["to_fix"][0]
    assert "group_id cannot be used -e cloudmonitor_group_id" in [
        " ".join(line.split()) for line in result["settings"]
    ]


@pytest.mark.parametrize(("core", "told"), [("2.20.9", True), ("2.21.0", False)])
def test_extra_variables_are_told_where_they_do_not_count(
    environ: pytest.MonkeyPatch, core: str, told: bool
) -> None:
    environ.setattr(setup_check, "core_version", core)
    environ.setattr(
        setup_check, "load_extra_vars", lambda _loader: {"cloudmonitor_linger": 3, "other": 1}
    )

    result = run(Templating, {"send": False}, {})

    assert ("-e cloudmonitor_linger does not count" in str(result["checks"])) is told
    assert any("-e cloudmonitor_linger" in line for line in result["settings"]) is not told
