# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead letters: events that were refused or grew too old, with the reason.

They are JSON lines in ``dead/<folder>.jsonl``. A letter that cannot be added there, because a
process that rewrites the files keeps their lock or because something else is in the place of the
file, is kept in ``dead/<folder>.2.jsonl``, and so on. A folder's name has no period.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .announced import Announcements
from .files import (
    MAX_LINE_BYTES,
    UnusableFile,
    append_records,
    by_age,
    create_file,
    encode_record,
    is_usable,
    keep_ranges,
    open_file,
    parse_record,
    read_lines,
    try_lock,
)

# Why an event will not be sent again: the ``kind`` of its letter.
EXPIRED, REFUSED, UNREADABLE = "expired", "refused", "unreadable"
_SUFFIX = ".jsonl"
_MAX_FILES = 10_000
_MAX_BYTES = 67_108_864
# A rewrite takes milliseconds. A process that keeps the lock for longer was stopped.
_LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.02
_LOCK, _RETRY_LOCK = ".lock", ".retry"


class DeadLetters:
    """The dead letters of an outbox. Nothing here waits for another process for long."""

    def __init__(self, folder: Path, move_away: Callable[[Path], object]) -> None:
        """``move_away`` takes a path out of the way that is not a file of ours."""
        self._folder = folder
        self._move_away = move_away
        self._announced = Announcements(folder / ".told")
        self._wait_seconds = _LOCK_SECONDS

    def add(self, name: str, *letters: dict[str, Any]) -> None:
        """Keep events of the folder ``name``, all at once. Raises OSError."""
        with self._locked() as locked:
            for path in self._paths(name):
                with suppress(UnusableFile, FileExistsError):
                    if locked:
                        append_records(path, *letters, limit=_MAX_BYTES)
                        return
                    if not os.path.lexists(path):  # the others may be rewritten right now
                        create_file(path, b"".join(map(encode_record, letters)).decode("utf-8"))
                        return
        raise OSError(errno.EMFILE, f"{self._folder} has {_MAX_FILES} files of one deployment")

    def files(self) -> list[Path]:
        """Return the files with dead letters, the oldest first."""
        found = []
        for path in by_age(self._folder):
            with suppress(OSError):
                if path.suffix == _SUFFIX and is_usable(path, _MAX_BYTES):
                    found.append(path)
        return found

    def letters(self, path: Path) -> Iterator[dict[str, Any]]:
        """Iterate over the letters of a file, as far as they can be read."""
        return self._letters(path)

    def _letters(self, path: Path, after: int = 0) -> Iterator[dict[str, Any]]:
        with suppress(OSError):
            for line in read_lines(path, max(0, after), _MAX_BYTES):
                found = parse_record(line.text) if line.text else None
                if found is not None:
                    yield found

    def last(self, name: str) -> dict[str, Any] | None:
        """Return the letter of the folder ``name`` that was added last, None if there is none."""
        found: list[dict[str, Any]] = []
        for path in self.files():
            if folder_name(path) == name:
                tail = os.lstat(path).st_size - 2 * MAX_LINE_BYTES
                found = [*found[-1:], *self._letters(path, tail)]
        return found[-1] if found else None

    def size(self, name: str) -> int:
        """Return the size of the letters of the folder ``name`` in bytes, 0 without letters.

        Nothing is listed: a letter is added to the first file that can take it. If a file is
        missing because all its letters were sent or dropped, those after it do not count.
        """
        size = 0
        for path in self._paths(name):
            try:
                if is_usable(path, _MAX_BYTES):
                    size += os.lstat(path).st_size
            except OSError:
                break
        return size

    def rewrite(self, path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Keep the letters of one file for which ``keep`` is true, and lines without a letter.

        Raises OSError, with EBUSY if another process is rewriting them.
        """
        with self._locked() as locked:
            if not locked:
                raise _busy(self._folder)
            kept = []
            for line in read_lines(path, limit=_MAX_BYTES):
                found = parse_record(line.text) if line.text else None
                if found is None or keep(found):
                    kept.append((line.begin, line.end))
            if kept:
                keep_ranges(path, kept)
            else:
                path.unlink()
        self.announce(folder_name(path))

    def move_away_unusable(self) -> None:
        """Take out of the way what has the name of a file with letters and is not one."""
        for path in by_age(self._folder):
            with suppress(OSError):
                if path.suffix == _SUFFIX and not is_usable(path, _MAX_BYTES):
                    self._move_away(path)

    def count_new(self) -> int:
        """Return how many deployments got dead letters since the last call."""
        return self._announced.count_new(self._sizes())

    def announce(self, name: str) -> None:
        """Do not count the present letters of the folder ``name`` as new again."""
        self._announced.add(name, self._sizes().get(name, 0))

    @contextmanager
    def retrying(self) -> Iterator[None]:
        """Keep other processes from sending the same letters. Raises OSError, EBUSY if one does."""
        descriptor = self._open_lock(_RETRY_LOCK)
        try:
            if not try_lock(descriptor):
                raise _busy(self._folder)
            yield
        finally:
            os.close(descriptor)

    def _sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for path in self.files():
            with suppress(OSError):
                name = folder_name(path)
                sizes[name] = sizes.get(name, 0) + os.lstat(path).st_size
        return sizes

    def _paths(self, name: str) -> Iterator[Path]:
        yield self._folder / (name + _SUFFIX)
        for number in range(2, _MAX_FILES):
            yield self._folder / f"{name}.{number}{_SUFFIX}"

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Keep others from changing the files; yield False if somebody keeps the lock too long."""
        descriptor = self._open_lock(_LOCK)
        try:
            until = time.monotonic() + self._wait_seconds
            while not (locked := try_lock(descriptor)) and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
            # A process that holds it for so long was stopped. The next letter does not wait again.
            self._wait_seconds = _LOCK_SECONDS if locked else 0.0
            yield locked
        finally:
            os.close(descriptor)

    def _open_lock(self, name: str) -> int:
        path = self._folder / name
        try:
            return open_file(path, os.O_RDWR | os.O_CREAT)
        except UnusableFile:
            self._move_away(path)
            return open_file(path, os.O_RDWR | os.O_CREAT)


def folder_name(path: Path) -> str:
    """Return the name of the folder whose letters are in a file."""
    return path.name.partition(".")[0]


def _busy(folder: Path) -> OSError:
    return OSError(errno.EBUSY, "another process is changing the dead letters", str(folder))
