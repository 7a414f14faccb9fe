# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""File primitives of the outbox: private, durable, never half written, and they never block.

Anything may be in the place of a file: a FIFO, a socket, a device, a directory, a link, a file of
another user, a file of gigabytes. Everything is therefore opened with ``open_file``.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ...module_utils._api.frozen import frozen

_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# Opening says so if something other than a readable file of ours is there: open(2).
_NOT_A_FILE = (
    errno.EACCES,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENODEV,
    errno.ENXIO,
    errno.EOPNOTSUPP,
    errno.EPERM,
)
SMALL_BYTES = 65_536
# A record holds some events of 4,500 bytes, or one that fills a request (500,000 bytes).
MAX_LINE_BYTES = 1_048_576
_CHUNK_BYTES = 65_536
_APPENDS = 3
# Makes the line before it invalid JSON for good. Readers skip such a line.
_TORN = b"\0"


class UnusableFile(OSError):
    """Something other than a regular file of ours, of a sane size, is in the place of a file."""


@frozen
class Line:
    """A complete line of a file, from byte ``begin`` to byte ``end``.

    ``text`` is None for a line of more than MAX_LINE_BYTES.
    """

    begin: int
    end: int
    text: str | None


def open_file(path: Path, flags: int, limit: int | None = None) -> int:
    """Open a file of the outbox without waiting for anything; return its descriptor.

    Raises UnusableFile for anything but a regular file of ours with at most ``limit`` bytes, and
    OSError.
    """
    try:
        descriptor = os.open(path, flags | _OPEN, 0o600)
    except OSError as exc:
        if exc.errno in _NOT_A_FILE:
            raise UnusableFile(exc.errno, exc.strerror, str(path)) from exc
        raise
    try:
        _check_file(os.fstat(descriptor), path, limit)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_usable(path: Path, limit: int | None = None) -> bool:
    """Return whether ``open_file`` would accept what is there. Raises OSError for nothing there."""
    try:
        _check_file(os.lstat(path), path, limit)
    except UnusableFile:
        return False
    return True


def _check_file(found: os.stat_result, path: Path, limit: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UnusableFile(errno.EINVAL, "it is not a regular file", str(path))
    if found.st_uid != os.geteuid():
        raise UnusableFile(errno.EPERM, "it belongs to another user", str(path))
    if limit is not None and found.st_size > limit:
        raise UnusableFile(errno.EFBIG, f"it has more than {limit} bytes", str(path))


def parse_record(text: str) -> dict[str, Any] | None:
    """Return the mapping in a line of JSON, None if there is no mapping in it."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_small(path: Path, limit: int = SMALL_BYTES) -> str:
    """Return the text of a small file, its first ``limit`` bytes. Raises OSError."""
    descriptor = open_file(path, os.O_RDONLY)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit).decode("utf-8", "replace")


def read_lines(path: Path, after: int = 0, limit: int | None = None) -> Iterator[Line]:
    """Yield the complete lines from byte ``after`` on, as far as the file has grown by now.

    Torn lines are skipped. Memory: one line. Raises UnusableFile and OSError.
    """
    descriptor = open_file(path, os.O_RDONLY, limit)
    try:
        size = os.fstat(descriptor).st_size
        yield from _split(_chunks(descriptor, after, size), after)
    finally:
        os.close(descriptor)


def _chunks(descriptor: int, begin: int, end: int) -> Iterator[bytes]:
    while begin < end:
        chunk = os.pread(descriptor, min(_CHUNK_BYTES, end - begin), begin)
        if not chunk:
            return
        begin += len(chunk)
        yield chunk


def _split(chunks: Iterable[bytes], begin: int) -> Iterator[Line]:
    """Cut chunks into lines. Of a line that is too long, only the length is kept."""
    kept, length = bytearray(), 0
    for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for piece in ends:
            length += len(piece) + 1
            if length - 1 > MAX_LINE_BYTES:
                yield Line(begin, begin + length, None)
            else:
                kept += piece
                if kept.strip() and not kept.endswith(_TORN):
                    yield Line(begin, begin + length, kept.decode("utf-8", "replace"))
            begin, length = begin + length, 0
            kept.clear()
        length += len(rest)
        if length <= MAX_LINE_BYTES:
            kept += rest
        else:
            kept.clear()


def replace_file(path: Path, text: str | bytes, durable: bool = False) -> None:
    """Write a file so that a reader sees the old text or the new one, never half.

    With ``durable`` this is true even after a power cut. Raises OSError.
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    with closing(_Beside(path)) as beside:
        beside.write(data, durable)
        beside.replace()


def create_file(path: Path, text: str) -> None:
    """Create a file that has its whole text from the beginning, durably.

    Raises FileExistsError if there is anything at ``path``, and OSError.
    """
    with closing(_Beside(path)) as beside:
        beside.write(text.encode("utf-8", "replace"), durable=True)
        try:
            os.link(beside.path, path)
        except FileExistsError:
            raise
        except OSError:  # the file system has no hard links
            if os.path.lexists(path):
                raise
            os.rename(beside.path, path)
    sync_folder(path.parent)


def keep_ranges(path: Path, ranges: Iterable[tuple[int, int]]) -> None:
    """Rewrite a file, durably, so that it has only these byte ranges. Raises OSError."""
    descriptor = open_file(path, os.O_RDONLY)
    try:
        with closing(_Beside(path)) as beside:
            for begin, end in ranges:
                for chunk in _chunks(descriptor, begin, end):
                    beside.write(chunk)
            beside.write(b"", durable=True)
            beside.replace()
    finally:
        os.close(descriptor)


class _Beside:
    """A new file with a hidden name, which takes the place of another one when it is complete."""

    def __init__(self, path: Path) -> None:
        self._target = path
        self.path = path.with_name(hidden_name(path.name))
        self._descriptor = open_file(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def write(self, data: bytes, durable: bool = False) -> None:
        """Add bytes; with ``durable`` everything is on disk when this returns. Raises OSError."""
        while data:
            data = data[os.write(self._descriptor, data) :]
        if durable:
            os.fsync(self._descriptor)

    def replace(self) -> None:
        """Take the place of the other file. A directory there is moved out of the way."""
        try:
            os.replace(self.path, self._target)
        except IsADirectoryError:
            os.rename(self._target, self._target.with_name(hidden_name(self._target.name)))
            os.replace(self.path, self._target)

    def close(self) -> None:
        """Close the file, and remove it if it has not taken the other one's place."""
        os.close(self._descriptor)
        with suppress(OSError):
            os.unlink(self.path)


def hidden_name(name: str) -> str:
    """Return a name that nobody else uses and that no listing of the outbox shows."""
    return f".{name}.{os.getpid()}.{os.urandom(6).hex()}"


def encode_record(record: dict[str, Any]) -> bytes:
    """Return a record as a line of JSON.

    It is UTF-8, in which a text is as long as in a request. A text that UTF-8 cannot hold, with
    bytes of a variable that are not UTF-8, is escaped.
    """
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


def append_records(path: Path, *records: dict[str, Any], limit: int | None = None) -> None:
    """Append a JSON line for each record, in one go; they are on disk when this returns.

    Several processes may append at the same time, and any of them may be killed in the middle of
    a line. A line that was torn never becomes valid again: a mark is appended to it first. Nobody
    truncates what another process may have written.

    Raises UnusableFile, also if the file would have more than ``limit`` bytes, and OSError.
    """
    data = b"".join(encode_record(one) for one in records)
    descriptor = open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        if limit is not None and size + len(data) > limit:
            raise UnusableFile(errno.EFBIG, f"it would have more than {limit} bytes", str(path))
        torn = size and os.pread(descriptor, 1, size - 1) != b"\n"
        _append(descriptor, _TORN + b"\n" + data if torn else data)
    finally:
        os.close(descriptor)
    if not size:
        sync_folder(path.parent)  # the file is new: its name has to last as well


def _append(descriptor: int, data: bytes) -> None:
    """Append bytes as one piece and sync them. Raises OSError."""
    for _attempt in range(_APPENDS):
        if _write_at_end(descriptor, data):
            try:
                os.fsync(descriptor)
            except OSError:
                _take_back(descriptor, len(data))
                raise
            return
        data = _TORN + b"\n" + data
    raise OSError(errno.EAGAIN, "other processes write into the line")


def _write_at_end(descriptor: int, data: bytes) -> bool:
    """Append bytes; return whether they are one piece. Raises OSError.

    One call of write(2) nearly always takes everything. If it does not, another process may have
    appended in between.
    """
    written, writes = 0, 0
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
            writes += 1
    except OSError:
        if writes == 1:
            _take_back(descriptor, written)
        raise
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    return writes == 1 or os.pread(descriptor, len(data), end - len(data)) == data


def _take_back(descriptor: int, written: int) -> None:
    """Remove what was just appended, unless another process has appended since.

    Half a line helps nobody, space may be scarce, and an event that is reported as lost must not
    be sent.
    """
    with suppress(OSError):
        end = os.lseek(descriptor, 0, os.SEEK_CUR)
        if os.fstat(descriptor).st_size == end:
            os.ftruncate(descriptor, end - written)


def try_lock(descriptor: int) -> bool:
    """Take the flock of an open file unless another process has it; return whether it is ours."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def private_folder(path: Path) -> None:
    """Make ``path``, or check that it is ours, no link, and closed to others. Raises OSError."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    if mode_of_own(path) != 0o700:
        path.chmod(0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise OSError(0, "it is not writable")


def mode_of_own(path: Path) -> int:
    """Return the mode of a folder that is ours and no link. Raises OSError for any other."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(0, "it is a link or a file, not a directory")
    if found.st_uid != os.geteuid():
        raise OSError(0, "it belongs to another user")
    return stat.S_IMODE(found.st_mode)


def by_age(folder: Path, name: str | None = None) -> list[Path]:
    """Return what is in a folder, the oldest first, without links and hidden names.

    With ``name``, the age is that of the file ``name`` in each entry, if there is such a file.
    """
    return [Path(path) for _time, path in sorted(with_times(folder, name))]


def with_times(folder: Path, name: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield the entries that ``by_age`` sorts: a time in nanoseconds and a path."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if not entry.name.startswith(".") and not entry.is_symlink():
                    yield _changed_at(entry, name), entry.path


def _changed_at(entry: os.DirEntry[str], name: str | None) -> int:
    """Return when an entry, or the file ``name`` in it, was changed, in nanoseconds."""
    if name is not None:
        with suppress(OSError):
            return os.lstat(os.path.join(entry.path, name)).st_mtime_ns
    return entry.stat(follow_symlinks=False).st_mtime_ns


def beats(folder: Path, name: str) -> Iterator[float]:
    """Yield when the file ``name`` of each folder in ``folder`` was last touched.

    Every run counts them, so this is quick. Raises OSError.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    try:
                        yield os.lstat(os.path.join(entry.path, name)).st_mtime
                    except FileNotFoundError:  # it was made a moment ago
                        yield entry.stat(follow_symlinks=False).st_mtime


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems do not sync folders
        pass
    finally:
        os.close(descriptor)
