# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session of a task: large answers arrive whole, and the result has no secrets."""

from __future__ import annotations

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CredentialsError,
    ServiceError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.task import ApiSession
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    answering,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import serving

SECRET = "a-secret-of-thirty-characters"
PARAMS = {
    "access_key_id": "an-id",
    "access_key_secret": SECRET,
    "region": "cn-hangzhou",
    "network": "public",
    "timeout": 20.0,
    "retries": 0,
    "validate_certs": True,
}


def test_an_answer_of_several_megabytes_is_read_completely() -> None:
    body = b'{"Code":"200","RequestId":"R","Text":"%s"}' % (b"x" * 5_000_000)

    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)

    with serving(answering(head + body)) as server:
        session = ApiSession({**PARAMS, "api_endpoint": server.url()}, {})
        assert len(session.api.call("Any", {})["Text"]) == 5_000_000


def test_a_result_has_the_endpoint_and_no_secret() -> None:
    with Receiver([Credential("an-id", SECRET)]) as receiver:
        session = ApiSession({**PARAMS, "api_endpoint": receiver.url}, {})
        session.api.call("DescribeMonitorGroups", {})

    result = session.result({"events": [{"content": f"my {SECRET}"}]})

    assert result["events"] == [{"content": "my ********"}]
    assert (result["endpoint"], result["requests"]) == (receiver.url, 1)


def test_an_answer_that_repeats_a_webhook_is_masked() -> None:
    body = b'{"Code":"InvalidParameter","RequestId":"R","Message":"https://h/?t=hook-secret"}'
    head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(answering(head + body)) as server:
        session = ApiSession({**PARAMS, "api_endpoint": server.url()}, {}, ("hook-secret",))
        with pytest.raises(ServiceError, match=r"h/\?t=\*{8}"):
            session.api.call("PutCustomEventRule", {})


def test_a_proxy_of_the_environment_is_used() -> None:
    with Receiver([Credential("an-id", SECRET)]) as receiver:
        params = {**PARAMS, "api_endpoint": "http://metrics.example"}
        session = ApiSession(params, {"http_proxy": receiver.url})

        assert session.api.call("DescribeMonitorGroups", {})["Total"] == 0


def test_without_an_accesskey_nothing_is_called() -> None:
    with pytest.raises(CredentialsError):
        ApiSession({**PARAMS, "access_key_secret": None}, {})
