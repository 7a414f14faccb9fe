# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead letters: none is lost, and no process waits long for another one."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import dead_letters
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    all_letters,
    in_place_of,
    new_outbox,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "_LOCK_SECONDS", 0.1)


@contextmanager
def held(outbox: Outbox, name: str = ".lock") -> Iterator[None]:
    """Keep a lock, as a process that was stopped does."""
    descriptor = os.open(outbox.dead / name, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def reasons(outbox: Outbox) -> list[str]:
    return [letter["reason"] for _path, letters in all_letters(outbox) for letter in letters]


def test_letters_are_kept_with_their_reason_and_can_be_removed(outbox: Outbox) -> None:
    for number in range(3):
        outbox.dead_letters.add("d1", {"reason": f"r{number}"})
    with (outbox.dead / "d1.jsonl").open("a") as file:
        file.write("cannot be read\n")
    outbox.dead_letters.rewrite(outbox.dead / "d1.jsonl", lambda letter: letter["reason"] == "r1")

    [(path, letters)] = all_letters(outbox)
    assert (path.name, letters) == ("d1.jsonl", [{"reason": "r1"}])
    assert "cannot be read" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_letters_goes_with_the_last_of_them(outbox: Outbox) -> None:
    outbox.dead_letters.add("d1", {"reason": "r"})
    outbox.dead_letters.rewrite(outbox.dead / "d1.jsonl", lambda _letter: False)

    assert all_letters(outbox) == []
    assert outbox.dead_letters.size("d1") == 0


def test_a_letter_that_was_cut_before_its_newline_never_becomes_valid(outbox: Outbox) -> None:
    whole = json.dumps({"reason": "torn"})
    for cut in range(1, len(whole) + 1):
        (outbox.dead / "d1.jsonl").write_text(whole[:cut])
        assert reasons(outbox) == []
        outbox.dead_letters.add("d1", {"reason": "next"})
        assert reasons(outbox) == ["next"]


@pytest.mark.usefixtures("impatient")
def test_a_stopped_process_that_keeps_the_lock_delays_once_and_loses_nothing(
    outbox: Outbox,
) -> None:
    outbox.dead_letters.add("d1", {"reason": "r0"})
    begin = time.monotonic()
    with held(outbox):
        for number in (1, 2, 3):
            outbox.dead_letters.add("d1", {"reason": f"r{number}"})
        with pytest.raises(OSError, match="another process"):
            outbox.dead_letters.rewrite(outbox.dead / "d1.jsonl", lambda _letter: False)
    assert time.monotonic() - begin < 0.1 + 0.9
    outbox.dead_letters.add("d1", {"reason": "r4"})

    assert sorted(reasons(outbox)) == ["r0", "r1", "r2", "r3", "r4"]
    assert {dead_letters.folder_name(path) for path, _letters in all_letters(outbox)} == {"d1"}
    assert not [path for path in outbox.dead.iterdir() if path.name.count(".") > 3]


@pytest.mark.usefixtures("impatient")
def test_the_first_letter_of_a_deployment_is_kept_although_the_lock_is_held(outbox: Outbox) -> None:
    with held(outbox):
        outbox.dead_letters.add("d1", {"reason": "r"})

    assert reasons(outbox) == ["r"]
    assert outbox.dead_letters.last("d1") == {"reason": "r"}
    assert outbox.dead_letters.last("d2") is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [".lock", ".retry", ".told", "d1.jsonl"])
def test_anything_in_place_of_a_file_blocks_nothing_and_loses_no_letter(
    outbox: Outbox, name: str, kind: str
) -> None:
    begin = time.monotonic()
    with in_place_of(outbox.dead / name, kind):
        outbox.dead_letters.add("d1", {"reason": "refused"})
        assert reasons(outbox) == ["refused"]
        assert [outbox.newly_dead(), outbox.newly_dead()] == [1, 0]
        with outbox.dead_letters.retrying():
            pass
        outbox.dead_letters.move_away_unusable()
        for path in outbox.dead_letters.files():
            outbox.dead_letters.rewrite(path, lambda _letter: False)

    assert reasons(outbox) == []
    assert time.monotonic() - begin < 2
    if name == "d1.jsonl" and "link" not in kind:
        assert outbox.newly_damaged() == 1
    assert not (outbox.dead / "d1.jsonl").is_dir()


def test_letters_of_an_absurd_size_are_left_alone_and_new_ones_are_kept(outbox: Outbox) -> None:
    outbox.dead_letters.add("d1", {"reason": "old"})
    with (outbox.dead / "d1.jsonl").open("r+b") as file:
        file.truncate(2_000_000_000)
    begin = time.process_time()
    outbox.dead_letters.add("d1", {"reason": "new"})

    assert reasons(outbox) == ["new"]
    assert time.process_time() - begin < 0.5
    outbox.dead_letters.move_away_unusable()
    assert (outbox.damaged / "d1.jsonl").stat().st_size == 2_000_000_000


def test_only_one_process_at_a_time_sends_letters_again(outbox: Outbox) -> None:
    with (
        held(outbox, ".retry"),
        pytest.raises(OSError, match="another process"),
        outbox.dead_letters.retrying(),
    ):
        raise AssertionError
    with outbox.dead_letters.retrying():
        pass


@pytest.mark.parametrize("step", [-1e9, 0, 1e9])
def test_a_letter_is_news_once_whatever_the_clock_does(outbox: Outbox, step: float) -> None:
    for number in range(3):
        outbox.dead_letters.add("one", {"reason": "refused"})
        outbox.dead_letters.add(f"other {number}", {"reason": "refused"})
        assert [outbox.newly_dead(), outbox.newly_dead()] == [2, 0]
        for path in (outbox.dead / ".told", outbox.dead / "one.jsonl"):
            os.utime(path, (time.time() + step, time.time() + step))


def test_letters_that_were_announced_by_their_run_are_not_news(outbox: Outbox) -> None:
    outbox.dead_letters.add("one", {"reason": "refused"})
    outbox.dead_letters.add("other", {"reason": "refused"})
    outbox.dead_letters.announce("one")

    assert outbox.newly_dead() == 1, "those of the other deployment"


def test_letters_that_come_after_a_rewrite_are_news(outbox: Outbox) -> None:
    for _number in range(3):
        outbox.dead_letters.add("one", {"reason": "refused"})
    assert outbox.newly_dead() == 1
    outbox.dead_letters.rewrite(outbox.dead / "one.jsonl", lambda _letter: False)
    assert outbox.newly_dead() == 0
    outbox.dead_letters.add("one", {"reason": "refused"})

    assert outbox.newly_dead() == 1
