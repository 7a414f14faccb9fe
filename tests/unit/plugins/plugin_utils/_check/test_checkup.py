# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a check in their order, with a courier that answers as the test says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check import checkup
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.checkup import Checkup
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.reader import (
    read_settings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_settings import (
    CourierSettings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.probe import ProbeResult
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.conftest import KEY_ID


class Courier:
    """Answers a probe, and records the settings that it gets."""

    def __init__(self, problem: str | None = None, key_id: str = KEY_ID) -> None:
        self._result = ProbeResult(problem, "Do this.", access_key_id=key_id)
        self.settings: list[CourierSettings] = []

    def probe(self, settings: CourierSettings) -> ProbeResult:
        self.settings.append(settings)
        return self._result


def check(courier: Courier, check_mode: bool = False, send: bool = False) -> dict[str, Any]:
    environ = dict(os.environ)
    callback = read_settings(environ, {}, str)
    return Checkup(callback, environ, check_mode, courier.probe).run(send)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {line[9:22].strip(): line[:8].strip() for line in result["checks"]}


def test_a_courier_is_started_with_the_settings_of_a_run(
    enabled: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    courier = Courier()
    enabled.setenv("CLOUDMONITOR_OUTBOX_TTL", "2")

    result = check(courier)

    (settings,) = courier.settings
    assert states(result)["courier"] == "ok"
    assert (settings.destination, settings.ttl) == (f"key:{KEY_ID}", 7200.0)
    assert settings.outbox == str(tmp_path / "outbox")
    assert settings.credentials is not None


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_courier_that_cannot_deliver_fails_the_check_where_it_is_needed(
    request: pytest.FixtureRequest, set_up: pytest.MonkeyPatch, is_enabled: bool
) -> None:
    if is_enabled:
        request.getfixturevalue("enabled")

    result = check(Courier("urllib3 cannot be imported"))

    assert result["healthy"] is not is_enabled
    assert states(result)["courier"] == ("WRONG" if is_enabled else "note")
    shown = result["to_fix"] if is_enabled else result["to_know"]
    assert any(line.endswith("courier: Do this.") for line in shown)


def test_credentials_of_the_chain_are_found_by_the_courier_itself(
    enabled: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    chain = Credentials("LTAI5tOfTheChain", "chain-secret", None, "chain")
    enabled.setattr(checkup, "resolve_credentials", lambda *_args: chain)
    enabled.setenv("HOME", str(tmp_path))
    courier = Courier(key_id="LTAI5tOfTheChain")

    assert states(check(courier))["courier"] == "ok"
    (settings,) = courier.settings
    assert settings.credentials is None
    assert settings.destination.startswith("chain:")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", ""),
        ("CLOUDMONITOR_TIMEOUT", "-1"),
        ("CLOUDMONITOR_LINGER", "nan"),
        ("CLOUDMONITOR_CA_PATH", "/not/there"),
    ],
)
def test_no_courier_is_started_before_its_settings_are_right(
    enabled: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    courier = Courier()
    enabled.setenv(variable, value)

    result = check(courier)

    assert courier.settings == []
    assert states(result)["courier"] == "skipped"
    assert len(result["to_fix"]) == 1


def test_an_outbox_of_an_unknown_home_is_not_made(
    enabled: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enabled.setenv("HOME", "~")
    enabled.chdir(tmp_path)
    enabled.setenv("CLOUDMONITOR_OUTBOX", "~/box")

    result = check(Courier())

    assert states(result)["outbox"] == "skipped"
    assert "outbox: begins with ~" in str(result["checks"])
    assert list(tmp_path.iterdir()) == []


def test_check_mode_makes_no_outbox_and_sends_no_event(
    enabled: pytest.MonkeyPatch, set_up_receiver: Receiver, tmp_path: Path
) -> None:
    courier = Courier()

    result = check(courier, check_mode=True, send=True)

    assert result["healthy"] is True
    assert courier.settings[0].outbox == ""
    assert not (tmp_path / "outbox").exists()
    assert set_up_receiver.events == []


@pytest.mark.parametrize(
    ("variable", "value", "events", "requests"),
    [
        ("CLOUDMONITOR_GROUP_ID", "-1", [], 1),
        ("CLOUDMONITOR_GROUP_ID", "one", [], 1),
        ("CLOUDMONITOR_START_EVENT", " ", [], 1),
        ("CLOUDMONITOR_DEPLOYMENT_COMMIT", "v1.4.2", [], 1),
        ("CLOUDMONITOR_LINGER", "long", ["deployment-check"], 1),
        ("CLOUDMONITOR_LINGER", "-1", ["deployment-check"], 1),
        ("CLOUDMONITOR_TIMEOUT", "long", [], 0),
        ("CLOUDMONITOR_TIMEOUT", "-1", [], 0),
    ],
)
def test_a_wrong_setting_is_told_once_and_hides_only_what_needs_it(
    set_up: pytest.MonkeyPatch,
    set_up_receiver: Receiver,
    variable: str,
    value: str,
    events: list[str],
    requests: int,
) -> None:
    set_up.setenv(variable, value)

    result = check(Courier(), send=True)

    states = {line[9:22].strip(): line[:8].strip() for line in result["checks"]}
    assert [line[9:17] for line in result["checks"] if line.startswith("WRONG")] == ["settings"]
    assert len(result["to_fix"]) == 1
    assert [event["name"] for event in set_up_receiver.events] == events
    assert len(set_up_receiver.requests) == requests
    reached = "ok" if requests else "skipped"
    assert (states["endpoint"], states["clock"]) == (reached, reached)
    assert states["test event"] == ("ok" if events else "skipped")
