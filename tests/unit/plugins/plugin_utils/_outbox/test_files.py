# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are private, durable, never half written, and no links."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.files import (
    add_line,
    beats,
    by_age,
    private_folder,
    read_small,
    record_of,
    replace_file,
)


def test_a_line_is_added_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    add_line(tmp_path / "f", {"a": "部"})
    add_line(tmp_path / "f", {"b": 1})

    lines = (tmp_path / "f").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"a": "部"}, {"b": 1}]
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


def test_a_torn_line_stays_apart_from_the_next(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b'{"torn": ')
    add_line(tmp_path / "f", {"whole": 1})

    assert (tmp_path / "f").read_bytes() == b'{"torn": \n{"whole":1}\n'


def test_a_line_is_synced_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_size))
    add_line(tmp_path / "f", {"a": 1})

    assert synced[0] == len(b'{"a":1}\n'), "the line itself"
    assert len(synced) == 2, "and the folder, for the file is new"


def test_a_disk_that_fills_up_within_a_line_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_line(tmp_path / "f", {"a": 1})
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
        add_line(tmp_path / "f", {"b": "x" * 100})

    assert (tmp_path / "f").read_bytes() == before


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    add_line(tmp_path / "f", {"text": "abcdefghij"})

    assert json.loads((tmp_path / "f").read_text()) == {"text": "abcdefghij"}


@pytest.mark.parametrize("action", [lambda p: add_line(p, {}), read_small])
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
    assert record_of(text) is None


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
