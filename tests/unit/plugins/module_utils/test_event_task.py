# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From options to a task's result, against a service on loopback."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.aliops.cloudmonitor.plugins.module_utils import _event_task
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
    InvalidEvent,
    InvalidInput,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import custom_event_spec
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import (
    Sent,
    error_result,
    events_diff,
    known_secrets,
    parse_event_options,
    send_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import CONNECTION_OPTIONS
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    answering,
    recording,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    Talk,
    serving,
    unused_port,
)

pytestmark = pytest.mark.usefixtures("_no_proxies", "_no_thread_left")

NOW = 1508741079.948
WIRE = "20171023T064439.948+0000"
SECRET = "a-secret-of-thirty-characters"


def answer(status: int, body: str) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body.encode())


def events(count: int = 1, content: str = "c") -> list[Event]:
    return [Event("n", content, number, WIRE) for number in range(count)]


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that validates options as the module does, in an empty environment."""
    for option in CONNECTION_OPTIONS:
        for variable in option.env:
            monkeypatch.delenv(variable, raising=False)

    def validated(**given: Any) -> dict[str, Any]:
        key = {"access_key_id": "an-id", "access_key_secret": SECRET}
        checked = ArgumentSpecValidator(custom_event_spec()).validate(
            {"name": "n", "content": "c", "retries": 0, "timeout": 20, **key, **given}
        )
        assert not checked.error_messages
        return dict(checked.validated_parameters)

    return validated


def run(
    params: Mapping[str, Any],
    sending: list[Event] | None = None,
    environ: Mapping[str, str] | None = None,
    check_mode: bool = False,
) -> dict[str, Any]:
    return send_events(sending or events(), params, environ or {}, True, check_mode)


def test_what_was_accepted_is_a_change_and_is_shown_as_sent(options: Any) -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        result = run(options(endpoint=server.url()), events(2))

    assert result == {
        "changed": True,
        "events": [event.as_option() for event in events(2)],
        "delivered": 2,
        "queued": 0,
        "requests": 1,
        "endpoint": server.url(),
    }
    assert json.loads(heard[0].partition(b"\r\n\r\n")[2]) == [
        {"name": "n", "content": "c", "groupId": number, "time": WIRE} for number in range(2)
    ]


def test_the_own_address_is_reported_unless_one_is_given(options: Any) -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        run(options(endpoint=server.url()))
        run(options(endpoint=server.url(), source_ip="192.0.2.7"))

    lines = [line for request in heard for line in request.split(b"\r\n") if b"x-cms-ip" in line]
    assert socket.inet_aton(lines[0].split(b": ")[1].decode())
    assert lines[1] == b"x-cms-ip: 192.0.2.7"


def test_only_the_first_hundred_events_are_shown(options: Any) -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        result = run(options(endpoint=server.url()), events(250))

    assert (result["delivered"], result["requests"], len(result["events"])) == (250, 3, 100)


def test_check_mode_sends_nothing_and_says_that_it_would(options: Any) -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        result = run(options(endpoint=server.url()), check_mode=True)

        assert server.connections == 0
    assert (result["changed"], result["delivered"], result["requests"]) == (True, 0, 0)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"region": "mars-1"}, "configuration"),
        ({"endpoint": "nonsense"}, "configuration"),
        ({"access_key_secret": ""}, "credentials"),
        ({"access_key_secret": "with space"}, "credentials"),
    ],
)
@pytest.mark.parametrize("check_mode", [True, False])
def test_options_that_cannot_work_fail_with_and_without_check_mode(
    options: Any, given: dict[str, str], kind: str, check_mode: bool
) -> None:
    result = run(options(**given), check_mode=check_mode)

    assert (result["failed"], result["changed"]) == (True, False)
    assert result["error"]["kind"] == kind
    assert result["undelivered"] == [event.as_option() for event in events()]


def test_check_mode_does_not_look_for_a_key_elsewhere(
    options: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(*_arguments: object) -> None:
        raise AssertionError("looked")

    monkeypatch.setattr(_event_task, "resolve_credentials", unexpected)
    params = options(access_key_id="", access_key_secret="")

    assert run(params, check_mode=True)["changed"] is True


def test_a_refusal_fails_with_everything_that_is_needed_to_go_on(options: Any) -> None:
    body = '{"code":"400","msg":"syntax error","requestId":"7B1C"}'
    with serving(answering(answer(400, body))) as server:
        result = run(options(endpoint=server.url()), events(2))

    assert (result["failed"], result["changed"]) == (True, False)
    assert (result["delivered"], result["requests"]) == (0, 1)
    assert result["undelivered"] == [event.as_option() for event in events(2)]
    assert result["error"] == {
        "kind": "bad_request",
        "http_status": 400,
        "code": "400",
        "message": "syntax error",
        "request_id": "7B1C",
    }
    assert "Check the name" in result["msg"]
    assert "warnings" not in result


def test_an_outage_can_be_a_warning_only(options: Any) -> None:
    endpoint = f"http://127.0.0.1:{unused_port()}"

    result = run(options(endpoint=endpoint, report_errors="warn"))

    assert "failed" not in result
    assert result["warnings"] == ["Cloud Monitor cannot be reached. The event was not delivered."]
    assert result["error"]["kind"] == "connection"
    assert (result["changed"], result["delivered"]) == (False, 0)
    assert len(result["undelivered"]) == 1


def test_an_event_that_is_too_large_is_an_error_even_with_warn(options: Any) -> None:
    with pytest.raises(InvalidEvent):
        run(options(report_errors="warn"), events(1, "x" * 500_001))


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("source", ["options", "environment"])
def test_no_secret_is_in_any_result(options: Any, source: str, check_mode: bool) -> None:
    token = "tokenTOKEN" * 90
    key = {"access_key_id": "an-id", "access_key_secret": SECRET, "security_token": token}
    environ = {}
    if source == "environment":
        environ = {
            "ALICLOUD_ACCESS_KEY": "an-id",
            "ALICLOUD_SECRET_KEY": SECRET,
            "ALICLOUD_SECURITY_TOKEN": token,
        }
        key = {"access_key_id": "", "access_key_secret": "", "security_token": ""}
    body = json.dumps({"code": "403", "msg": f"signed x-cms-security-token:{token} with {SECRET}"})
    with serving(answering(answer(403, body))) as server:
        params = options(endpoint=server.url(), **key)
        result = run(params, events(1, f"{SECRET} {token}"), environ, check_mode)

    shown = json.dumps(result)
    assert SECRET not in shown
    assert "tokenTOKEN" not in shown
    assert result["endpoint"] == server.url()


def test_the_events_may_be_delivered_by_somebody_else(options: Any) -> None:
    seen: list[tuple[Connection, Credentials]] = []

    def deliver(sending: list[Event], connection: Connection, credentials: Credentials) -> Sent:
        assert sending == events()
        seen.append((connection, credentials))
        return Sent({"changed": True, "delivered": 1, "requests": 1}, 1)

    result = send_events(events(), options(region="cn-beijing"), {}, True, False, deliver)

    assert (result["changed"], result["delivered"]) == (True, 1)
    connection, credentials = seen[0]
    assert connection.endpoint == "https://metrichub-cms-cn-beijing.aliyuncs.com"
    assert credentials == Credentials("an-id", SECRET)


@pytest.mark.parametrize("report_errors", ["fail", "warn"])
def test_without_requests_it_is_said_what_to_install(
    options: Any, report_errors: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_event_task, "REQUESTS_IMPORT_ERROR", "Traceback: no requests")

    result = run(options(report_errors=report_errors))

    assert "requests" in result["msg"]
    assert result["error"]["kind"] == "missing_library"
    assert result.get("failed", False) == (report_errors == "fail")
    assert result.get("exception") == (
        "Traceback: no requests" if report_errors == "fail" else None
    )


def test_secrets_are_known_by_every_name_and_variable() -> None:
    params = {
        "alicloud_secret_key": "s1",
        "security_token": "s2",
        "access_key_id": "id",
        "name": "n",
    }
    environ = {
        "ALICLOUD_SECRET_ACCESS_KEY": "s3",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "s4",
        "HOME": "/",
    }

    assert sorted(known_secrets(params, environ)) == ["s1", "s2", "s3", "s4"]


@pytest.mark.parametrize(
    ("error", "report_errors", "fails"),
    [
        (InvalidInput("x"), "fail", True),
        (InvalidInput("x"), "warn", True),
        (InvalidEvent("x", "name"), "warn", True),
        (ConfigurationError("x"), "fail", True),
        (ConfigurationError("x"), "warn", False),
    ],
)
def test_wrong_input_always_fails_and_an_outage_may_warn(
    error: InvalidInput | ConfigurationError, report_errors: str, fails: bool
) -> None:
    added = error_result(error, report_errors, events(1))

    assert added.get("failed", False) is fails
    assert ("warnings" in added) is not fails
    assert added["undelivered"] == [events(1)[0].as_option()]
    assert (added["undelivered_count"], added["resume_from"]) == (1, 0)


def test_a_failure_returns_the_first_hundred_events_and_where_to_go_on(options: Any) -> None:
    answers = iter([answer(200, '{"code":"200"}'), answer(400, '{"code":"400"}')])

    def script(talk: Talk) -> None:
        while talk.receive():
            talk.send(next(answers))

    sending = events(350)
    with serving(script) as server:
        result = run(options(endpoint=server.url()), sending)

    assert (result["failed"], result["delivered"]) == (True, 100)
    assert result["undelivered"] == [event.as_option() for event in sending[100:200]]
    assert (result["undelivered_count"], result["resume_from"]) == (250, 100)


def test_a_task_without_events_has_none_that_were_not_accepted() -> None:
    added = error_result(InvalidInput("x"), "fail", None)

    assert not added.keys() & {"undelivered", "undelivered_count", "resume_from"}


@pytest.mark.parametrize("source", ["options", "environment", "chain"])
@pytest.mark.parametrize("deliver", [None, "elsewhere"])
def test_a_secret_is_masked_in_the_events_that_are_sent(
    options: Any, source: str, deliver: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "tokenTOKEN/" * 20
    environ = {}
    key = {"access_key_id": "an-id", "access_key_secret": SECRET, "security_token": token}
    if source != "options":
        key = {"access_key_id": "", "access_key_secret": ""}
    if source == "environment":
        environ = {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "an-id",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
            "ALIBABA_CLOUD_SECURITY_TOKEN": token,
        }
    if source == "chain":
        found = Credentials("an-id", SECRET, token, "chain")
        monkeypatch.setattr(_event_task, "resolve_credentials", lambda *_arguments: found)
    elsewhere: list[Event] = []

    def send_elsewhere(sending: list[Event], *_arguments: object) -> Sent:
        elsewhere.extend(sending)
        return Sent({"changed": True}, 1)

    content = json.dumps({"message": f"signed with {SECRET}", "url": "https://x/?" + quote(token)})
    event = Event(f"name {SECRET}", content, 0, WIRE)
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        params = options(endpoint=server.url(), **key)
        result = send_events(
            [event], params, environ, True, False, send_elsewhere if deliver else None
        )

    sent = b"".join(heard).partition(b"\r\n\r\n")[2].decode() or repr(elsewhere)
    assert SECRET not in sent
    assert "tokenTOKEN" not in sent
    assert "signed with ********" in sent
    assert "name ********" in sent
    if not deliver:
        shown = result["events"][0]
        wire = json.loads(sent)[0]
        assert (shown["name"], shown["content"]) == (wire["name"], wire["content"])


def test_a_diff_shows_the_events_and_how_many_more_there_are() -> None:
    options = [event.as_option() for event in events(100, "部署")]
    shown = events_diff(options, 103)

    assert shown["before"] == ""
    assert shown["after"].count("部署") == 100
    assert shown["after"].endswith("... and 3 more\n")
    assert json.loads(events_diff(options[:2], 2)["after"]) == options[:2]


@pytest.mark.parametrize(
    ("params", "count", "single"),
    [
        ({"name": "n", "content": "c"}, 1, True),
        ({"name": "n", "content": {"a": 1}, "group_id": "7", "time": 0}, 1, True),
        ({"events": [{"name": "n", "content": "c"}] * 3}, 3, False),
        ({"events": [{"name": "n", "content": "c"}], "group_id": 7}, 1, False),
        ({"events": [{"name": "n", "content": "c"}], "name": None}, 1, False),
    ],
)
def test_one_event_or_a_list_of_them(params: dict[str, Any], count: int, single: bool) -> None:
    found, stood_alone = parse_event_options(params, NOW)

    assert (len(found), stood_alone) == (count, single)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "name, events: one of them is required"),
        ({"group_id": 7, "time": 0}, "name, events: one of them is required"),
        ({"name": "n"}, "content: is missing"),
        ({"content": "c"}, "name: is missing"),
        ({"events": [], "name": "n"}, "name: cannot be combined with events"),
        (
            {"events": [], "name": "n", "content": "c"},
            "content, name: cannot be combined with events",
        ),
        ({"events": [{}], "time": 0}, "time: cannot be combined with events"),
        ({"events": []}, "events: must have at least one event"),
        ({"events": "x"}, "events: must be a list of events"),
        ({"events": [{"name": "n"}]}, "events[0].content: is missing"),
    ],
)
def test_both_ways_or_neither_are_an_error_that_says_so(params: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_event_options(params, NOW)

    assert str(caught.value).startswith(words)
    assert str(caught.value).endswith("No event was sent.")
