# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver's OpenAPI: Alibaba Cloud's own SDK and our client get the same answers from it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Objects, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.batch import batches
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.client import Client
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import ServiceError
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.openapi import OpenApi
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import Transport

# The SDK uses datetime.utcnow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = Credential("STS.an-id", "a-secret", "a-token/+=")
OBJECTS = Objects(("oncall", "on call 部"), {4711: "shop", 47: "sho"})
RULE = {
    "GroupId": "4711",
    "RuleId": "r-1",
    "RuleName": "Failed deployments",
    "EventName": "deployment-failure",
    "ContactGroups": "oncall,on call 部",
    "Threshold": "1",
    "Level": "CRITICAL",
    "Period": "60",
    "Webhook": "https://hooks.example/?token=a b",
}

Call = Callable[..., Any]


@pytest.fixture
def service() -> Iterator[Receiver]:
    with Receiver([KEY], objects=OBJECTS) as running:
        yield running


def ours(service: Receiver, retries: int = 0) -> OpenApi:
    connection = Connection(service.url, retries=retries)
    key = Credentials(KEY.id, KEY.secret, KEY.token)
    return OpenApi(connection, key, Transport(connection, {}, resource="/"), sleep=lambda _s: None)


def report(service: Receiver, *events: Event) -> None:
    connection = Connection(service.url)
    key = Credentials(KEY.id, KEY.secret, KEY.token)
    Client(connection, key, Transport(connection, {}), "127.0.0.1").send(batches(events))


def of_the_sdk(service: Receiver) -> Call:
    """Return a function that makes a call with Alibaba Cloud's SDK."""
    sdk: Any = pytest.importorskip("alibabacloud_cms20190101.client", reason="the SDK is missing")
    models: Any = pytest.importorskip("alibabacloud_cms20190101.models")
    config: Any = pytest.importorskip("alibabacloud_tea_openapi.models")
    client = sdk.Client(
        config.Config(
            access_key_id=KEY.id,
            access_key_secret=KEY.secret,
            security_token=KEY.token,
            endpoint=service.url.removeprefix("http://"),
            protocol="HTTP",
        )
    )
    methods = {
        "PutCustomEventRule": client.put_custom_event_rule,
        "DescribeCustomEventAttribute": client.describe_custom_event_attribute,
        "DescribeContactGroupList": client.describe_contact_group_list,
        "DescribeMonitorGroups": client.describe_monitor_groups,
    }

    def call(action: str, parameters: Mapping[str, Any]) -> Any:
        request = getattr(models, action + "Request")().from_map(dict(parameters))
        return methods[action](request).body.to_map()

    return call


def test_the_sdk_and_our_client_get_the_same_answers(service: Receiver) -> None:
    event = Event(
        "deployment-failure", '{"id":"d-1","*~":"\'()+ 部"}', 4711, "20261126T001500.250+0800"
    )
    report(service, event, Event("deployment-failure-2", "c", 0, "20261126T001500.250+0000"))
    sdk = of_the_sdk(service)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("PutCustomEventRule", RULE),
        ("DescribeContactGroupList", {"PageNumber": 1, "PageSize": 1}),
        ("DescribeContactGroupList", {"PageNumber": 3, "PageSize": 1}),
        ("DescribeMonitorGroups", {"GroupId": "4711"}),
        ("DescribeCustomEventAttribute", {"SearchKeywords": "", "PageSize": 1}),
        ("DescribeCustomEventAttribute", {"Name": "deployment-failure", "GroupId": "4711"}),
        ("DescribeCustomEventAttribute", {"SearchKeywords": "d-1 and 部"}),
        ("DescribeCustomEventAttribute", {"SearchKeywords": "nothing or c*~'()+"}),
    ]

    for action, parameters in calls:
        theirs, mine = sdk(action, parameters), dict(ours(service).call(action, parameters))
        assert theirs.pop("RequestId") != mine.pop("RequestId")
        assert theirs == mine, (action, parameters)

    assert service.rules == {"r-1": RULE}
    assert [item["status"] for item in service.requests] == [200] * (2 * len(calls) + 1)
    (found,) = ours(service).call(*calls[5])["CustomEvents"]["CustomEvent"]
    assert (found["Name"], found["Time"]) == ("deployment-failure", 1795623300250)


def test_a_request_of_the_sdk_is_refused_if_one_byte_of_it_is_changed(
    service: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk = of_the_sdk(service)
    real_send = socket.socket.sendall

    def tamper(sock: socket.socket, data: bytes, *flags: int) -> None:
        real_send(sock, bytes(data).replace(b"GroupId=4711", b"GroupId=4712"), *flags)

    monkeypatch.setattr(socket.socket, "sendall", tamper)

    with pytest.raises(Exception, match="SignatureDoesNotMatch"):
        sdk("DescribeMonitorGroups", {"GroupId": "4711"})


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"ContactGroups": ""}, "MissingContactGroups"),
        ({"ContactGroups": "oncall,on"}, "ResourceNotFound"),
        ({"GroupId": "471"}, "ResourceNotFound"),
        ({"EventName": "deployment-fail"}, "ResourceNotFound"),
        ({"Period": "90"}, "InvalidParameter"),
        ({"Threshold": "0"}, "InvalidParameter"),
        ({"Level": "P4"}, "InvalidParameter"),
        ({"EffectiveInterval": "0-24"}, "InvalidParameter"),
        ({"SilenceTime": "60"}, "InvalidParameter"),
    ],
)
def test_a_wrong_rule_is_refused_and_not_stored(
    service: Receiver, changed: dict[str, str], code: str
) -> None:
    report(service, Event("deployment-failure", "c", 4711, "20261126T001500.250+0800"))

    with pytest.raises(ServiceError) as caught:
        ours(service).call("PutCustomEventRule", {**RULE, **changed})

    assert (caught.value.code, service.rules) == (code, {})


@pytest.mark.parametrize(
    ("faults", "kind"),
    [
        ("throttle", "throttled"),
        ("throttle-200", "throttled"),
        ("code=403", "permission"),
        ("status=503", "server_error"),
        ("signature", "signature"),
        ("html", "not_the_service"),
        ("close", "connection"),
    ],
)
def test_calls_meet_their_faults_and_events_do_not(
    service: Receiver, faults: str, kind: str
) -> None:
    service.set_call_faults([faults])
    report(service, Event("n", "c", 0, "20261126T001500.250+0800"))

    with pytest.raises(ServiceError) as caught:
        ours(service).call("DescribeMonitorGroups", {})

    assert (len(service.events), caught.value.kind) == (1, kind)
    service.set_call_faults(["throttle", "code=500", "throttle-200"])
    assert ours(service, retries=3).call("DescribeMonitorGroups", {})["Total"] == 2


def test_a_query_covers_three_days_and_late_events_become_visible() -> None:
    clock = [time.time()]
    with Receiver([KEY], objects=Objects(visible_after=60), clock=lambda: clock[0]) as service:
        client, now = ours(service), int(clock[0] * 1000)
        report(service, Event("n", "c", 0, str(now - 5)))
        query = {"StartTime": now - 3 * 86_400_000, "EndTime": now}

        def visible() -> int:
            answer = client.call("DescribeCustomEventAttribute", query)
            return len(answer["CustomEvents"]["CustomEvent"])

        assert visible() == 0
        clock[0] += 61
        assert visible() == 1
        with pytest.raises(ServiceError, match="three days"):
            client.call("DescribeCustomEventAttribute", {**query, "EndTime": now + 1})


def test_a_nonce_is_accepted_once(service: Receiver) -> None:
    client = ours(service)
    client._nonce = lambda: "always"
    client.call("DescribeMonitorGroups", {})

    with pytest.raises(ServiceError) as caught:
        client.call("DescribeMonitorGroups", {})

    assert caught.value.code == "SignatureNonceUsed"
