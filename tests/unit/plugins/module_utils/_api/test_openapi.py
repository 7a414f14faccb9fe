# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of the OpenAPI: fresh signatures, retries, pages, and errors without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import ServiceError
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.openapi import (
    PAGE_SIZE,
    OpenApi,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import Response
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    TransportError,
)

SECRET = "a-secret-of-thirty-characters"
TOKEN = "token+TOKEN" * 9
BUSY = Response(503, {}, b"")
GONE = TransportError("connection", "Connection refused")


def ok(**members: Any) -> Response:
    return Response(200, {}, json.dumps({"Code": "200", "RequestId": "R", **members}).encode())


def page(count: int, **members: Any) -> Response:
    return ok(Groups={"Group": ["one"] * count}, **members)


class Scripted:
    """A transport that reacts as planned, and a clock that only sleeps advance."""

    def __init__(self, reactions: Sequence[Response | TransportError]) -> None:
        self.reactions = list(reactions)
        self.sent: list[tuple[Mapping[str, str], str]] = []
        self.now = 1698315752.0

    def post(self, headers: Mapping[str, str], body: bytes, query: str = "") -> Response:
        assert body == b""
        self.sent.append((headers, query))
        reaction = self.reactions.pop(0)
        if isinstance(reaction, TransportError):
            raise reaction
        return reaction

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def client(self, retries: int = 3) -> OpenApi:
        return OpenApi(
            Connection("https://metrics.cn-hangzhou.aliyuncs.com", retries=retries),
            Credentials("an-id", SECRET, TOKEN),
            self,
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            sleep=self.sleep,
            chance=lambda: 0.5,
        )


def test_a_retry_has_a_new_nonce_date_and_signature() -> None:
    wire = Scripted([BUSY, GONE, ok(Total=1)])
    client = wire.client()

    assert client.call("PutCustomEventRule", {"RuleId": "r", "Names": ["a"]})["Total"] == 1
    assert client.requests == 3
    assert {query for _headers, query in wire.sent} == {"Names.1=a&RuleId=r"}
    for name in ("x-acs-signature-nonce", "x-acs-date", "Authorization"):
        assert len({headers[name] for headers, _query in wire.sent}) >= 2, name


@pytest.mark.parametrize(
    ("reactions", "kind", "requests"),
    [
        ([BUSY] * 3, "server_error", 3),
        ([Response(429, {"retry-after": "31"}, b"")], "throttled", 1),
        ([GONE, Response(200, {}, b"<html>")], "not_the_service", 2),
        ([TransportError("tls", "no certificate", permanent=True)], "tls", 1),
    ],
)
def test_a_call_ends_when_it_is_out_of_retries_or_refused(
    reactions: list[Response | TransportError], kind: str, requests: int
) -> None:
    client = Scripted(reactions).client(retries=2)

    with pytest.raises(ServiceError) as caught:
        client.call("DescribeMonitorGroups", {})

    assert (caught.value.kind, client.requests) == (kind, requests)
    assert "DescribeMonitorGroups failed at https://metrics" in str(caught.value)


def test_an_error_shows_the_answer_without_the_secrets() -> None:
    body = {"Code": "NoPermission", "RequestId": "R-7", "Message": f"{SECRET} {TOKEN}"}
    client = Scripted([Response(403, {}, json.dumps(body).encode())]).client()

    with pytest.raises(ServiceError) as caught:
        client.call("DescribeMonitorGroups", {})

    shown = json.dumps(caught.value.as_result()) + str(caught.value)
    assert ("R-7" in shown, "NoPermission" in shown) == (True, True)
    assert SECRET not in shown
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("pages", "read"),
    [
        ([0], 0),
        ([1], 1),
        ([PAGE_SIZE, 0], PAGE_SIZE),
        ([PAGE_SIZE, PAGE_SIZE, 3], 2 * PAGE_SIZE + 3),
    ],
)
def test_pages_are_read_until_a_short_one(pages: list[int], read: int) -> None:
    wire = Scripted([page(count) for count in pages])

    entries = [
        entry for part in wire.client().pages("List", {}, "Groups", "Group") for entry in part
    ]

    assert len(entries) == read
    assert wire.reactions == []
    numbers = [query.split("&")[0] for _headers, query in wire.sent]
    assert numbers == [f"PageNumber={number}" for number in range(1, len(pages) + 1)]


@pytest.mark.parametrize("total", [25, "25"])
def test_a_total_is_read_completely_even_if_the_service_makes_smaller_pages(total: Any) -> None:
    wire = Scripted([page(count, Total=total) for count in (10, 10, 5)])

    parts = list(wire.client().pages("List", {}, "Groups", "Group"))

    assert [len(part) for part in parts] == [10, 10, 5]


def test_a_list_that_ends_before_its_total_ends_the_reading() -> None:
    wire = Scripted([page(10, Total=99), ok(Total=99, Groups="")])

    assert len(list(wire.client().pages("List", {}, "Groups", "Group"))) == 1
