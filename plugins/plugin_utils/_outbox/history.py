# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of an outbox: a line for each finished deployment, and the current deployments.

``history/<YYYY-MM>.jsonl`` has the lines that were written in that month (UTC). A line is the
content of the finish plus ``by``. Every process that writes a finish into a journal adds the line
first. If it is killed in between, the process that writes the finish instead adds a second line.
The last line of an id is the one that counts, so nothing is missing and nothing is counted twice.

Lines are appended without a lock, see ``append_records``. The lock protects ``current.json``, which
is derived from the lines: it names the bytes that it covers, and what was written since is read on
top of it. A process that does not get the lock therefore need not wait.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ...module_utils._api.frozen import frozen
from .current import Positions, Snapshot, follow, previous, service
from .files import (
    UnusableFile,
    append_records,
    open_file,
    parse_record,
    private_folder,
    read_lines,
    replace_file,
    try_lock,
)

CURRENT = "current.json"
_LOCK = ".lock"
_SUFFIX = ".jsonl"
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])\.jsonl")
_MONTH_BYTES = 1_073_741_824
_CURRENT_BYTES = 67_108_864
# What a run reads of the history at most, if current.json is missing or behind.
_RUN_BYTES = 1_048_576
# A run updates current.json only if it is small. Couriers and tasks update a larger one.
_RUN_CURRENT_BYTES = 65_536
_RUN_LOCK_SECONDS = 0.02
_LOCK_SECONDS = 1.0
_POLL_SECONDS = 0.002
_DAY_SECONDS = 86_400.0
DEFAULT_KEEP_DAYS = 400.0


@frozen
class HistoryLines:
    """The lines of the history in the order in which they were written.

    ``damaged``: lines and files that cannot be read. ``unknown``: lines without an id, a name, a
    status or an end that this version understands.
    """

    lines: list[dict[str, Any]]
    damaged: int = 0
    unknown: int = 0


class History:
    """The history of one outbox. Nothing here raises an exception, and nothing waits for long."""

    def __init__(
        self,
        folder: Path,
        keep_days: float = DEFAULT_KEEP_DAYS,
        move_away: Callable[[Path], object] = Path.unlink,
    ) -> None:
        """``keep_days``: how long lines are kept; 0 turns the history off.

        ``move_away`` takes a path out of the way that is not a file of ours.
        """
        self.folder = folder
        self._keep_days = keep_days
        self._move_away = move_away

    @property
    def is_on(self) -> bool:
        """Whether deployments are added."""
        return self._keep_days > 0

    def add(self, finish: Mapping[str, Any], by: str, now: float | None = None) -> str | None:
        """Add the content of a finish, durably, and update ``current.json``.

        ``by``: ``callback``, ``role`` or ``task``. ``now``: epoch seconds. Returns the problem if
        the line cannot be written.
        """
        problem = self.add_line(finish, by, now)
        if problem is None:
            self.update_current()
        return problem

    def add_line(self, finish: Mapping[str, Any], by: str, now: float | None = None) -> str | None:
        """Do the part of ``add`` that has to be durable before the finish is in a journal."""
        if not self.is_on:
            return None
        month = time.strftime("%Y-%m", time.gmtime(now))
        try:
            private_folder(self.folder)
            self._append(self.folder / (month + _SUFFIX), {**finish, "by": by})
        except OSError as exc:
            return f"{self.folder} cannot be written ({exc.strerror or exc})"
        return None

    def update_current(self) -> None:
        """Bring ``current.json`` up to date if that is quick."""
        if self.is_on:
            with suppress(OSError), self._locked(_RUN_LOCK_SECONDS) as locked:
                if locked:
                    self._update_current(_RUN_CURRENT_BYTES)

    def _append(self, path: Path, line: dict[str, Any]) -> None:
        try:
            append_records(path, line, limit=_MONTH_BYTES)
        except UnusableFile:
            self._move_away(path)
            append_records(path, line, limit=_MONTH_BYTES)

    def previous(
        self, name: str, environment: str | None, deployment_id: str
    ) -> dict[str, Any] | None:
        """Return what is current while ``deployment_id`` runs, None if that is unknown.

        It has ``id``, ``version`` and ``finished_at``, as far as they are known. At most some
        megabytes are read.
        """
        if not self.is_on:
            return None
        found: dict[str, Any] | None = None
        with suppress(OSError, ValueError, RecursionError):
            snapshot = self._read_current()
            lines = None if snapshot is None else self._since(snapshot.through, _RUN_BYTES)
            if snapshot is None or lines is None:
                lines = self._newest(_RUN_BYTES)
            else:
                found = snapshot.get(name, environment)
            for line in lines[0]:
                if service(line) == (name, environment):
                    found = follow(found, line)
        return previous(found, deployment_id)

    def maintain(self, now: float) -> None:
        """Remove the months that are too old, and repair ``current.json`` if it needs it.

        This may take longer than a run can wait: couriers and tasks do it. ``now``: epoch seconds.
        """
        if not self.is_on:
            return
        with suppress(OSError), self._locked(_LOCK_SECONDS) as locked:
            if locked:
                for path in self.files():
                    if _end(path) < now - self._keep_days * _DAY_SECONDS:
                        path.unlink(missing_ok=True)
                self._update_current(None)

    def files(self) -> list[Path]:
        """Return the files with lines, the oldest first."""
        with suppress(OSError):
            names = sorted(name for name in os.listdir(self.folder) if _MONTH.fullmatch(name))
            return [self.folder / name for name in names]
        return []

    def read(self) -> HistoryLines:
        """Return all lines, as far as they can be read."""
        lines: list[dict[str, Any]] = []
        damaged = unknown = 0
        for path in self.files():
            try:
                for found in read_lines(path, limit=_MONTH_BYTES):
                    record = parse_record(found.text) if found.text else None
                    if record is None:
                        damaged += 1
                    elif _is_finish(record):
                        lines.append(record)
                    else:
                        unknown += 1
            except OSError:
                damaged += 1
        return HistoryLines(lines, damaged, unknown)

    # current.json

    def _update_current(self, limit: int | None) -> None:
        """Bring ``current.json`` up to date; the lock is held. Raises OSError.

        ``limit``: nothing is done if the file, or what is to be read of the history, has more
        bytes. None: no limit, and what is in the file is checked as a whole.
        """
        if limit is not None and _size([self.folder / CURRENT]) > limit:
            return
        snapshot = self._read_current()
        if snapshot is not None and (limit is not None or snapshot.is_sound()):
            with suppress(ValueError, RecursionError):
                found = self._since(snapshot.through, limit or _RUN_BYTES)
                if found is not None:
                    self._add_lines(snapshot, *found)
                    return
        if limit is not None and _size(self.files()) > limit:
            return
        entries: dict[tuple[str, str | None], dict[str, Any]] = {}
        lines, through = self._lines(dict.fromkeys(self.files(), 0))
        for line in lines:
            entry = follow(entries.get(service(line)), line)
            if entry is not None:
                entries[service(line)] = entry
            else:
                entries.pop(service(line), None)
        self._write(Snapshot(through, entries))

    def _add_lines(
        self, snapshot: Snapshot, lines: list[dict[str, Any]], through: Positions
    ) -> None:
        """Write a snapshot with further lines. Raises OSError and ValueError."""
        for line in lines:
            before = snapshot.get(*service(line))
            after = follow(before, line)
            if after != before:
                snapshot.put(*service(line), after)
        if through != snapshot.through:
            snapshot.through = through
            self._write(snapshot)

    def _write(self, snapshot: Snapshot) -> None:
        # Not durably: after a power cut it is made again.
        replace_file(self.folder / CURRENT, snapshot.dump())

    def _read_current(self) -> Snapshot | None:
        """Return the snapshot in ``current.json``, None without one that can be used."""
        try:
            descriptor = open_file(self.folder / CURRENT, os.O_RDONLY, _CURRENT_BYTES)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return Snapshot.parse(file.read())

    def _since(
        self, through: Positions, limit: int
    ) -> tuple[list[dict[str, Any]], Positions] | None:
        """Return the lines that a snapshot does not cover, and up to where they go.

        None if the files are not those that it was made from, or with more than ``limit`` bytes.
        Raises OSError.
        """
        files = {path.stem: path for path in self.files()}
        if not through.keys() <= files.keys():
            return None
        begins: dict[Path, int] = {}
        unread = 0
        for month, path in files.items():
            begin, size = through.get(month, 0), os.lstat(path).st_size
            if size < begin or (size > begin > 0 and not _is_end_of_line(path, begin)):
                return None
            unread += size - begin
            if size > begin or month not in through:
                begins[path] = begin
        if unread > limit:
            return None
        lines, positions = self._lines(begins)
        return lines, {**through, **positions}

    def _newest(self, limit: int) -> tuple[list[dict[str, Any]], Positions]:
        """Return the last lines of the history, of at most ``limit`` bytes. Raises OSError."""
        begins: dict[Path, int] = {}
        for path in reversed(self.files()):
            if limit <= 0:
                break
            size = os.lstat(path).st_size
            begins[path] = max(0, size - limit)
            limit -= size
        return self._lines(dict(reversed(begins.items())))

    def _lines(self, begins: Mapping[Path, int]) -> tuple[list[dict[str, Any]], Positions]:
        """Return the finishes in files, from a byte of each on, and where their last lines end."""
        lines: list[dict[str, Any]] = []
        positions: Positions = {}
        for path, begin in begins.items():
            positions[path.stem] = begin
            with suppress(OSError):
                for found in read_lines(path, begin, _MONTH_BYTES):
                    positions[path.stem] = found.end
                    record = parse_record(found.text) if found.text else None
                    if record is not None and _is_finish(record):
                        lines.append(record)
        return lines, positions

    @contextmanager
    def _locked(self, seconds: float) -> Iterator[bool]:
        """Keep others from changing ``current.json``; yield False if another process does.

        Raises OSError.
        """
        path = self.folder / _LOCK
        try:
            descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
        except UnusableFile:
            self._move_away(path)
            descriptor = open_file(path, os.O_RDWR | os.O_CREAT)
        try:
            until = time.monotonic() + seconds
            while not (locked := try_lock(descriptor)) and time.monotonic() < until:
                time.sleep(_POLL_SECONDS)
            yield locked
        finally:
            os.close(descriptor)


def _is_finish(record: Mapping[str, Any]) -> bool:
    """Return whether a line has what makes a finished deployment, in whatever version."""
    return (
        all(isinstance(record.get(key), str) for key in ("id", "name", "status", "finished_at"))
        and isinstance(record.get("environment"), (str, type(None)))
        and isinstance(record.get("parent"), (str, type(None)))
    )


def _is_end_of_line(path: Path, position: int) -> bool:
    """Return whether a line ends before byte ``position`` of a file. Raises OSError."""
    descriptor = open_file(path, os.O_RDONLY, _MONTH_BYTES)
    try:
        return os.pread(descriptor, 1, position - 1) == b"\n"
    finally:
        os.close(descriptor)


def _size(paths: list[Path]) -> int:
    """Return how many bytes files have, those that are there."""
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += os.lstat(path).st_size
    return total


def _end(path: Path) -> float:
    """Return when the month of a file ends, in epoch seconds."""
    year, month = (int(part) for part in path.stem.split("-"))
    year = min(max(year, 1), 9998)
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=timezone.utc).timestamp()
