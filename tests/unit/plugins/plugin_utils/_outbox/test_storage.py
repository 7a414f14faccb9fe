# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox on disk: what is complete survives, and nobody else reads or replaces it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import storage
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    host_identity,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    MAX_JOURNAL_LINES,
    DamagedFolder,
    Folder,
    Outbox,
    OutboxError,
    is_handover_requested,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    holder_of,
    in_place_of,
    left_behind,
    new_outbox,
    release,
)

_RECORDS = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers(), max_size=3),
    max_size=6,
)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


def test_everything_is_closed_to_others(outbox: Outbox) -> None:
    folder = left_behind(outbox, finished=True)
    folder.reserve()
    folder.set_delivered(7)
    folder.set_status({"state": "fine"})
    outbox.dead_letters.add("d1", {"reason": "refused"})
    lock = folder.lock()
    assert lock is not None
    os.close(lock)

    for path in [outbox.root, *outbox.root.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@given(records=_RECORDS, garbage=st.binary(max_size=40), torn=st.integers(1, 400))
def test_complete_lines_survive_torn_writes_and_garbage(
    records: list[dict[str, Any]], garbage: bytes, torn: int
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        for record in records:
            folder.append(record)
        whole = (folder.path / "journal").read_bytes() if records else b""
        # A crash in the middle of the next line, whatever the disk made of it.
        (folder.path / "journal").write_bytes(whole + garbage.replace(b"\n", b"?"))
        folder.append({"after": torn})

        found = [entry.record for entry in folder.entries()]
        assert found[: len(records)] == records
        assert found[-1] == {"after": torn}
        assert len(found) <= len(records) + 2
        # Reading on from the end of any line gives the lines after it.
        ends = [entry.end for entry in folder.entries()]
        for number, end in enumerate(ends):
            assert [entry.end for entry in folder.entries(end)] == ends[number + 1 :]


@given(records=_RECORDS.filter(bool), cut=st.integers(0, 10_000), noise=st.binary(max_size=9))
def test_damage_at_any_byte_harms_the_lines_that_it_touches_only(
    records: list[dict[str, Any]], cut: int, noise: bytes
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        for record in records:
            folder.append(record)
        journal = folder.path / "journal"
        data = journal.read_bytes()
        ends = [entry.end for entry in folder.entries()]
        at = cut % len(data)
        journal.write_bytes(data[:at] + noise + data[at + len(noise) :])

        found = {entry.end: entry.record for entry in folder.entries()}
        for number, record in enumerate(records):
            begin = ends[number - 1] if number else 0
            if ends[number] <= at or begin > at + len(noise):
                assert found[ends[number]] == record


def test_a_line_without_its_end_does_not_count_yet(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    folder.append({"a": 1})
    with (folder.path / "journal").open("ab") as file:
        file.write(b'{"b": 2}')

    assert [entry.record for entry in folder.entries()] == [{"a": 1}]


@pytest.mark.parametrize("text", ["", "-5", "7x", "\0\0\0", "١٢٣ apples", "9" * 5000])
def test_a_damaged_position_means_from_the_start(outbox: Outbox, text: str) -> None:
    folder = outbox.create("d1")
    (folder.path / "delivered").write_text(text)

    assert folder.delivered() == 0


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '"x"'])
def test_a_damaged_status_says_nothing(outbox: Outbox, text: str) -> None:
    folder = outbox.create("d1")
    (folder.path / "status").write_text(text)

    assert folder.status() == {}


@pytest.mark.parametrize("name", ["journal", "lock", "delivered", "status", "heartbeat"])
def test_a_link_in_a_folder_leads_nowhere(outbox: Outbox, tmp_path: Path, name: str) -> None:
    folder = outbox.create("d1")
    theirs = tmp_path / "theirs"
    theirs.write_text('{"state": "7"}\n')
    (folder.path / name).symlink_to(theirs)

    if name == "journal":
        with pytest.raises(OSError, match="symbolic"):
            folder.append({})
        with pytest.raises(DamagedFolder, match="symbolic"):
            folder.entries()
    elif name == "lock":
        with pytest.raises(DamagedFolder, match="symbolic"):
            folder.lock()
    else:
        assert (folder.delivered(), folder.status(), folder.heartbeat()[0]) == (0, {}, "")
    assert theirs.read_text() == '{"state": "7"}\n'


@pytest.mark.parametrize("name", ["", "runs", "dead", "damaged"])
def test_a_link_in_place_of_a_folder_of_the_outbox_is_refused(tmp_path: Path, name: str) -> None:
    outbox = Outbox(tmp_path / "outbox")
    (tmp_path / "elsewhere").mkdir()
    if name:
        outbox.root.mkdir(mode=0o700)
    (outbox.root / name if name else outbox.root).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutboxError, match=r"outbox: .*link or a file.*another directory"):
        outbox.prepare()
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_link_among_the_deployments_is_not_followed(outbox: Outbox, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (outbox.runs / "d1").symlink_to(tmp_path / "elsewhere")

    assert outbox.folders() == []
    assert outbox.waiting() == 0
    assert outbox.create("d1").name == "d1~2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("name", ["", "runs", "dead"])
def test_an_outbox_of_another_user_is_refused(outbox: Outbox, name: str) -> None:
    os.chown(outbox.root / name, 12345, 12345)

    with pytest.raises(OutboxError, match="it belongs to another user"):
        outbox.prepare()


def test_a_file_in_place_of_the_outbox_is_an_error_with_advice(tmp_path: Path) -> None:
    (tmp_path / "outbox").touch()

    with pytest.raises(OutboxError, match="name another directory"):
        Outbox(tmp_path / "outbox").prepare()
    with pytest.raises(OutboxError, match="name another directory"):
        Outbox(tmp_path / "outbox" / "below").prepare()


@pytest.mark.parametrize(
    "identifier",
    [
        "../../etc",
        "a/b",
        ".",
        "..",
        "." * 120,
        "x" * 120,
        "部署" * 60,
        "a b\n\0",
        "\udcff",
        "~2",
        "%",
    ],
)
def test_any_id_makes_one_folder_below_the_others(outbox: Outbox, identifier: str) -> None:
    first, second = outbox.create(identifier), outbox.create(identifier)

    assert {first.path.parent, second.path.parent} == {outbox.runs}
    assert first.name != second.name
    assert {folder.name for folder in outbox.folders()} == {first.name, second.name}
    outbox.dead_letters.add(second.name, {"reason": "long names fit, too"})
    assert outbox.set_aside(second).parent == outbox.damaged


def test_the_reserve_pays_for_the_finish_on_a_full_disk(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox)
    folder.reserve()
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        if (folder.path / "reserve").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    folder.append({"the": "finish"})

    assert folder.entries()[-1].record == {"the": "finish"}
    assert not (folder.path / "reserve").exists()


def test_a_full_disk_without_a_reserve_is_an_error(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox)
    before = folder.size()

    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        folder.append({"the": "finish"})
    assert folder.size() == before


def test_an_error_other_than_a_full_disk_keeps_the_reserve(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    folder.reserve()
    (folder.path / "journal").mkdir()

    with pytest.raises(OSError, match="directory"):
        folder.append({})
    assert (folder.path / "reserve").exists()


def test_waiting_counts_what_no_courier_has_touched_lately(outbox: Outbox) -> None:
    long_ago = time.time() - 3600
    for name in ("old", "older"):
        os.utime(left_behind(outbox, name).path / "heartbeat", (long_ago, long_ago))
    left_behind(outbox, "fresh")
    outbox.create("made a moment ago")

    assert outbox.waiting() == 2
    assert not [path for path in outbox.root.iterdir() if path.name.startswith(".probe")]


def test_of_ten_thousand_deployments_a_run_looks_at_a_hundred(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10_000):
        (outbox.runs / (f"d{number}")).mkdir()
    looked_at: list[object] = []
    real = os.lstat

    def counted(path: Any, **how: Any) -> os.stat_result:
        looked_at.append(path)
        return real(path, **how)

    monkeypatch.setattr(os, "lstat", counted)
    outbox.prepare()
    outbox.waiting(100)
    outbox.create("one more")

    assert 100 <= len(looked_at) < 120


def test_folders_are_listed_in_parts_between_which_the_run_is_looked_at(outbox: Outbox) -> None:
    for number, name in enumerate(["b", "c", "a"]):
        os.utime(left_behind(outbox, name).path / "journal", (number, number))
    *parts, found = outbox.paths_in_parts(0.0)

    assert parts == [None, None, None]
    assert found == [str(folder.path) for folder in outbox.folders()]
    assert [Path(path).name for path in found] == ["b", "c", "a"]


def test_a_folder_set_aside_never_replaces_an_earlier_one(outbox: Outbox) -> None:
    for _round in range(3):
        folder = outbox.create("d1")
        folder.append({"a": 1})
        outbox.set_aside(folder)

    assert sorted(path.name for path in outbox.damaged.iterdir()) == ["d1", "d1~2", "d1~3"]
    assert outbox.folders() == []


def test_what_was_set_aside_is_news_once(outbox: Outbox) -> None:
    assert outbox.newly_damaged() == 0
    for number in (1, 2):
        for _round in range(number):
            outbox.set_aside(outbox.create("d"))
        assert outbox.newly_damaged() == number
        assert outbox.newly_damaged() == 0


@pytest.mark.parametrize("told", ["", "[]", '{"a": "b"}', "\0" * 99])
@pytest.mark.parametrize("step", [-1e9, 1e9])
def test_news_are_counted_whatever_the_clock_and_the_note_show(
    outbox: Outbox, told: str, step: float
) -> None:
    note = outbox.damaged / ".told"
    note.write_text(told)
    moment = time.time() + step
    os.utime(note, (moment, moment))
    for _round in range(2):
        outbox.set_aside(outbox.create("d"))
        assert [outbox.newly_damaged(), outbox.newly_damaged()] == [1, 0]
        os.utime(note, (moment, moment))


def test_a_folder_set_aside_again_under_the_same_name_is_news(outbox: Outbox) -> None:
    for keep in (outbox.root, outbox.runs):
        (target := outbox.set_aside(outbox.create("d"))).rename(keep / "taken away")
        outbox.set_aside(outbox.create("d"))
        assert outbox.newly_damaged() == 1
        target.rename(keep / "also taken away")


def test_a_folder_that_is_removed_belongs_to_the_next_run_with_its_id(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox, finished=True)
    real = os.rename

    def rename(source: Any, target: Any) -> None:
        real(source, target)
        assert outbox.create("d1").name == "d1", "the next run has begun"

    monkeypatch.setattr(os, "rename", rename)
    folder.remove()

    assert [found.name for found in outbox.folders()] == ["d1"]
    assert folder.path.is_dir()
    assert [path.name for path in outbox.runs.iterdir()] == ["d1"]


def test_the_holder_of_an_old_lock_does_not_remove_the_folder_of_the_next_run(
    outbox: Outbox,
) -> None:
    folder = left_behind(outbox, finished=True)
    lock = folder.lock()
    assert lock is not None
    folder.remove(lock)
    following = left_behind(outbox)
    next_lock = following.lock()
    assert next_lock is not None
    folder.remove(lock)
    assert folder.exists()
    assert not folder.is_locked_by(lock)
    following.remove(next_lock)
    assert not following.exists()
    os.close(lock)
    os.close(next_lock)


def test_a_folder_that_cannot_be_renamed_is_removed_where_it_is(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox, finished=True)

    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    folder.remove()
    folder.remove()

    assert list(outbox.runs.iterdir()) == []


def test_leftovers_of_killed_processes_are_collected_when_they_are_old(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = (
        "runs/.gone.d1.123",
        "runs/.gone.d1.123.0123456789ab",
        ".probe.77",
        ".probe.77.0123456789ab",
        "dead/.d1.jsonl.77.0123456789ab",
        "dead/..told.77.0123456789ab",
    )
    for name in names:
        (outbox.root / name).mkdir()
        (outbox.root / name / "journal").write_text("x")
    kept = ["dead/.told", "dead/.lock", "damaged/.told", "runs/.nfs0001", "runs/d1"]
    for name in kept:
        (outbox.root / name).touch()
    outbox.remove_leftovers()
    assert all((outbox.root / name).exists() for name in names), "they may be in use"

    later = outbox.present() + 4000
    monkeypatch.setattr(Outbox, "present", lambda _outbox: later)
    outbox.remove_leftovers()

    assert [name for name in names if os.path.lexists(outbox.root / name)] == []
    assert all((outbox.root / name).exists() for name in kept)


def test_a_position_in_the_middle_of_a_line_is_not_believed(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    folder.append({"a": 1}, {"b": 2})
    ends = [0, *(entry.end for entry in folder.entries())]
    for position in range(folder.size() + 3):
        folder.set_delivered(position)
        assert folder.delivered() == (position if position in ends else 0)


def test_a_journal_of_an_absurd_size_is_damage_and_costs_nothing(outbox: Outbox) -> None:
    folder = left_behind(outbox)
    with (folder.path / "journal").open("r+b") as file:
        file.truncate(2_000_000_000)
    begin = time.process_time()
    for action in (folder.entries, folder.size):
        with pytest.raises(DamagedFolder, match="more than"):
            action()

    assert time.process_time() - begin < 0.2


def test_a_journal_of_absurdly_many_lines_is_damage(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    (folder.path / "journal").write_bytes(b"{}\n" * (MAX_JOURNAL_LINES + 1))

    with pytest.raises(DamagedFolder, match="lines"):
        folder.entries()


def test_a_journal_does_not_grow_beyond_the_size_that_is_read(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MAX_JOURNAL_BYTES", 100)
    folder = outbox.create("d1")
    folder.append({"a": "x" * 50})

    with pytest.raises(OSError, match="more than 100 bytes"):
        folder.append({"a": "x" * 50})
    assert len(folder.entries()) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["delivered", "status", "heartbeat", "waited", "reserve"])
def test_anything_in_place_of_a_file_is_read_as_nothing_and_replaced(
    outbox: Outbox, name: str, kind: str
) -> None:
    folder = left_behind(outbox)
    with in_place_of(folder.path / name, kind):
        found = (folder.delivered(), folder.status(), folder.waited(), folder.heartbeat()[0])
        assert found == (0, {}, None, "" if name == "heartbeat" else host_identity())
        folder.beat()
        assert abs(folder.heartbeat()[1] - time.time()) < 60
        folder.set_delivered(folder.size())
        folder.set_status({"state": "fine"})
        folder.beat("here")
        folder.reserve()

    assert (folder.delivered(), folder.status()) == (folder.size(), {"state": "fine"})
    assert folder.heartbeat()[0] == "here"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["journal", "lock"])
def test_anything_in_place_of_journal_or_lock_is_damage(
    outbox: Outbox, name: str, kind: str
) -> None:
    folder = left_behind(outbox)
    with in_place_of(folder.path / name, kind):
        with pytest.raises(DamagedFolder):
            folder.entries() if name == "journal" else folder.lock()
        with pytest.raises(OSError, match=r"."):
            folder.append({}) if name == "journal" else folder.request_handover()
        moved = outbox.set_aside(folder)

    assert os.path.lexists(moved / name)


def test_the_time_is_that_of_the_file_system(outbox: Outbox) -> None:
    assert abs(outbox.present() - time.time()) < 60
    assert not list(outbox.root.glob(".probe*"))


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
