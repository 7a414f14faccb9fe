# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a check, one by one; together they run in tests/integration/check."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
    InvalidInput,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import (
    Delivered,
    Refused,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check import steps
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.findings import (
    NOTE,
    OK,
    SKIPPED,
    WRONG,
    Attempt,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.steps import (
    attempt,
    check_library,
    check_outbox,
    check_signature,
    courier_findings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.probe import ProbeResult
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    left_behind,
    new_outbox,
)

KEY = Credentials("LTAI5tUnitCheck", "unit-secret", None, "environment")


def ask(receiver: Receiver, credentials: Credentials | None = KEY, group: Any = 7) -> Attempt:
    connection = Connection(receiver.url, timeout=5.0, retries=3)
    return attempt(connection, credentials, group, {}, str)


def known(*faults: str, **options: Any) -> Receiver:
    return Receiver([Credential(KEY.access_key_id, KEY.access_key_secret)], faults, **options)


def test_a_known_request_gets_the_known_signature() -> None:
    assert check_signature().state == OK


def test_a_signature_that_differs_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "VECTOR_BODY", b"[]")

    found = check_signature()

    assert (found.state, "Install the collection again" in str(found.fix)) == (WRONG, True)


def test_a_python_that_refuses_sha1_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> None:
        raise ValueError("disabled for FIPS")

    monkeypatch.setattr(steps, "signed_headers", refuse)

    found = check_signature()
    assert (found.state, "disabled for FIPS" in found.text) == (WRONG, True)


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.27.0", OK), ("3.0", OK), ("2.26.9", WRONG), ("1.99", WRONG)],
)
def test_requests_must_not_be_too_old(
    monkeypatch: pytest.MonkeyPatch, version: str, state: str
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: version)

    found = check_library(None)

    assert found.state == state
    assert version in found.text
    assert str(found.fix).endswith("--upgrade") is (state == WRONG)


def test_requests_without_a_version_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", unknown)

    assert check_library(None).state == OK


def test_why_requests_cannot_be_imported_is_told() -> None:
    found = check_library("Traceback\n  File ...\nModuleNotFoundError: No module named 'idna'\n")

    assert (found.state, "No module named 'idna'" in found.text) == (WRONG, True)


def test_an_outbox_is_made_only_when_it_may(tmp_path: Path) -> None:
    place = tmp_path / "outbox"

    assert [one.state for one in check_outbox(place, make=False, needed=True)] == [SKIPPED]
    assert not place.exists()
    assert [one.state for one in check_outbox(place, make=True, needed=True)] == [OK]
    assert sorted(path.name for path in place.iterdir()) == ["damaged", "dead", "runs"]


def test_an_outbox_that_was_open_to_others_is_closed_and_that_is_told(tmp_path: Path) -> None:
    place = tmp_path / "outbox"
    place.mkdir()
    place.chmod(0o755)

    (found,) = check_outbox(place, make=True, needed=True)

    assert (found.state, "mode 0700" in found.text, "was 0755" in found.text) == (OK, True, True)


def test_an_outbox_is_only_looked_at_when_it_may_not_be_made(tmp_path: Path) -> None:
    place = tmp_path / "outbox"
    place.mkdir()
    place.chmod(0o755)

    found, note = check_outbox(place, make=False, needed=True)

    assert (found.state, note.state) == (OK, NOTE)
    assert "open to other users (mode 0755)" in note.text
    assert "chmod 700" in str(note.fix)
    assert place.stat().st_mode & 0o777 == 0o755
    assert list(place.iterdir()) == []


def unsafe(place: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an outbox that no run uses."""
    elsewhere = place.with_name("elsewhere")
    elsewhere.mkdir()
    if how == "link":
        place.symlink_to(elsewhere)
        return
    place.mkdir(mode=0o700)
    if how == "link in it":
        (place / "runs").symlink_to(elsewhere)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)


@pytest.mark.parametrize("how", ["link", "link in it", "foreign"])
@pytest.mark.parametrize(("needed", "state"), [(True, WRONG), (False, NOTE)])
def test_an_outbox_that_a_run_refuses_is_refused_without_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, needed: bool, state: str
) -> None:
    place = tmp_path / "outbox"
    unsafe(place, how, monkeypatch)
    touched: list[Path] = []
    monkeypatch.setattr(Path, "touch", lambda path, **_how: touched.append(path))

    (found,) = check_outbox(place, make=False, needed=needed)

    assert found.state == state
    assert f"{place} cannot be used" in found.text
    assert ("another user" if how == "foreign" else "a link") in found.text
    assert touched == []


def test_nothing_is_written_into_an_outbox_where_others_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "outbox"
    place.mkdir()
    place.chmod(0o777)
    touched: list[Path] = []
    monkeypatch.setattr(Path, "touch", lambda path, **_how: touched.append(path))

    _found, note = check_outbox(place, make=False, needed=True)

    assert (note.state, "mode 0777" in note.text) == (NOTE, True)
    assert touched == []


def test_an_outbox_that_nobody_needs_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "outbox").touch()

    (needed,) = check_outbox(tmp_path / "outbox", make=True, needed=True)
    (other,) = check_outbox(tmp_path / "outbox", make=False, needed=False)

    assert (needed.state, other.state) == (WRONG, NOTE)
    assert "cannot be used" in needed.text
    assert "Make it writable" in str(other.fix)


def test_what_waits_is_counted_and_stays(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    left_behind(outbox, "a", finished=True)
    outbox.dead_letters.add("b", {"reason": "refused\nin two lines", "events": []})

    found, letters = check_outbox(outbox.root, make=True, needed=True)

    assert "events waiting" in found.text
    assert "0 events" not in found.text
    assert (letters.state, "1 dead letter in" in letters.text) == (NOTE, True)
    assert "refused in two lines" in letters.text
    assert [folder.name for folder in outbox.folders()] == ["a"]
    assert os.path.exists(outbox.dead / "b.jsonl")


def test_one_event_is_sent_and_what_came_of_it_known() -> None:
    with known(clock_offset=-30.0) as receiver:
        found = ask(receiver)
        (event,) = receiver.events

    assert isinstance(found.verdict, Delivered)
    assert found.skew is not None
    assert 25 < found.skew < 40
    assert (event["name"], event["groupId"]) == ("deployment-check", 7)
    assert found.event == "deployment-check in group 7"


def test_without_a_key_nothing_is_signed_and_the_clock_still_known() -> None:
    with known() as receiver:
        found = ask(receiver, None)
        (request,) = receiver.requests

    assert isinstance(found.verdict, Refused)
    assert (found.signed, request["access_key_id"]) == (False, None)
    assert found.skew is not None


@pytest.mark.parametrize(("faults", "requests"), [(("reset",), 2), (("signature",), 1)])
def test_only_what_may_pass_is_tried_again_and_once(faults: tuple[str, ...], requests: int) -> None:
    with known(*faults, "close") as receiver:
        found = ask(receiver)
        assert len(receiver.requests) == requests

    assert not isinstance(found.verdict, Delivered)


def test_an_endpoint_without_an_answer_tells_nothing_of_the_clock() -> None:
    with known() as receiver:
        url = receiver.url
    found = attempt(Connection(url, timeout=2.0, retries=0), KEY, 0, {"no_proxy": "*"}, str)

    assert isinstance(found.verdict, Delivered) is False
    assert found.skew is None


def test_the_proxy_is_told_without_its_password() -> None:
    with known() as receiver:
        proxy = receiver.url.replace("//", "//me:pa55@")
        connection = Connection("http://cloudmonitor.invalid", timeout=5.0, retries=0)
        found = attempt(connection, KEY, 0, {"http_proxy": proxy}, str)

    assert found.proxy is not None
    assert receiver.url.partition("//")[2] in found.proxy
    assert "pa55" not in found.proxy


def test_mistakes_that_no_request_is_worth_are_raised(tmp_path: Path) -> None:
    with known() as receiver:
        connection = Connection(receiver.url, ca_path=str(tmp_path / "gone"))
        with pytest.raises(ConfigurationError, match="ca_path"):
            attempt(connection, KEY, 0, {}, str)
        with pytest.raises(InvalidInput, match="group_id"):
            ask(receiver, group=-1)
        assert receiver.requests == []


def test_a_courier_that_could_deliver_is_right() -> None:
    (found,) = courier_findings(
        ProbeResult(None, access_key_id=KEY.access_key_id, seconds=0.5), KEY
    )

    assert (found.state, "0.5 s" in found.text) == (OK, True)


def test_the_problem_of_a_courier_is_shown_with_its_advice() -> None:
    result = ProbeResult("urllib3 cannot be imported", "Install it.", None)

    (found,) = courier_findings(result, KEY)

    assert (found.state, found.text, found.fix) == (WRONG, result.problem, result.advice)


@pytest.mark.parametrize(("token", "state"), [(None, WRONG), ("token", OK)])
def test_a_courier_must_find_the_same_permanent_key(token: str | None, state: str) -> None:
    key = Credentials("LTAI5tUnitCheck", "unit-secret", token, "chain")

    (found,) = courier_findings(ProbeResult(None, access_key_id="LTAI5tAnotherKey"), key)

    assert found.state == state
    assert "AnotherKey" not in found.text
