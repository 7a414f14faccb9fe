# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kind of every failure has a section on the troubleshooting page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import anchors, guide
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import EVENT, Run

SECTIONS = anchors(guide("troubleshooting").read_text(encoding="utf-8"))
ONE: dict[str, Any] = {"name": "n", "content": "c", "retries": 0}
# Each fault of the receiver, and the kind of error that it makes.
FAULTS = {
    "signature": "signature",
    "permission": "permission",
    "bad-request": "bad_request",
    "code=404": "refused",
    "throttle": "throttled",
    "retry-after=99": "throttled",
    "status=500": "server_error",
    "html": "not_the_service",
    "html=429": "throttled",
    "html=502": "server_error",
    "html=407": "proxy",
    "redirect": "redirect",
    "truncate": "connection",
}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"region": "cn-nowhere"}, "configuration"),
    ({"endpoint": "metrichub.example.com"}, "configuration"),
    ({"endpoint": "http://no-such-host.invalid"}, "connection"),
    ({"ca_path": "/nowhere.pem"}, "configuration"),
    ({"access_key_id": "an-id-alone"}, "credentials"),
    ({"name": " "}, "invalid_event"),
    ({"time": "yesterday"}, "invalid_event"),
    ({"events": []}, "invalid_input"),
]


def test_the_kind_of_every_fault_has_a_section(
    tasks: Callable[..., Run], receiver: Receiver
) -> None:
    receiver.set_faults(list(FAULTS))

    run = tasks([{EVENT: ONE} for _fault in FAULTS])

    for (fault, kind), result in zip(FAULTS.items(), run.results, strict=True):
        assert result["error"]["kind"] == kind, (fault, result)
        assert kind in SECTIONS


def test_the_kind_of_every_mistake_has_a_section(tasks: Callable[..., Run]) -> None:
    run = tasks(
        [{EVENT: {**ONE, **given}} for given, _kind in MISTAKES],
        env={"CLOUDMONITOR_ENDPOINT": ""},
    )

    for (given, kind), result in zip(MISTAKES, run.results, strict=True):
        assert result["error"]["kind"] == kind, (given, result)
        assert kind in SECTIONS
