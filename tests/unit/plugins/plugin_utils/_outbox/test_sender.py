# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends with credentials that are fresh, and keeps the rate."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
    CredentialsError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import (
    sender as module,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.sender import (
    CREDENTIALS_SECONDS,
    Sender,
    ask_chain,
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


def test_without_requests_the_events_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUESTS_IMPORT_ERROR", "Traceback: no requests")
    sender = Sender(_connection("http://127.0.0.1:9"), CREDENTIALS, {})

    with pytest.raises(ConfigurationError, match="Install requests"):
        sender.check()
    error = sender.send([EVENT])
    assert error is not None
    assert (error.outcome, error.kind) == (Outcome.OUTAGE, "configuration")


@pytest.mark.parametrize(
    "unforeseen", [RuntimeError("canary"), ValueError(), RecursionError(), MemoryError(), OSError()]
)
def test_nothing_that_an_attempt_raises_gets_through(
    unforeseen: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise unforeseen

    monkeypatch.setattr(module, "Transport", fail)
    error = Sender(_connection("http://127.0.0.1:9"), CREDENTIALS, {}).send([EVENT])

    assert error is not None
    assert (error.outcome, error.kind) == (Outcome.OUTAGE, "internal")
    assert type(unforeseen).__name__ in str(error)
    assert "canary" not in str(error)


def test_credentials_that_were_refused_for_now_are_found_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Credentials(KEY_ID, "expired", None, "chain"),
        Credentials(KEY_ID, SECRET, None, "chain"),
    ]
    monkeypatch.setattr(module, "resolve_credentials", lambda *_args: found.pop(0))
    sender = Sender(_connection(receiver.url), None, {})
    error = sender.send([EVENT])

    assert error is not None
    assert error.outcome is Outcome.REFUSED_FOR_NOW
    assert sender.send([EVENT]) is None


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
    assert sender.with_timeout(2.0).send([EVENT]) is None

    assert found == [1000.0, 1001.0 + CREDENTIALS_SECONDS], "and not for the last attempt"


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


def test_an_attempt_with_a_timeout_takes_no_longer(receiver: Receiver) -> None:
    receiver.set_faults(["hang*inf"])
    begin = time.monotonic()
    error = Sender(_connection(receiver.url, 60.0), CREDENTIALS, {}).with_timeout(0.3).send([EVENT])

    assert error is not None
    assert error.kind == "timeout"
    assert time.monotonic() - begin < 10


def _profiles(tmp_path: Path, current: str) -> dict[str, str]:
    """Write two profiles with permanent keys, and return the variables of the chain."""
    profiles = [
        {"name": name, "mode": "AK", "access_key_id": f"LTAI-{name}", "access_key_secret": "s"}
        for name in ("a", "b")
    ]
    path = tmp_path / ".aliyun" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"current": current, "profiles": profiles}))
    return {"HOME": str(tmp_path)}


def _chain_finds(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    found = [Credentials(f"LTAI-{name}", "s", None, "chain") for name in names]
    monkeypatch.setattr(module, "resolve_credentials", lambda *_args: found.pop(0))


def test_the_chain_is_accepted_only_for_the_account_of_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = _profiles(tmp_path, "b")
    decided: list[str] = []
    _chain_finds(monkeypatch, "b", "b")
    right = Sender(_connection("http://x"), None, environ, None, "key:LTAI-b", decided.append)
    wrong = Sender(_connection("http://x"), None, environ, None, "key:LTAI-a", decided.append)

    assert right.credentials().access_key_id == "LTAI-b"
    with pytest.raises(CredentialsError, match="but these events are for AccessKey"):
        wrong.credentials()
    assert wrong.account is None
    assert decided == [], "the run knew it"


def test_the_first_answer_of_the_chain_decides_and_later_ones_must_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"HOME": str(tmp_path)}
    decided: list[str] = []
    _chain_finds(monkeypatch, "a", "a", "b")
    sender = Sender(
        _connection("http://x"), None, environ, None, "chain:ecs_ram_role:", decided.append
    )

    sender.credentials()
    sender.credentials()
    assert decided == ["key:LTAI-a"]
    assert sender.account is not None
    assert sender.account.accepted == {"key:LTAI-a", "chain:ecs_ram_role:", "source:chain"}
    with pytest.raises(CredentialsError, match="these events are for"):
        sender.credentials()
    sender._found = None
    _chain_finds(monkeypatch, "b")
    last = sender.with_timeout(1.0)
    with pytest.raises(CredentialsError, match="these events are for"):
        last.credentials()


def test_a_profile_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = _profiles(tmp_path, "a")

    def switch(*_args: object) -> Credentials:
        _profiles(tmp_path, "b")
        return Credentials("LTAI-a", "s", None, "chain")

    monkeypatch.setattr(module, "resolve_credentials", switch)
    with pytest.raises(CredentialsError, match="changed while it was read"):
        ask_chain(environ)
