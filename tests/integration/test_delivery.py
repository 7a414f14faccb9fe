# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery under every fault that the local receiver knows, from a task's point of view."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    DEPLOYMENT,
    EVENT,
    KEY_ID,
    SECRET,
    Run,
)

Tasks = Callable[..., Run]

SENT = {EVENT: {"name": "n", "content": "c"}}

# Each is met once, and the next try finds a healthy service.
TRANSIENT = [
    "reset",
    "close",
    "truncate",
    "accept-then-close",
    "status=500",
    "status=502",
    "status=503",
    "status=504",
    "429",
    "retry-after=1",
    "throttle",
    "throttle-200",
    "code=500",
    "html=502",
    "html=503",
]

# Each fails at once, with an error kind and advice of its own.
PERMANENT = [
    ("bad-request", "bad_request", "name, content and time"),
    ("signature", "signature", "access_key_secret"),
    ("permission", "permission", "cms:PutCustomEvent"),
    ("code=400", "bad_request", "name, content and time"),
    ("code=403", "signature", "access_key_secret"),
    ("code=404", "refused", "endpoint, region and network"),
    ("html", "not_the_service", "login page"),
    ("html=403", "not_the_service", "login page"),
    ("html=404", "not_the_service", "login page"),
    ("garbage", "not_the_service", "login page"),
    ("empty", "not_the_service", "login page"),
    ("huge", "not_the_service", "login page"),
    ("redirect", "redirect", "proxy"),
    ("status=407", "proxy", "http_proxy or https_proxy"),
]


def test_each_transient_fault_is_survived(tasks: Tasks, receiver: Receiver) -> None:
    receiver.set_faults([fault for kind in TRANSIENT for fault in (kind, "ok")])
    run = tasks([SENT] * len(TRANSIENT))
    outcomes = [(item.get("delivered"), item.get("requests")) for item in run.results]
    assert dict(zip(TRANSIENT, outcomes, strict=True)) == dict.fromkeys(TRANSIENT, (1, 2))
    assert [item["fault"] for item in receiver.requests[::2]] == TRANSIENT


def test_each_permanent_fault_fails_at_once_with_its_own_advice(
    tasks: Tasks, receiver: Receiver
) -> None:
    receiver.set_faults([fault for fault, _kind, _advice in PERMANENT])
    run = tasks([SENT] * len(PERMANENT))
    for result, (fault, kind, advice) in zip(run.results, PERMANENT, strict=True):
        assert result["failed"] is True, fault
        assert result["requests"] == 1, fault
        assert result["error"]["kind"] == kind, (fault, result["msg"])
        assert advice in result["msg"], (fault, result["msg"])
        assert receiver.url in result["msg"], fault
        assert [event["name"] for event in result["undelivered"]] == ["n"], fault
    assert receiver.events == []


def test_a_redirect_is_not_followed(tasks: Tasks, receiver: Receiver) -> None:
    with Receiver([Credential(KEY_ID, SECRET)]) as elsewhere:
        receiver.set_faults([f"redirect={elsewhere.url}/event/custom/upload"])
        assert tasks([SENT]).result["error"]["http_status"] == 302
        assert elsewhere.requests == []


def test_the_events_after_resume_from_complete_the_job(tasks: Tasks, receiver: Receiver) -> None:
    events = [{"name": f"n{number}", "content": "c", "time": number} for number in range(350)]
    receiver.set_faults(["ok", "bad-request"])
    run = tasks(
        [
            {EVENT: {"events": "{{ my_events }}"}},
            {EVENT: {"events": "{{ my_events[result_0.resume_from:] }}"}},
        ],
        play={"vars": {"my_events": events}},
    )
    first, second = run.results
    assert (first["failed"], first["changed"], first["delivered"]) == (True, True, 100)
    assert "100 of 350 events" in first["msg"]
    assert (first["undelivered_count"], first["resume_from"]) == (250, 100)
    assert [item["name"] for item in first["undelivered"]] == [f"n{n}" for n in range(100, 200)]
    assert (second["failed"], second["delivered"]) == (False, 250)
    assert [item["name"] for item in receiver.events] == [item["name"] for item in events]


def test_undelivered_events_keep_the_time_of_the_first_task(
    tasks: Tasks, receiver: Receiver
) -> None:
    events = [{"name": f"n{number}", "content": "c"} for number in range(150)]
    receiver.set_faults(["ok", "bad-request"])
    tasks([{EVENT: {"events": events}}, {EVENT: {"events": "{{ result_0.undelivered }}"}}])

    assert [item["name"] for item in receiver.events] == [item["name"] for item in events]
    assert len({item["time"] for item in receiver.events}) == 1


def test_a_failure_returns_what_the_service_said(tasks: Tasks, receiver: Receiver) -> None:
    error = tasks([SENT], env={"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "wrong-secret"}).result["error"]
    assert (error["kind"], error["http_status"], error["code"]) == ("signature", 403, "403")
    assert error["message"] == receiver.requests[0]["msg"]
    assert error["request_id"]


def test_a_clock_that_is_off_is_told_from_a_wrong_secret(tasks: Tasks) -> None:
    with Receiver([Credential(KEY_ID, SECRET)], clock_offset=-3600) as ahead:
        result = tasks([SENT], env={"CLOUDMONITOR_ENDPOINT": ahead.url}).result
    assert result["error"]["kind"] == "clock"
    assert "60 minutes ahead" in result["msg"]


def test_a_refused_connection_is_tried_again_and_then_explained(tasks: Tasks) -> None:
    with socket.socket() as nobody:  # bound but not listening: the port is ours, and refuses
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        result = tasks(
            [SENT], env={"CLOUDMONITOR_ENDPOINT": url, "CLOUDMONITOR_RETRIES": "1"}
        ).result
    assert (result["failed"], result["changed"], result["requests"]) == (True, False, 2)
    assert result["error"]["kind"] == "connection"
    assert "Connection refused" in result["msg"]
    assert "firewall" in result["msg"]


def test_an_unknown_host_is_named_as_such(tasks: Tasks) -> None:
    env = {"CLOUDMONITOR_ENDPOINT": "http://cloudmonitor.invalid", "CLOUDMONITOR_RETRIES": "0"}
    result = tasks([SENT], env=env).result
    assert result["error"]["kind"] in ("connection", "timeout")
    assert "http://cloudmonitor.invalid" in result["msg"]


def test_a_hang_and_a_dripping_answer_end_with_the_timeout(
    tasks: Tasks, receiver: Receiver
) -> None:
    faults = ["hang", "drip=0.2", "drip-head=0.2", "slow=30"]
    receiver.set_faults([fault for kind in faults for fault in (kind, kind)])
    start = time.monotonic()
    run = tasks(
        [SENT] * len(faults), env={"CLOUDMONITOR_TIMEOUT": "1", "CLOUDMONITOR_RETRIES": "1"}
    )
    took = time.monotonic() - start
    for result, fault in zip(run.results, faults, strict=True):
        assert result["error"]["kind"] == "timeout", fault
        assert result["requests"] == 2, fault
    # (1 s + at most 0.5 s of backoff) x 2 tries x 4 tasks = 12 s, and room for Ansible itself.
    assert took < 30


def test_a_longer_retry_after_than_is_bearable_ends_the_task(
    tasks: Tasks, receiver: Receiver
) -> None:
    receiver.set_faults(["retry-after=3600"])
    result = tasks([SENT]).result
    assert (result["requests"], result["error"]["kind"]) == (1, "throttled")
    assert "wait 3600 s" in result["msg"]


def test_the_rate_of_the_account_is_kept_and_throttling_survived(tasks: Tasks) -> None:
    events = [{"name": "n", "content": str(number)} for number in range(4000)]
    with Receiver([Credential(KEY_ID, SECRET)], rate=20) as strict:
        env = {"CLOUDMONITOR_ENDPOINT": strict.url}
        run = tasks([{EVENT: {"events": events}}], env=env)
        assert run.result["delivered"] == 4000
        assert len(strict.events) == 4000


def test_with_warn_an_outage_only_warns(tasks: Tasks, receiver: Receiver) -> None:
    def warned(**options: Any) -> dict[str, Any]:
        return {EVENT: {"name": "n", "content": "c", "report_errors": "warn", **options}}

    receiver.set_faults(["signature", "html", "status=500"])
    run = tasks(
        [
            warned(),
            warned(),
            warned(retries=0),
            {**warned(region="nowhere"), "environment": {"CLOUDMONITOR_ENDPOINT": ""}},
            warned(access_key_id="only"),
            warned(content=""),
        ],
    )
    assert len(run.warnings) == 5, run.output
    kinds = [item["error"]["kind"] for item in run.results]
    assert kinds[:3] == ["signature", "not_the_service", "server_error"]
    assert [item["failed"] for item in run.results] == [False] * 5 + [True]
    assert [item["changed"] for item in run.results[:5]] == [False] * 5
    for item in run.results[:5]:
        assert item["undelivered"][0]["name"] == "n"
        assert item["msg"][:60] in " ".join(run.output.split())
    assert kinds[4:] == ["credentials", "invalid_event"]


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


def test_no_credentials_names_the_ways_to_give_some(tasks: Tasks, receiver: Receiver) -> None:
    env = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}
    result = tasks([SENT], env={**env, "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}).result
    assert result["error"]["kind"] == "credentials"
    for way in ("access_key_id", "ALIBABA_CLOUD_ACCESS_KEY_ID", "alibabacloud-credentials"):
        assert way in result["msg"]
    assert receiver.requests == []


def test_a_typo_in_the_region_lists_the_known_ones(tasks: Tasks, receiver: Receiver) -> None:
    typo = {EVENT: {"name": "n", "content": "c", "alicloud_region": "cn-hangzou"}}
    result = tasks(
        [typo, {DEPLOYMENT: {"phase": "start", "name": "d", "region": "cn-hangzou"}}],
        env={"CLOUDMONITOR_ENDPOINT": ""},
    ).results
    for item in result:
        assert item["error"]["kind"] == "configuration"
        assert "'cn-hangzou'" in item["msg"]
        assert "cn-hangzhou" in item["msg"]
    assert receiver.requests == []
