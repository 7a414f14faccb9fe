# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action returns to its playbook; whole runs are in tests/integration/check."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants as C
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action.setup_check import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.conftest import (
    KEY_ID,
    PACKAGE,
    SECRET,
)


def documented() -> set[str]:
    source = importlib.import_module(PACKAGE + "modules.setup_check")
    returned: dict[str, Any] = yaml.safe_load(source.RETURN)
    assert set(yaml.safe_load(source.DOCUMENTATION)["options"]) == {"receipt", "send"}
    return set(returned)


def test_it_returns_what_is_documented(
    set_up: pytest.MonkeyPatch, set_up_receiver: Receiver
) -> None:
    result = run(ActionModule, {}, {})

    assert set(result) - {"changed", "invocation"} == documented()
    assert (result["healthy"], result["changed"]) == (True, False)
    assert [event["name"] for event in set_up_receiver.events] == ["deployment-check"]


@pytest.mark.parametrize("args", [{"send": False}, {"send": "no"}])
def test_without_the_event_nothing_is_accepted(
    set_up: pytest.MonkeyPatch, set_up_receiver: Receiver, args: dict[str, Any]
) -> None:
    result = run(ActionModule, args, {})

    assert result["healthy"] is True
    assert set_up_receiver.events == []
    assert len(set_up_receiver.requests) == 1


def test_what_is_wrong_is_told_and_does_not_fail_the_task(set_up: pytest.MonkeyPatch) -> None:
    set_up.setenv("ALIBABA_CLOUD_REGION_ID", "cn-atlantis")
    set_up.delenv("CLOUDMONITOR_ENDPOINT")
    set_up.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")

    result = run(ActionModule, {}, {})

    assert result["healthy"] is False
    assert result.get("failed", False) is False
    assert len(result["to_fix"]) == 2
    assert "2 of " in result["verdict"]


def test_a_secret_in_ansible_cfg_is_read_by_nothing_and_shown_by_nothing(
    set_up: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "ansible.cfg"
    config.write_text(
        f"[callback_deployment_events]\nstart_event = {SECRET}\naccess_key_secret = {SECRET}\n"
    )
    set_up.setattr(C.config, "_config_file", str(config))
    set_up.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")

    result = run(ActionModule, {}, {})

    assert "Remove access_key_secret from the file" in "\n".join(result["to_fix"])
    assert any(line.startswith("start_event") for line in result["settings"])
    assert SECRET not in str(result)


def test_a_secret_in_the_place_of_the_id_is_shown_in_no_part(
    set_up: pytest.MonkeyPatch,
) -> None:
    set_up.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", SECRET)
    set_up.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY_ID)
    set_up.setenv("CLOUDMONITOR_START_EVENT", "a-" + SECRET)

    result = run(ActionModule, {}, {})

    assert "access_key_id given ALIBABA_CLOUD_ACCESS_KEY_ID" in [
        " ".join(line.split()) for line in result["settings"]
    ]
    assert any(line.startswith("start_event") for line in result["settings"])
    assert SECRET[:6] not in str(result)
    assert "Are id and secret swapped?" in str(result["checks"])
