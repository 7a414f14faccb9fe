# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a folder of the outbox, who asks for it, and how it goes."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Outbox,
    is_handover_requested,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    holder_of,
    left_behind,
    new_outbox,
    release,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


def test_only_one_holds_the_lock(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    holder = holder_of(folder)
    assert folder.lock() is None
    release(holder)
    lock = folder.lock()
    assert lock is not None
    assert not os.get_inheritable(lock)
    os.close(lock)


def test_who_asks_for_a_folder_is_heard_by_its_holder_until_it_is_handed_over(
    outbox: Outbox,
) -> None:
    folder = outbox.create("d1")
    lock = folder.lock()
    assert lock is not None
    assert not is_handover_requested(lock)
    folder.request_handover()
    folder.request_handover()
    assert is_handover_requested(lock)
    os.close(lock)

    lock = folder.lock()
    assert lock is not None
    assert not is_handover_requested(lock), "that was another holder"
    os.close(lock)


def test_a_folder_that_is_gone_cannot_be_asked_for(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    with pytest.raises(FileNotFoundError):
        folder.request_handover()
    assert list(folder.path.iterdir()) == []


def test_the_lock_of_a_folder_that_was_removed_is_none(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = outbox.create("d1")
    real = fcntl.flock

    def lock_late(descriptor: int, how: int) -> None:
        folder.remove()  # by its courier, just between opening and locking
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0

    assert folder.lock() is None
    assert not before or len(os.listdir("/proc/self/fd")) == before


def test_who_looks_at_a_folder_while_it_is_removed_does_not_keep_it(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = outbox.create("d1")
    folder.reserve()
    real = os.rmdir

    def look_first(path: Any, **named: Any) -> None:
        if folder.path.exists():
            (folder.path / "lock").touch()
        real(path, **named)

    monkeypatch.setattr(os, "rmdir", look_first)
    folder.remove()

    assert list(outbox.runs.iterdir()) == []


def test_the_lock_of_a_folder_that_is_gone_is_an_error_and_makes_nothing(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    folder.remove()

    with pytest.raises(FileNotFoundError):
        folder.lock()
    assert not folder.exists()


def test_removing_starts_with_the_journal(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left_behind(outbox, finished=True)
    removed: list[str] = []
    real = os.unlink

    def unlink(path: Any, **how: Any) -> None:
        removed.append(Path(path).name)
        real(path, **how)

    monkeypatch.setattr(os, "unlink", unlink)
    folder.remove()

    assert removed[0] == "journal", "what is half removed has nothing to deliver twice"
    assert not folder.exists()
