# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are private, durable, never half written, and no links."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import files
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.files import (
    UnusableFile,
    append_records,
    beats,
    by_age,
    create_file,
    is_usable,
    open_file,
    parse_record,
    private_folder,
    read_lines,
    read_small,
    replace_file,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    in_place_of,
)

_RECORD = st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.integers(), max_size=3)


def _records(path: Path) -> list[dict[str, Any] | None]:
    return [parse_record(line.text or "") for line in read_lines(path)]


def test_a_line_is_added_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    append_records(tmp_path / "f", {"a": "部"})
    append_records(tmp_path / "f", {"b": 1})

    lines = (tmp_path / "f").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"a": "部"}, {"b": 1}]
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@given(
    before=st.lists(_RECORD, max_size=3), torn=_RECORD, cut=st.integers(0, 10_000), after=_RECORD
)
def test_a_line_that_was_cut_never_becomes_valid(
    before: list[dict[str, Any]], torn: dict[str, Any], cut: int, after: dict[str, Any]
) -> None:
    """Even if only its newline is missing."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "f")
        for record in before:
            append_records(path, record)
        data = json.dumps(torn, separators=(",", ":")).encode()
        with path.open("ab") as file:
            file.write(data[: cut % (len(data) + 1)])
        assert _records(path) == before
        append_records(path, after, torn)

        assert _records(path) == [*before, after, torn]


def test_another_process_that_writes_into_a_line_does_not_destroy_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, parts = os.write, [4, 9]

    def write(descriptor: int, data: bytes) -> int:
        if not parts:
            return real(descriptor, data)
        count = real(descriptor, data[: parts.pop()])
        if parts:
            monkeypatch.setattr(os, "write", real)
            append_records(tmp_path / "f", {"theirs": 1})
            monkeypatch.setattr(os, "write", write)
        return count

    monkeypatch.setattr(os, "write", write)
    append_records(tmp_path / "f", {"ours": "0123456789"})

    valid = [record for record in _records(tmp_path / "f") if record is not None]
    assert valid == [{"theirs": 1}, {"ours": "0123456789"}]


def test_a_failed_append_keeps_what_others_have_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fail(_descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", real)
        append_records(tmp_path / "f", {"theirs": 1})
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        append_records(tmp_path / "f", {"ours": 1})

    assert {"theirs": 1} in _records(tmp_path / "f")


def test_a_line_that_could_not_be_synced_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_records(tmp_path / "f", {"a": 1})

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        append_records(tmp_path / "f", {"reported": "as lost"})

    assert _records(tmp_path / "f") == [{"a": 1}]


def test_a_line_that_is_too_long_is_not_kept_in_memory(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.write(b'{"a":1}\n')
        file.truncate(200_000_000)
        file.seek(0, os.SEEK_END)
        file.write(b'\n{"b":1}\n')
    tracemalloc.start()
    lines = list(read_lines(tmp_path / "f"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert [line.text for line in lines] == ['{"a":1}', None, '{"b":1}']
    assert peak < 10_000_000


@given(data=st.binary(max_size=300).map(lambda data: data.replace(b"a", b"\n")))
def test_lines_are_found_wherever_the_file_is_cut_into_chunks(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "f")
        path.write_bytes(data)
        whole = list(read_lines(path))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "_CHUNK_BYTES", 3)
            assert list(read_lines(path)) == whole
        for line in whole:
            assert list(read_lines(path, line.end)) == [
                later for later in whole if later.begin >= line.end
            ]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_a_file_of_ours_is_opened_and_nothing_blocks(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "f"
    with in_place_of(path, kind):
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT):
            with pytest.raises(UnusableFile):
                open_file(path, flags)
        for action in (read_small, lambda path: append_records(path, {}), _records):
            with pytest.raises(UnusableFile):
                action(path)
        assert not is_usable(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_takes_the_place_of_anything(tmp_path: Path, kind: str) -> None:
    with in_place_of(tmp_path / "f", kind):
        replace_file(tmp_path / "f", "ours")

        assert read_small(tmp_path / "f") == "ours"


def test_a_file_of_more_than_the_limit_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"{}\n" * 4)

    assert len(list(read_lines(tmp_path / "f", limit=12))) == 4
    with pytest.raises(UnusableFile, match="more than 11 bytes"):
        list(read_lines(tmp_path / "f", limit=11))
    with pytest.raises(UnusableFile, match="more than 13 bytes"):
        append_records(tmp_path / "f", {}, limit=13)
    assert (tmp_path / "f").stat().st_size == 12


def test_a_created_file_has_its_whole_text_and_replaces_nothing(tmp_path: Path) -> None:
    create_file(tmp_path / "f", "ours")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "f", "again")

    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "ours"


def test_a_file_is_created_where_the_file_system_has_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    create_file(tmp_path / "f", "ours")
    with pytest.raises(PermissionError):
        create_file(tmp_path / "f", "again")

    assert (tmp_path / "f").read_text() == "ours"


def test_a_line_is_synced_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    append_records(tmp_path / "f", {"a": 1})

    assert synced[0] == len(b'{"a":1}\n'), "the line itself"
    assert len(synced) == 2, "and the folder, for the file is new"


def test_a_disk_that_fills_up_within_a_line_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_records(tmp_path / "f", {"a": 1})
    before = (tmp_path / "f").read_bytes()
    real = os.write
    room = [5]

    def write(descriptor: int, data: bytes) -> int:
        if room[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = data[: room[0]]
        room[0] -= len(part)
        return real(descriptor, part)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        append_records(tmp_path / "f", {"b": "x" * 100})

    assert (tmp_path / "f").read_bytes() == before


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    append_records(tmp_path / "f", {"text": "abcdefghij"})

    assert json.loads((tmp_path / "f").read_text()) == {"text": "abcdefghij"}


@pytest.mark.parametrize("action", [lambda p: append_records(p, {}), read_small])
def test_a_link_is_refused(tmp_path: Path, action: object) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "f").symlink_to(tmp_path / "elsewhere")
    assert callable(action)

    with pytest.raises(OSError, match="symbolic links"):
        action(tmp_path / "f")
    assert (tmp_path / "elsewhere").read_text() == "theirs"


def test_replacing_a_file_replaces_a_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "f").symlink_to(tmp_path / "elsewhere")
    replace_file(tmp_path / "f", "ours", durable=True)

    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert (tmp_path / "f").read_text() == "ours"
    assert stat.S_IMODE((tmp_path / "f").lstat().st_mode) == 0o600


def test_a_file_that_cannot_be_replaced_stays_whole_and_leaves_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file(tmp_path / "f", "old")

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(tmp_path / "f", "new")

    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_a_folder_is_made_private(tmp_path: Path) -> None:
    private_folder(tmp_path / "new")
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o777)
    private_folder(tmp_path / "open")

    for name in ("new", "open"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700


def test_a_link_or_a_file_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()

    for name in ("link", "file"):
        with pytest.raises(OSError, match="link or a file") as raised:
            private_folder(tmp_path / name)
        assert raised.value.strerror == "it is a link or a file, not a directory"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)

    with pytest.raises(OSError, match="another user"):
        private_folder(tmp_path / "theirs")


@pytest.mark.parametrize("text", ["", "{", "[1]", "7", '"x"', "null", "[" * 100_000, "\0\0"])
def test_what_is_no_mapping_is_no_record(text: str) -> None:
    assert parse_record(text) is None


def test_folders_come_oldest_first_without_links_and_hidden_ones(tmp_path: Path) -> None:
    for age, name in enumerate(("c", "a", "b", ".hidden")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    (tmp_path / "link").symlink_to(tmp_path / "a")

    assert [path.name for path in by_age(tmp_path)] == ["c", "a", "b"]
    assert by_age(tmp_path / "nowhere") == []


def test_a_folder_without_a_beat_counts_from_its_making(tmp_path: Path) -> None:
    for name, mtime in (("with", 5000), ("without", 3000)):
        (tmp_path / name).mkdir()
        if name == "with":
            (tmp_path / name / "heartbeat").touch()
            os.utime(tmp_path / name / "heartbeat", (mtime, mtime))
        os.utime(tmp_path / name, (3000, 3000))
    (tmp_path / "file").touch()

    assert sorted(beats(tmp_path, "heartbeat")) == [3000, 5000]
