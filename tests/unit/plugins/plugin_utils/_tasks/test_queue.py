# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which events of a task are queued, what the task returns, and what is stored."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.aliops.cloudmonitor.plugins.action import custom_event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CloudMonitorError,
    ConfigurationError,
    CredentialsError,
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import (
    MissingLibrary,
    Undelivered,
    outage_noted,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import QueueRecord
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks import queue
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.queue import TaskQueue
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run

SECRET = "the-secret-of-the-key"
KEY = Credentials("LTAI5tUnit", SECRET)
EVENTS = [Event(f"e{number}", "text", 0, "20260301T093000.000+0800") for number in range(250)]
OUTAGE = DeliveryError("it is down", "server_error", Outcome.OUTAGE, http_status=503)

Configured = dict[str, Any]


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> Configured:
    """What ansible.cfg sets for the callback."""
    found: Configured = {}
    monkeypatch.setattr(queue, "configured_options", lambda _names: found)
    return found


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def kept(
    outbox: Outbox,
    error: CloudMonitorError = OUTAGE,
    credentials: Credentials | None = KEY,
    environ: dict[str, str] | None = None,
    deployment: Deployment | None = None,
) -> dict[str, Any] | None:
    queue = TaskQueue({"outbox": str(outbox.root)}, environ or {}, deployment)
    return queue.keep(Undelivered(EVENTS[100:], 100, error, credentials))


def heads(outbox: Outbox) -> list[QueueRecord]:
    """The first record of each folder."""
    found = []
    for folder in outbox.folders():
        delivery = Delivery(outbox, folder, 3600.0, lambda: 0.0)
        delivery.refresh()
        assert delivery.queue is not None
        found.append(delivery.queue)
    return found


def test_an_outage_is_a_warning_with_the_place_and_the_next_command(outbox: Outbox) -> None:
    result = kept(outbox)

    assert result is not None
    assert (result["changed"], result["queued"], result["undelivered_count"]) == (True, 150, 150)
    assert len(result["undelivered"]) == 100
    assert not result.keys() & {"failed", "resume_from"}
    assert result["error"]["http_status"] == 503
    assert [warning.replace(str(outbox.root), "OUTBOX") for warning in result["warnings"]] == [
        "Cloud Monitor reported a server error (HTTP 503). 150 events wait in OUTBOX for the next "
        "callback run or aliops.cloudmonitor.flush_outbox."
    ]


@pytest.mark.parametrize(
    ("error", "is_queued"),
    [
        (DeliveryError("wait", "throttled", Outcome.THROTTLED), True),
        (DeliveryError("the clock", "clock", Outcome.REFUSED_FOR_NOW), True),
        (DeliveryError("bad", "bad_request", Outcome.REFUSED), False),
        (ConfigurationError("no such file", option="ca_path"), False),
        (MissingLibrary("requests"), False),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_only_what_a_later_attempt_can_deliver_is_queued(
    outbox: Outbox, error: CloudMonitorError, is_queued: bool
) -> None:
    assert (kept(outbox, error) is not None) == is_queued
    assert len(outbox.folders()) == is_queued


PROFILE = "[default]\ntype = ram_role_arn\nrole_arn = acs:ram::1:role/x\naccess_key_id = LTAI\n"


@pytest.mark.parametrize(
    ("error", "environ", "profile", "package", "expected"),
    [
        (CredentialsError("STS is down"), {}, PROFILE, True, "profile:acs:ram::1:role/x"),
        (CredentialsError("STS is down"), {}, PROFILE, False, None),
        (CredentialsError("no AccessKey was found"), {}, None, True, None),
        (ConfigurationError("no such region"), {}, PROFILE, True, None),
        (CredentialsError("half"), {"ALICLOUD_ACCESS_KEY": "LTAI"}, PROFILE, True, None),
    ],
    ids=["configured", "no package", "nothing configured", "another option", "half a key"],
)
def test_credentials_that_can_return_are_waited_for(
    outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
    error: CloudMonitorError,
    environ: dict[str, str],
    profile: str | None,
    package: bool,
    expected: str | None,
) -> None:
    home = outbox.root.parent
    monkeypatch.setenv("HOME", str(home))
    (home / ".alibabacloud").mkdir()
    if profile is not None:
        (home / ".alibabacloud" / "credentials.ini").write_text(profile)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: package or None)
    kept(outbox, error, credentials=None, environ=environ)

    found = [head.destination for head in heads(outbox)]
    assert found == ([] if expected is None else [expected])


def test_what_is_stored_names_the_deployment_and_holds_no_secret(outbox: Outbox) -> None:
    deployment = Deployment(id=f"id-{SECRET}", name=f"shop {SECRET}")
    kept(outbox, DeliveryError(f"at {SECRET}", "connection", Outcome.OUTAGE), deployment=deployment)

    (head,) = heads(outbox)
    assert (head.label, head.deployment_id) == ("shop ********", "id-********")
    assert head.destination == "key:LTAI5tUnit"
    for path in outbox.runs.rglob("*"):
        assert SECRET not in path.name
        assert path.is_dir() or SECRET not in path.read_text()


def test_an_outbox_that_cannot_be_written_fails_the_task(outbox: Outbox) -> None:
    outbox.root.touch()
    result = kept(outbox)

    assert result is not None
    assert (result["failed"], result["resume_from"]) == (True, 100)
    assert result["error"]["kind"] == "outbox"
    assert "it is down" in result["msg"]
    assert "cannot be used" in result["msg"]
    assert "queued" not in result


def closed_endpoint(tmp_path: Path) -> dict[str, Any]:
    """The options of a task whose endpoint refuses connections."""
    return {
        "name": "e",
        "content": "c",
        "endpoint": "http://127.0.0.1:1",
        "retries": 0,
        "access_key_id": KEY.access_key_id,
        "access_key_secret": SECRET,
        "report_errors": "queue",
        "outbox": str(tmp_path / "option"),
    }


def test_the_outbox_is_found_as_for_flush_outbox(tmp_path: Path, configured: Configured) -> None:
    configured["outbox"] = str(tmp_path / "configured")
    variable = {"CLOUDMONITOR_OUTBOX": str(tmp_path / "variable")}
    args = closed_endpoint(tmp_path)
    run(custom_event.ActionModule, args, variable)
    del args["outbox"]
    run(custom_event.ActionModule, args, variable)
    run(custom_event.ActionModule, args, {})

    for name in ("option", "variable", "configured"):
        assert len(Outbox(tmp_path / name).folders()) == 1


def test_check_mode_queues_nothing(tmp_path: Path) -> None:
    result = run(custom_event.ActionModule, closed_endpoint(tmp_path), {}, check_mode=True)

    assert (result["changed"], result["queued"]) == (True, 0)
    assert list(tmp_path.iterdir()) == []


def from_target(
    tmp_path: Path, answer: Callable[[list[Event]], dict[str, Any]]
) -> tuple[dict[str, Any], int]:
    """Run a task of three events whose module returns ``answer``; also return what is queued."""

    class OnTarget(custom_event.ActionModule):
        def _execute_module(self, *_args: Any, **options: Any) -> dict[str, Any]:
            module_args = options["module_args"]
            assert module_args["report_errors"] == "queue"
            return answer([Event(**one) for one in module_args["events"]])

    args = {**closed_endpoint(tmp_path), "report_from": "target"}
    events = [{"name": f"e{number}", "content": "c"} for number in range(3)]
    for name in ("name", "content"):
        del args[name]
    result = run(OnTarget, {**args, "events": events}, {})
    queued = [
        event for folder in Outbox(tmp_path / "option").folders() for event in folder.entries()[1:]
    ]
    return result, len(queued)


def module_result(error: CloudMonitorError) -> Callable[[list[Event]], dict[str, Any]]:
    """What the module returns after the first event was accepted."""
    return lambda events: {
        "changed": True,
        "delivered": 1,
        "requests": 2,
        **outage_noted(Undelivered(events[1:], 1, error, KEY)),
    }


def test_events_that_a_host_cannot_deliver_are_queued_on_the_controller(tmp_path: Path) -> None:
    result, queued = from_target(tmp_path, module_result(OUTAGE))

    assert queued == result["queued"] == 2
    assert (result["delivered"], result["error"]["http_status"]) == (1, 503)
    assert not result.keys() & {"failed", "resume_from", "outage"}


def test_events_that_were_refused_on_a_host_are_not_queued(tmp_path: Path) -> None:
    refused = DeliveryError("bad", "bad_request", Outcome.REFUSED)
    result, queued = from_target(tmp_path, module_result(refused))

    assert queued == result["queued"] == 0
    assert (result["failed"], result["resume_from"], result["msg"]) == (True, 1, "bad")
    assert "outage" not in result


def test_a_host_without_python_or_connection_loses_no_event(tmp_path: Path) -> None:
    broken = {"failed": True, "rc": 127, "msg": "no Python"}
    result, queued = from_target(tmp_path, lambda _events: dict(broken))
    assert queued == result["queued"] == 3
    assert not result.keys() & {"failed", "rc"}
    assert result["warnings"][0].startswith("The host could not send the events. 3 events wait in")

    def unreachable(_events: list[Event]) -> dict[str, Any]:
        raise AnsibleConnectionFailure("no route")

    result, queued = from_target(tmp_path, unreachable)
    assert queued == 6
    assert (result["unreachable"], result["queued"]) == (True, 3)
    assert "no route" in result["msg"]
