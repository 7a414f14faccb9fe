# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of tasks in the outbox: all or none, in order, and unchanged."""

from __future__ import annotations

import errno
import math
import os
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import queue
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import Account
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush import Flush
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import Uptime
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.orphans import adopt
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.queue import (
    Origin,
    queue_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import QueueRecord
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    MAX_JOURNAL_BYTES,
    Folder,
    Outbox,
    OutboxError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    Service,
    all_letters,
    holder_of,
    release,
)

ORIGIN = Origin("disk-replaced", None, DESTINATION)
ERROR = DeliveryError("it is down", "connection", Outcome.OUTAGE)
ACCOUNT = Account.of_given(DESTINATION)
TIME = "20260301T093000.000+0800"


def numbered(count: int, content: str = "slot") -> list[Event]:
    return [Event(f"e{number}", content, 0, TIME) for number in range(count)]


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every two events a folder."""
    monkeypatch.setattr(queue, "PART_LINES", 2)


def flushed(outbox: Outbox, send: Callable[[Sequence[Event]], DeliveryError | None]) -> None:
    Flush(outbox, ACCOUNT, send, patience=0.0).run("keep")


def delivered(outbox: Outbox) -> list[Event]:
    """Deliver everything, and return it in the order of its delivery."""
    found: list[Event] = []
    flushed(outbox, found.extend)
    assert outbox.folders() == []
    return found


text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
events = st.lists(
    st.builds(Event, text.filter(str.strip), text, st.integers(0, 2**63 - 1), st.just(TIME)),
    min_size=1,
    max_size=30,
)


@given(events, st.integers(1, 30), st.integers(1, 3000))
@example([Event("half", "é" * 249_900, 0, TIME)] * 3, 10, queue.PART_BYTES)
def test_events_are_read_back_as_they_were_and_in_order(
    listed: list[Event], lines: int, size: int
) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue, "PART_LINES", lines)
        patch.setattr(queue, "PART_BYTES", size)
        outbox = Outbox(Path(place) / "outbox")
        queue_events(outbox, listed, ORIGIN, ERROR)

        assert delivered(outbox) == listed


@pytest.mark.slow
def test_ten_thousand_events_fill_full_requests(outbox: Outbox) -> None:
    listed = numbered(10_000, "x" * 1000)
    queue_events(outbox, listed, ORIGIN, ERROR)
    service = Service()
    sizes = [folder.size() for folder in outbox.folders()]
    flushed(outbox, service.send)

    assert len(sizes) == 2
    assert max(sizes) < MAX_JOURNAL_BYTES
    assert service.accepted == [event.name for event in listed]
    assert {len(request) for request in service.requests[:50]} == {100}


def test_large_events_share_no_request_that_would_be_too_large(outbox: Outbox) -> None:
    queue_events(outbox, numbered(3, "x" * 200_000), ORIGIN, ERROR)
    service = Service()
    flushed(outbox, service.send)

    assert service.requests == [["e0", "e1"], ["e2"]]


def test_a_queue_is_private_and_says_where_it_comes_from_and_why_it_waits(outbox: Outbox) -> None:
    queue_events(outbox, numbered(2), Origin("shop", "a/b", DESTINATION), ERROR)
    (folder,) = outbox.folders()
    head = QueueRecord.read(folder.entries()[0].record or {})

    assert head is not None
    assert (head.label, head.deployment_id, head.after) == ("shop", "a/b", None)
    assert folder.name.startswith("a%2Fb~queued-")
    assert folder.status()["kind"] == "connection"
    for path in (folder.path, *folder.path.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.usefixtures("small_parts")
def test_an_outage_of_the_first_part_keeps_the_others_behind_it(outbox: Outbox) -> None:
    queue_events(outbox, numbered(5), ORIGIN, ERROR)
    service = Service(["delivered", "keep"])
    flushed(outbox, service.send)
    assert service.requests == [["e0", "e1"], ["e2", "e3"]]

    first = outbox.folders()[0]
    holder = holder_of(first)  # a courier of another run works on it
    try:
        flushed(outbox, service.send)
        assert len(service.requests) == 2
    finally:
        release(holder)
    flushed(outbox, service.send)
    assert service.accepted == [f"e{number}" for number in range(5)]


def test_only_the_refused_event_of_a_queue_becomes_a_dead_letter(outbox: Outbox) -> None:
    queue_events(outbox, numbered(250), ORIGIN, ERROR)
    service = Service(bad=["e120"])
    flushed(outbox, service.send)

    ((_path, letters),) = all_letters(outbox)
    assert [letter["events"][0]["name"] for letter in letters] == ["e120"]
    assert letters[0]["destination"] == DESTINATION
    assert service.accepted == [f"e{number}" for number in range(250) if number != 120]


def test_the_refused_events_of_a_request_become_dead_letters_in_one_write(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue_events(outbox, numbered(250), ORIGIN, ERROR)
    syncs: list[int] = []
    monkeypatch.setattr(os, "fsync", syncs.append)
    flushed(outbox, Service(["signature"] * 3).send)

    ((_path, letters),) = all_letters(outbox)
    assert [letter["events"][0]["name"] for letter in letters] == [f"e{n}" for n in range(250)]
    assert len(syncs) < 10


def test_another_account_gets_nothing(outbox: Outbox) -> None:
    queue_events(outbox, numbered(1), ORIGIN, ERROR)
    (folder,) = outbox.folders()

    assert adopt(outbox, folder, Account.of_given("key:other"), math.inf) is None


@pytest.mark.parametrize("known", [True, False], ids=["the same host", "another host"])
def test_a_queue_of_another_host_needs_no_two_minutes_unless_it_was_adopted_there(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(queue, "host_identity", lambda: "elsewhere")
    queue_events(outbox, numbered(1), ORIGIN, ERROR)
    (folder,) = outbox.folders()
    if not known:
        folder.beat("elsewhere")
    found = adopt(outbox, folder, ACCOUNT, math.inf)

    assert (found is not None) == known
    if found is not None:
        os.close(found[1])


def test_events_expire_by_the_time_since_they_were_queued(outbox: Outbox) -> None:
    queue_events(outbox, numbered(2), ORIGIN, ERROR)
    (folder,) = outbox.folders()
    noted = folder.waited()
    assert noted is not None
    later = Uptime(noted[0].uptime.boot, noted[0].uptime.seconds + 3601.0)
    delivery = Delivery(outbox, folder, 3600.0, lambda: 0.0, lambda: later)
    delivery.refresh()
    delivery.give_up()

    assert delivery.done
    assert len(all_letters(outbox)[0][1]) == 2


def test_a_damaged_predecessor_is_no_path_that_may_exist_for_ever() -> None:
    record = QueueRecord("a", None, DESTINATION, "host", 0.0, "a~queued-1").dump()

    assert QueueRecord.read(record) is not None
    for after in ("", ".", "..", "/", "../dead", "a/b", "\0"):
        assert QueueRecord.read({**record, "after": after}) is None


# What changes a file or makes a name durable.
CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, Callable[..., Any]], None]]:
    """Return a function that has something else happen at the call with a number, from 1."""

    def at(number: int, happen: Callable[..., Any]) -> None:
        left = [number]

        def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                left[0] -= 1
                return happen(real, *args) if left[0] == 0 else real(*args, **options)

            return call

        for name in CALLS:
            monkeypatch.setattr(os, name, wrapped(originals[name]))

    originals = {name: getattr(os, name) for name in CALLS}
    yield at
    monkeypatch.undo()


def killed_at(number: int, queue_it: Callable[[], None], calls: Callable[..., None]) -> bool:
    """Queue in another process that is killed at a call; return whether it reported success."""

    def die(real: Callable[..., Any], *args: Any) -> None:
        if real.__name__ == "write":
            real(args[0], args[1][: len(args[1]) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            calls(number, die)
            queue_it()
            os._exit(0)
        os._exit(1)
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFEXITED(status)


@pytest.mark.usefixtures("small_parts")
def test_a_kill_at_any_moment_leaves_whole_parts_and_loses_nothing_that_was_reported(
    tmp_path: Path, calls: Callable[..., None]
) -> None:
    listed = numbered(4)
    kept: list[int] = []
    for number in range(1, 200):
        outbox = Outbox(tmp_path / str(number))
        reported = killed_at(number, partial(queue_events, outbox, listed, ORIGIN, ERROR), calls)
        outbox.prepare()
        found = delivered(outbox)
        assert found == listed[: len(found)]
        kept.append(len(found))
        if reported:
            break

    assert reported
    assert set(kept) == {0, 2, 4}
    assert kept == sorted(kept)


@pytest.mark.usefixtures("small_parts")
def test_a_failure_at_any_call_stores_everything_or_nothing(
    tmp_path: Path, calls: Callable[..., None]
) -> None:
    def fail(_real: Callable[..., Any], *_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    failures = 0
    for number in range(1, 60):
        outbox = Outbox(tmp_path / str(number))
        calls(number, fail)
        problem = None
        try:
            queue_events(outbox, numbered(4), ORIGIN, ERROR)
        except OutboxError as exc:
            problem = str(exc)
        calls(0, fail)
        outbox.prepare()
        if problem is None:
            assert delivered(outbox) == numbered(4)
        else:
            failures += 1
            assert "No space left" in problem
            assert list(outbox.runs.iterdir()) == []
    assert failures > 5


def test_an_outbox_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "outbox").touch()
    with pytest.raises(OutboxError, match="cannot be used"):
        queue_events(Outbox(tmp_path / "outbox"), numbered(1), ORIGIN, ERROR)
    assert Folder(tmp_path / "outbox").path.read_bytes() == b""
