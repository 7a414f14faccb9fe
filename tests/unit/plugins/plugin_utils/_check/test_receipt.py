# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receipt of a check is the test event of this check, read back from the receiver."""

from __future__ import annotations

import os
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Objects, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.checkup import Checkup
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.findings import (
    OK,
    WRONG,
    Finding,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.reader import (
    read_settings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.receipt import (
    receipt_finding,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.steps import attempt
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.task import make_client

KEY = Credentials("LTAI5tUnitCheck", "unit-secret")


class Account:
    """A receiver whose clock is set by the waits of the check."""

    def __init__(self, visible_after: float) -> None:
        self.now = 1795623300.0
        objects = Objects(visible_after=visible_after)
        key = Credential(KEY.access_key_id, KEY.access_key_secret)
        self.receiver = Receiver([key], objects=objects, date_window=1e8)
        self.receiver._clock = lambda: self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def check(self, wait: float = 60) -> Finding:
        connection = Connection(self.receiver.url, timeout=20.0, retries=0)
        sent = attempt(connection, KEY, 7, {}, str)
        return receipt_finding(
            make_client(connection, KEY, {}),
            sent,
            7,
            wait,
            clock=lambda: max(self.now, sent.sent_at + 1),
            monotonic=lambda: self.now,
            sleep=self.sleep,
        )


def test_the_time_until_the_event_is_visible_is_reported() -> None:
    account = Account(visible_after=5)
    with account.receiver:
        found = account.check()

    assert (found.state, found.text) == (OK, "the test event was visible after 7.0 s")


def test_an_older_test_event_is_no_receipt() -> None:
    account = Account(visible_after=100)
    with account.receiver:
        assert account.check().state == WRONG
        account.now += 100  # the event of the first check is visible now
        again = account.check()

    assert (again.state, "not visible after 60 s" in again.text) == (WRONG, True)
    assert "lost" not in again.text + str(again.fix)


def test_a_missing_permission_fails_the_receipt_and_is_named() -> None:
    account = Account(visible_after=0)
    account.receiver.set_call_faults(["permission"])
    with account.receiver:
        found = account.check()

    assert (found.state, "cms:DescribeCustomEventAttribute" in str(found.fix)) == (WRONG, True)


def run(**arguments: Any) -> dict[str, str]:
    environ = dict(os.environ)
    result = Checkup(read_settings(environ, {}, str), environ, False).run(**arguments)
    return {line[9:22].strip(): line[:8].strip() for line in result["checks"]}


def test_the_check_reads_its_event_back_only_if_requested(
    set_up: pytest.MonkeyPatch, set_up_receiver: Receiver
) -> None:
    set_up.setenv("CLOUDMONITOR_API_ENDPOINT", set_up_receiver.url)

    assert "receipt" not in run(send=True)
    assert run(send=True, receipt=True)["receipt"] == "ok"
    assert run(send=False, receipt=True)["receipt"] == "skipped"
    set_up.setenv("CLOUDMONITOR_API_ENDPOINT", "ftp://x")
    assert run(send=True, receipt=True)["receipt"] == "WRONG"
