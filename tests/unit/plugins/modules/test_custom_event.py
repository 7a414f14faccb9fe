# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a host: its parameters in, its result or its failure out."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.aliops.cloudmonitor.plugins.modules import custom_event
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.attempts import (
    recording,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    serving,
    unused_port,
)

KEY: dict[str, Any] = {
    "access_key_id": "an-id",
    "access_key_secret": "a-secret-of-thirty-characters",
}


class Ended(Exception):
    """The module has said how it ended."""

    def __init__(self, failed: bool, result: dict[str, Any]) -> None:
        super().__init__(result)
        self.failed = failed
        self.result = result


class FakeModule:
    """Stands for AnsibleModule, whose input differs between versions of ansible-core."""

    given: ClassVar[dict[str, Any]] = {}
    check_mode = False
    warnings: ClassVar[list[str]] = []

    def __init__(self, argument_spec: dict[str, Any], supports_check_mode: bool) -> None:
        assert supports_check_mode
        checked = ArgumentSpecValidator(argument_spec).validate(self.given)
        assert not checked.error_messages
        self.params = checked.validated_parameters

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **result: Any) -> NoReturn:
        raise Ended(False, result)

    def fail_json(self, **result: Any) -> NoReturn:
        raise Ended(True, result)


def run(monkeypatch: pytest.MonkeyPatch, check_mode: bool = False, **given: Any) -> Ended:
    fake = type("Fake", (FakeModule,), {"given": given, "check_mode": check_mode, "warnings": []})
    monkeypatch.setattr(custom_event, "AnsibleModule", fake)
    with pytest.raises(Ended) as caught:
        custom_event.main()
    caught.value.result["_warned"] = fake.warnings  # type: ignore[attr-defined]
    return caught.value


def test_events_are_sent_with_the_given_key(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    with serving(recording(heard)) as server:
        ended = run(
            monkeypatch, endpoint=server.url(), events=[{"name": "n", "content": "c"}] * 101, **KEY
        )

    assert ended.failed is False
    assert (ended.result["changed"], ended.result["delivered"]) == (True, 101)
    assert len(heard) == 2
    assert b"Authorization: an-id:" in heard[0]


def test_check_mode_reaches_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(monkeypatch, check_mode=True, name="n", content="c", **KEY)

    assert ended.failed is False
    assert (ended.result["changed"], ended.result["requests"]) == (True, 0)


def test_wrong_input_fails_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(monkeypatch, name="n", report_errors="warn", **KEY)

    assert ended.failed is True
    assert ended.result["changed"] is False
    assert ended.result["msg"].startswith("content: is missing")
    assert ended.result["error"]["kind"] == "invalid_event"


@pytest.mark.parametrize("report_errors", ["fail", "warn"])
def test_an_outage_fails_or_warns(report_errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = run(
        monkeypatch,
        name="n",
        content="c",
        endpoint=f"http://127.0.0.1:{unused_port()}",
        retries=0,
        report_errors=report_errors,
        **KEY,
    )

    assert ended.failed is (report_errors == "fail")
    assert ended.result["changed"] is False
    assert len(ended.result["undelivered"]) == 1
    warning = "Cloud Monitor cannot be reached. The event was not delivered."
    assert ended.result["_warned"] == ([warning] if report_errors == "warn" else [])
    assert "Connection refused" in ended.result["msg"]
    assert "failed" not in ended.result
    assert "warnings" not in ended.result
