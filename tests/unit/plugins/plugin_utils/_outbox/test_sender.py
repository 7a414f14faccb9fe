# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends with credentials that are fresh, and keeps the rate."""

from __future__ import annotations

import time

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
    CredentialsError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import (
    sender as module,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.sender import (
    CREDENTIALS_SECONDS,
    Sender,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    CREDENTIALS,
    KEY_ID,
    SECRET,
)

EVENT = Event("n", "c", 0, "20251122T093320.000+0000")


def _connection(url: str, timeout: float = 5.0) -> Connection:
    return Connection(endpoint=url, timeout=timeout, retries=0)


def test_an_event_arrives(receiver: Receiver) -> None:
    sender = Sender(_connection(receiver.url), CREDENTIALS, {})

    assert sender.send([EVENT]) is None
    assert [event["content"] for event in receiver.events] == ["c"]


def test_it_tries_once_and_says_what_went_wrong(receiver: Receiver) -> None:
    receiver.set_faults(["status=500*inf"])
    error = Sender(_connection(receiver.url), CREDENTIALS, {}).send([EVENT])

    assert error is not None
    assert (error.keep, error.kind) == (True, "server_error")
    assert len(receiver.requests) == 1


def test_without_requests_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUESTS_IMPORT_ERROR", "Traceback: no requests")

    with pytest.raises(ConfigurationError, match="The Python package requests cannot be imported"):
        Sender(_connection("http://127.0.0.1:9"), CREDENTIALS, {})


def test_many_sends_keep_the_rate_together(receiver: Receiver) -> None:
    sender = Sender(_connection(receiver.url), CREDENTIALS, {})
    begin = time.monotonic()
    for _number in range(5):
        sender.send([EVENT])

    assert time.monotonic() - begin >= 4 / 20


def test_passing_credentials_are_found_again_before_they_run_out(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, found = [1000.0], []

    def resolve(*_args: object) -> Credentials:
        found.append(now[0])
        return Credentials(KEY_ID, SECRET, None, "chain")

    monkeypatch.setattr(module, "resolve_credentials", resolve)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sender = Sender(_connection(receiver.url), None, {})
    for later in (0.0, 1.0, CREDENTIALS_SECONDS, CREDENTIALS_SECONDS + 1):
        now[0] = 1000.0 + later
        assert sender.send([EVENT]) is None
    assert sender.hurried(2.0).send([EVENT]) is None

    assert found == [1000.0, 1001.0 + CREDENTIALS_SECONDS], "and not for a hurried try"


def test_no_credentials_keep_the_events(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_args: object) -> Credentials:
        raise CredentialsError("access_key_id: no AccessKey was found")

    monkeypatch.setattr(module, "resolve_credentials", resolve)
    error = Sender(_connection(receiver.url), None, {}).send([EVENT])

    assert error is not None
    assert (error.keep, error.kind) == (True, "credentials")
    assert receiver.requests == []


def test_a_hurried_try_takes_no_longer_than_told(receiver: Receiver) -> None:
    receiver.set_faults(["hang*inf"])
    begin = time.monotonic()
    error = Sender(_connection(receiver.url, 60.0), CREDENTIALS, {}).hurried(0.3).send([EVENT])

    assert error is not None
    assert error.kind == "timeout"
    assert time.monotonic() - begin < 10
