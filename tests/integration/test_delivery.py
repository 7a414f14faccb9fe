# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery under every fault that the local receiver knows, from a task's point of view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    EVENT,
    KEY_ID,
    Run,
)

Tasks = Callable[..., Run]

SENT = {EVENT: {"name": "n", "content": "c"}}

# Each is met once, and the next try finds a healthy service.
TRANSIENT = ["reset", "truncate", "status=503", "retry-after=1", "throttle-200", "html=502"]

# Each fails at once, with an error kind and advice of its own.
PERMANENT = [
    ("bad-request", "bad_request", "name, content and time"),
    ("signature", "signature", "access_key_secret"),
    ("permission", "permission", "cms:PutCustomEvent"),
    ("html", "not_the_service", "login page"),
    ("redirect", "redirect", "proxy"),
    ("status=407", "proxy", "http_proxy or https_proxy"),
]


def test_transient_faults_are_survived_and_permanent_ones_fail_at_once_with_their_advice(
    tasks: Tasks, receiver: Receiver
) -> None:
    faults = [fault for kind in TRANSIENT for fault in (kind, "ok")]
    receiver.set_faults([*faults, *(fault for fault, _kind, _advice in PERMANENT)])
    run = tasks([SENT] * (len(TRANSIENT) + len(PERMANENT)))
    survived, refused = run.results[: len(TRANSIENT)], run.results[len(TRANSIENT) :]
    outcomes = [(item.get("delivered"), item.get("requests")) for item in survived]
    assert dict(zip(TRANSIENT, outcomes, strict=True)) == dict.fromkeys(TRANSIENT, (1, 2))
    for result, (fault, kind, advice) in zip(refused, PERMANENT, strict=True):
        assert (result["failed"], result["requests"]) == (True, 1), fault
        assert result["error"]["kind"] == kind, (fault, result["msg"])
        assert advice in result["msg"], (fault, result["msg"])
        assert receiver.url in result["msg"], fault
        assert [event["name"] for event in result["undelivered"]] == ["n"], fault
    # "truncate" has accepted its event, although the response was cut off.
    assert len(receiver.events) == len(TRANSIENT) + 1


def test_with_warn_an_outage_only_warns_and_the_events_after_resume_from_complete_the_job(
    tasks: Tasks, receiver: Receiver
) -> None:
    def warned(**options: Any) -> dict[str, Any]:
        return {EVENT: {"name": "n", "content": "c", "report_errors": "warn", **options}}

    events = [{"name": f"n{number}", "content": "c", "time": number} for number in range(350)]
    receiver.set_faults(["signature", "html", "status=500", "ok", "bad-request"])
    run = tasks(
        [
            warned(),
            warned(),
            warned(retries=0),
            {**warned(region="nowhere"), "environment": {"CLOUDMONITOR_ENDPOINT": ""}},
            warned(access_key_id="only"),
            warned(content=""),
            {EVENT: {"events": "{{ my_events }}"}},
            {EVENT: {"events": "{{ my_events[result_6.resume_from:] }}"}},
        ],
        play={"vars": {"my_events": events}},
    )
    assert len(run.warnings) == 5, run.output
    results = run.results[:6]
    kinds = [item["error"]["kind"] for item in results]
    assert kinds[:3] == ["signature", "not_the_service", "server_error"]
    assert [item["failed"] for item in results] == [False] * 5 + [True]
    assert [item["changed"] for item in results[:5]] == [False] * 5
    for item in results[:5]:
        assert item["undelivered"][0]["name"] == "n"
        assert item["warnings"][0] in " ".join(run.output.split())
    assert kinds[4:] == ["credentials", "invalid_event"]

    first, second = run.results[6:]
    assert (first["failed"], first["changed"], first["delivered"]) == (True, True, 100)
    assert "100 of 350 events" in first["msg"]
    assert (first["undelivered_count"], first["resume_from"]) == (250, 100)
    assert [item["name"] for item in first["undelivered"]] == [f"n{n}" for n in range(100, 200)]
    assert (second["failed"], second["delivered"]) == (False, 250)
    assert [item["name"] for item in receiver.events] == [item["name"] for item in events]


def test_proxies_come_from_the_environment_and_netrc_is_not_used(
    tasks: Tasks, receiver: Receiver, tmp_path: Path
) -> None:
    # The receiver takes whole URLs as targets, so it can stand in for a proxy.
    (tmp_path / ".netrc").write_text("default login netrc-user password netrc-password\n")
    (tmp_path / ".netrc").chmod(0o600)
    env = {"CLOUDMONITOR_ENDPOINT": "http://cloudmonitor.invalid", "http_proxy": receiver.url}
    run = tasks(
        [SENT, {**SENT, "environment": {"no_proxy": "*", "CLOUDMONITOR_RETRIES": "0"}}], env=env
    )
    assert run.results[0]["delivered"] == 1
    assert run.results[1]["failed"] is True
    assert receiver.requests[0]["access_key_id"] == KEY_ID
    assert len(receiver.requests) == 1
