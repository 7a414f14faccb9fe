# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as the outbox wants them: private, durable, never half written, and no links."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


def record_of(text: str) -> dict[str, Any] | None:
    """Return the mapping that a line of JSON holds, None when it holds none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_small(path: Path) -> str:
    """Return the text of a small file. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read(65_536)


def replace_file(path: Path, text: str, durable: bool = False) -> None:
    """Write a file so that a reader sees the old text or the new one, never half.

    With ``durable`` that holds after a power cut, too. Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW
    try:
        descriptor = os.open(beside, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(beside, path)
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        raise


def add_line(path: Path, *records: dict[str, Any]) -> None:
    """Append a JSON line for each record, in one go; they are on disk when this returns.

    Raises OSError.
    """
    texts = (json.dumps(one, ensure_ascii=True, separators=(",", ":")) for one in records)
    line = b"".join(text.encode("ascii") + b"\n" for text in texts)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | NO_FOLLOW, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a line was torn by a crash; it stays a line of its own
        try:
            _write_all(descriptor, line)
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):  # half a line helps nobody, and the room may be scarce
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if not size:
        sync_folder(path.parent)  # the file is new: its name has to last as well


def private_folder(path: Path) -> None:
    """Make ``path``, or see that it is ours, no link, and closed to others. Raises OSError."""
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


def by_age(folder: Path) -> list[Path]:
    """Return what is in a folder, the oldest first; links and hidden names are not."""
    aged = []
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if not entry.name.startswith(".") and not entry.is_symlink():
                    aged.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    return [Path(path) for _time, path in sorted(aged)]


def beats(folder: Path, name: str) -> Iterator[float]:
    """Yield when the file ``name`` of each folder in ``folder`` was last touched.

    Every run counts them, so this is quick. Raises OSError.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    try:
                        yield os.stat(os.path.join(entry.path, name)).st_mtime
                    except FileNotFoundError:  # it was made a moment ago
                        yield entry.stat(follow_symlinks=False).st_mtime


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems do not sync folders
        pass
    finally:
        os.close(descriptor)
