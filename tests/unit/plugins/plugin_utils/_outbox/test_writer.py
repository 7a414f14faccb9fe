# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The producer side of the outbox: events are durable first, and waits are limited."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
    OutboxError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    Run,
    run_beside,
    settings_for,
    text_of,
    thread_beside,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    holder_of,
    names_of,
    open_locks,
    release,
    run_of,
    start_record,
    until,
)


def _full(*_args: object, **_named: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_event_is_on_disk_before_any_process_is_started(outbox: Outbox) -> None:
    run = Run(outbox, settings_for("http://127.0.0.1:9"))

    assert names_of((run.folder.entries()[-1].record or {})["events"]) == ["deployment-start"]
    assert run.folder.lock() is None, "and nobody may take the run for a lost one"
    run.writer.discard()


def test_run_and_start_are_written_at_once(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        written.append(data.count(b"\n"))
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    run = Run(outbox, settings_for("http://127.0.0.1:9"))
    run.writer.discard()

    assert [count for count in written if count] == [2], (
        "or a run that is killed between them ends without a start"
    )


def test_the_courier_takes_over_the_lock(outbox: Outbox, receiver: Receiver) -> None:
    with run_beside(outbox, settings_for(receiver.url)) as run:
        assert open_locks(outbox) == [], "a worker inherits nothing"
        assert run.folder.lock() is None
        run.courier.kill()
        run.courier.wait(10)
        lock = run.folder.lock()
        assert lock is not None
        os.close(lock)


def test_a_run_that_cannot_be_written_leaves_no_trace(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = OutboxWriter(outbox, settings_for("http://127.0.0.1:9"))
    monkeypatch.setattr(Folder, "append", _full)
    with pytest.raises(OutboxError, match=r"No space left.*Name another directory"):
        writer.open("d1", run_of(), start_record())

    assert outbox.folders() == [], "or a later run would report it as lost"
    assert open_locks(outbox) == []


def test_a_finish_that_cannot_be_written_is_reported_as_lost(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(outbox, settings_for("http://127.0.0.1:9"))
    monkeypatch.setattr(Folder, "append", _full)
    with pytest.raises(OutboxError, match="An event of this run is lost"):
        run.finish()
    run.writer.discard()


def test_a_lock_that_another_process_keeps_is_an_error(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, holders = Outbox.create, []

    def create(self: Outbox, identifier: str) -> Folder:
        folder = real(self, identifier)
        holders.append(holder_of(folder))
        return folder

    monkeypatch.setattr(Outbox, "create", create)
    with pytest.raises(OutboxError, match="held by another process"):
        OutboxWriter(outbox, settings_for("http://127.0.0.1:9")).open(
            "d1", run_of(), start_record()
        )
    release(holders[0])


def test_it_waits_for_an_answer_until_the_limit(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["hang*inf"])
    with run_beside(outbox, settings_for(receiver.url, timeout=30.0)) as run:
        run.finish()
        begin = time.monotonic()
        text = text_of(run.writer.wait(0.5))

    assert 0.5 <= time.monotonic() - begin < 5
    assert "did not answer within 0.5 s" in text
    assert str(outbox.root) in text
    assert "flush_outbox" in text


def test_it_does_not_wait_in_a_known_outage(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["status=500*inf"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, _courier):
        until(lambda: run.folder.status().get("outcome"))
        run.finish()
        begin = time.monotonic()
        text = text_of(run.writer.wait(60))

    assert time.monotonic() - begin < 10
    assert "HTTP 500" in text


def test_it_does_not_wait_for_a_courier_that_has_died(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["hang*inf"])
    with run_beside(outbox, settings_for(receiver.url)) as run:
        run.courier.kill()
        run.finish()
        begin = time.monotonic()
        text = text_of(run.writer.wait(60))

    assert time.monotonic() - begin < 10
    assert "has ended" in text
    assert len(run.folder.entries()) == 3, "but everything is kept"


def test_a_courier_that_delivers_and_ends_between_two_checks_is_no_error(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Folder.exists

    with run_beside(outbox, settings_for(receiver.url)) as run:
        run.finish()

        def exists(folder: Folder) -> bool:
            was_there = real(folder)
            run.courier.wait(30)
            return was_there

        monkeypatch.setattr(Folder, "exists", exists)
        assert run.writer.wait(60) is None

    assert len(receiver.events) == 2


def test_a_courier_that_dies_before_it_has_read_its_settings_is_no_error(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = subprocess.Popen

    def start(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        process = real(["true"], **how)
        process.wait(10)
        return process

    run = Run(outbox, settings_for("http://127.0.0.1:9"))
    monkeypatch.setattr(subprocess, "Popen", start)
    run.start()
    run.finish()

    assert "has ended" in text_of(run.writer.wait(60))
    run.writer.abandon()


def test_a_courier_that_cannot_be_started_keeps_the_run_from_looking_lost(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(outbox, settings_for("http://127.0.0.1:9"))

    def none(*_args: object, **_named: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", none)
        with pytest.raises(OSError, match="unavailable"):
            run.start()
    assert run.folder.lock() is None
    run.finish()
    assert "has ended" in text_of(run.writer.wait(60))
    run.writer.discard()


def test_a_status_that_cannot_be_written_does_not_stop_delivery(
    outbox: Outbox, receiver: Receiver
) -> None:
    run = Run(outbox, settings_for(receiver.url))
    (run.folder.path / "status").mkdir()
    courier = run.start_thread()
    run.finish()

    assert run.writer.wait(15) is None
    courier.join()
    assert names_of(receiver.events) == ["deployment-start", "deployment-finish"]


def test_a_refusal_is_reported_although_the_folder_is_gone(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["ok*1", "permission*inf"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, _courier):
        receiver.wait_for(1)
        run.finish()
        result = run.writer.wait(15)

    assert result is not None
    assert "No permission for PutCustomEvent. Attach a policy." in result.text
    assert "AliyunCloudMonitorFullAccess" in str(result.detail)


def test_a_refusal_is_reported_once(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["permission*inf"])
    with thread_beside(outbox, settings_for(receiver.url)) as (run, courier):
        until(lambda: run.folder.status().get("outcome") == "refused")
        run.finish()
        assert "dead: retry" in text_of(run.writer.wait(15))
        courier.join()

    assert outbox.newly_dead() == 0, "the next run has nothing to add"


def test_it_does_not_wait_long_for_the_refusal_of_later_events(
    outbox: Outbox, receiver: Receiver
) -> None:
    receiver.set_faults(["permission*1", "hang*inf"])
    with run_beside(outbox, settings_for(receiver.url, timeout=30.0)) as run:
        until(lambda: run.folder.status().get("outcome") == "refused")
        run.finish()
        begin = time.monotonic()
        assert "dead: retry" in text_of(run.writer.wait(30))

    assert time.monotonic() - begin < 5


def test_an_earlier_refusal_of_the_same_id_is_not_reported_again(
    outbox: Outbox, receiver: Receiver
) -> None:
    outbox.dead_letters.add("d1", {"reason": "of last week", "events": start_record()["events"]})
    with thread_beside(outbox, settings_for(receiver.url)) as (run, _courier):
        run.finish()
        assert run.writer.wait(15) is None


def test_a_running_courier_causes_no_warning_from_python(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(outbox.root.parent)
    beside = Outbox(Path(outbox.root.name))
    run = Run(beside, settings_for(receiver.url))
    courier = run.start()
    run.finish()
    receiver.wait_for(2)
    until(lambda: not run.folder.exists())
    pid = courier.pid
    run.writer.abandon()

    assert courier.poll() == 0
    os.waitpid(pid, 0)


def test_a_wait_can_be_interrupted_at_any_point_and_changes_nothing(
    outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    receiver.set_faults(["throttle*inf"])
    with run_beside(outbox, settings_for(receiver.url)) as run:
        run.finish()
        until(lambda: run.folder.status().get("finish_attempts"))
        journal = (run.folder.path / "journal").read_bytes()
        points = [(time, "sleep"), (Folder, "status"), (Folder, "exists")]
        for owner, name in points * 2:
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, interrupt)
                with pytest.raises(KeyboardInterrupt):
                    run.writer.wait(60)
        assert (run.folder.path / "journal").read_bytes() == journal
        receiver.set_faults([])
        assert run.writer.wait(30) is None

    assert names_of(receiver.events) == ["deployment-start", "deployment-finish"]
