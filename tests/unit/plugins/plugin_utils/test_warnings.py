# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A warning shows in at most 200 characters what happened, where the events are, and what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    resolve_credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CredentialsError,
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import (
    Delivered,
    Response,
    classify,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import error_result
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.end_of_run import (
    Decision,
    warning,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush import Flushed
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush_text import (
    flushed_message,
)
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import Scene

LIMIT = 200
PREFIX = "aliops.cloudmonitor: "
ROLE_PREFIX = "Deployment shop-frontend, finish: "
OUTBOX = Path("/home/deploy/.ansible/aliops.cloudmonitor")
LATE = "Sat, 01 Jan 2000 00:00:00 GMT"
ANSWERS = [
    *((status, {}, b"<html>") for status in (200, 302, 400, 404, 407, 408, 418, 429, 500, 503)),
    *((403, {"date": date}, b'{"code":"403","msg":"no"}') for date in ("", LATE)),
    (403, {}, b'{"code":"403","msg":"no permission"}'),
    *((status, {}, b'{"code":"%d","msg":"x"}' % status) for status in (400, 404, 429, 500)),
]  # fmt: skip
KINDS = ["connection", "timeout", "tls", "outbox", "internal"]


def _errors() -> list[DeliveryError]:
    results = [classify(Response(*answer), 2e9) for answer in ANSWERS]
    refused = [
        DeliveryError(
            result.problem * 9,
            result.kind,
            result.outcome,
            advice=result.advice * 9,
            http_status=result.answer.http_status,
        )
        for result in results
        if not isinstance(result, Delivered)
    ]
    assert len(refused) == len(ANSWERS)
    return refused + [DeliveryError("x" * 900, kind, Outcome.OUTAGE) for kind in KINDS]


@pytest.mark.parametrize("error", _errors(), ids=lambda error: f"{error.kind}-{error.http_status}")
def test_a_warning_about_a_delivery_is_short_and_complete(error: DeliveryError) -> None:
    decisions = set(Decision) - {Decision.KEEP_WAITING, Decision.DELIVERED}
    for decision in decisions:
        text = PREFIX + warning(decision, error.brief, OUTBOX, OUTBOX / "dead", 5)
        assert len(text) <= LIMIT, text
        assert str(OUTBOX) in text
        assert "aliops.cloudmonitor.flush_outbox" in text

    event = Event("name", "content", 0, "time")
    for total in (1, 1000):
        result = error_result(error, "warn", [event] * total)
        text = ROLE_PREFIX + result["warnings"][0]
        assert len(text) <= LIMIT, text
        assert str(error) == result["msg"]

    message = flushed_message(Flushed(10, 20, [], 30, True), OUTBOX, error)
    # The message of a failed task: its reader needs the whole error.
    assert str(error).rstrip(".") in message
    assert len(message) - len(str(error)) <= LIMIT, message
    assert "dead: retry" in message


KEY = "ALIBABA_CLOUD_ACCESS_KEY_"
OLD = "ALICLOUD_"
SET: dict[str, str] = {}


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        ({"region": "cn-hangzou", "endpoint": None}, SET, "Did you mean cn-hangzhou?"),
        ({"region": "mars" * 50, "endpoint": None}, SET, "set endpoint"),
        ({"network": "intranet", "endpoint": None}, SET, "network: must be public or vpc"),
        ({"endpoint": "https://user:password@metrichub-cms-cn-hangzhou.aliyuncs.com"}, SET, "URL"),
        ({"endpoint": "https://metrichub-cms-cn-hangzhou.aliyuncs.com/a/path"}, SET, "URL"),
        ({"timeout": -1.0}, SET, "timeout: must be"),
        ({"retries": 1000}, SET, "retries: must be"),
        ({"flush_timeout": 1e9}, SET, "flush_timeout: must be"),
        ({"source_ip": "not an address"}, SET, "source_ip: 'not an address'"),
        ({"ca_path": "/home/deploy/certificates/authority-2026.pem"}, SET, "ca_path: there is no"),
        ({"outbox": "/proc/1/does/not/exist/outbox-of-the-shop"}, SET, "Make it writable"),
        ({"deployment_id": "a\x00b"}, SET, "deployment_id: contains"),
        ({"start_event": ""}, SET, "start_event: is empty"),
        ({}, {KEY + "SECRET": ""}, f"{KEY}SECRET: is missing"),
        ({}, {KEY + "ID": "", OLD + "ACCESS_KEY": "x", OLD + "SECRET_KEY": "y"}, "ID: is missing"),
        ({}, {KEY + "ID": "LTAI with a space"}, "Copy it again."),
        ({}, {KEY + "ID": "LTAI:secret"}, "Copy the id"),
    ],
)  # fmt: skip
def test_a_warning_about_the_configuration_is_short(
    scene: Scene, options: dict[str, Any], environ: dict[str, str], expected: str
) -> None:
    scene.environ.update(environ)

    scene.start(scene.reporter(**options))

    (text,) = scene.warnings
    assert len(PREFIX + text) <= LIMIT, text
    assert text.startswith("this run is not reported. ")
    assert expected in text


def test_a_warning_about_a_missing_key_names_variables_only() -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve_credentials({}, {}, chain=lambda: None)

    assert caught.value.brief == (
        f"access_key_id: no AccessKey was found. Set {KEY}ID and {KEY}SECRET."
    )


def test_the_troubleshooting_guide_lists_the_first_words_of_every_warning() -> None:
    page = guide("troubleshooting").read_text(encoding="utf-8")

    for error in _errors():
        if error.kind != "internal":
            words = re.split(r"\.| \(", error.brief)[0]
            row = rf"^\| \"{words}\" \| .*\[`{error.kind}`\]\(#{error.kind}\)"
            assert re.search(row, page, re.MULTILINE), error.brief
