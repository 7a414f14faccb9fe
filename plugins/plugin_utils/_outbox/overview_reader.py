# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an outbox for its overview.

Reading takes no lock, changes nothing on disk, and never waits for another process. Everything may
be damaged, or may be removed while it is read.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ...module_utils._api.frozen import frozen
from .dead_letters import REFUSED, folder_name
from .files import SMALL_BYTES, Line, by_age, parse_record, read_lines
from .liveness import host_identity, is_running
from .log import LogDecision, LogLine
from .orphans import ABANDONED_SECONDS
from .overview import (
    DamagedEntry,
    DeadEntry,
    DeliveryEntry,
    DeploymentEntry,
    Overview,
    QueueEntry,
    State,
)
from .records import QueueRecord
from .storage import (
    JOURNAL,
    MAX_JOURNAL_BYTES,
    DamagedFolder,
    Folder,
    Outbox,
    OutboxError,
    damage_reported,
)

# The time limit for reading. The rest is only counted.
READ_SECONDS = 20.0
SHOWN_DELIVERIES = 10
_HISTORY_BYTES = 1_048_576
_NEXT_ATTEMPT = re.compile(r"; next attempt in ([0-9.]+) s$")
_UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)

# The name and the environment of a deployment.
_Name = tuple[str, "str | None"]


def read_overview(
    outbox: Outbox,
    now: float,
    monotonic: Callable[[], float] = time.monotonic,
    seconds: float = READ_SECONDS,
) -> Overview:
    """Return an overview of an outbox. ``now``: epoch seconds.

    Each list begins with the oldest entry, except that deployments are sorted by their state
    first, and deliveries begin with the newest. After ``seconds``, the others are only
    counted. Raises OutboxError if the directory is not a readable directory of this user.
    """
    if not _is_there(outbox):
        return Overview(str(outbox.root), exists=False)
    until = monotonic() + seconds
    lines = list(outbox.log.lines())
    reader = _Reader(now, _next_attempts(lines, now))
    folders, files = deque(outbox.folders()), deque(_dead_files(outbox).items())
    while folders and monotonic() <= until:
        reader.add(folders.popleft())
    dead: list[DeadEntry] = []
    while files and monotonic() <= until:
        dead += _dead(outbox, *files.popleft(), now)
    names = {**_history_names(outbox), **{one.deployment: _name(one) for one in dead}}
    names.update(reader.names)
    return Overview(
        outbox=str(outbox.root),
        exists=True,
        deployments=sorted(reader.deployments, key=lambda one: list(State).index(one.state)),
        queued=reader.queued,
        dead=dead,
        damaged=[*reader.damaged, *_moved(outbox, now)],
        deliveries=[*_deliveries(lines, names, now)],
        unread=len(folders) + len(files),
    )


def _is_there(outbox: Outbox) -> bool:
    """Return whether the outbox exists. Raises OutboxError if it cannot be read."""
    try:
        outbox.mode()
        for folder in (outbox.root, outbox.runs):
            with suppress(FileNotFoundError), os.scandir(folder):
                pass
    except (OSError, OutboxError) as exc:
        why = exc.__cause__ if isinstance(exc, OutboxError) else exc
        if isinstance(why, FileNotFoundError):
            return False
        raise OutboxError(
            f"{outbox.root} cannot be read ({getattr(why, 'strerror', None) or why})",
            option="outbox",
            advice="Run this as the user that owns it, or name another directory as outbox or "
            "CLOUDMONITOR_OUTBOX.",
        ) from exc
    return True


class _Reader:
    """Collects the folders of ``runs``."""

    def __init__(self, now: float, next_attempts: Mapping[str, float]) -> None:
        self._now = now
        self._next_attempts = next_attempts
        self._host = host_identity()
        self.deployments: list[DeploymentEntry] = []
        self.queued: list[QueueEntry] = []
        self.damaged: list[DamagedEntry] = []
        self.names: dict[str, _Name] = {}

    def add(self, folder: Folder) -> None:
        """Add a folder, unless it vanishes or is just being made. Never raises an exception."""
        with suppress(OSError):
            try:
                with damage_reported(folder):
                    self._read(folder)
            except DamagedFolder as exc:
                self._add_damaged(folder, exc.problem)

    def _read(self, folder: Folder) -> None:
        journal = _Journal.read(folder)
        if journal is None:
            return
        head = journal.head or {}
        queue = QueueRecord.read(head)
        if queue is not None:
            self._add_queue(folder, queue, journal)
        elif head.get("record") == "run":
            self._add_run(folder, head, journal)
        else:
            self._add_damaged(folder, f"{folder.path} is damaged (its first line cannot be read)")

    def _add_damaged(self, folder: Folder, problem: str) -> None:
        age = self._age(os.lstat(folder.path).st_mtime)
        self.damaged.append(DamagedEntry(str(folder.path), problem, False, age))

    def _add_queue(self, folder: Folder, queue: QueueRecord, journal: _Journal) -> None:
        queued_at = _number(queue.queued_at)
        self.names[folder.name] = (queue.label, None)
        self.queued.append(
            QueueEntry(
                label=queue.label,
                deployment=queue.deployment_id,
                queued_at=queued_at,
                age=self._age(queued_at),
                events=journal.events,
                problem=_problem(folder),
                path=str(folder.path),
            )
        )

    def _add_run(self, folder: Folder, head: Mapping[str, Any], journal: _Journal) -> None:
        deployment = head["deployment"]
        name, environment = str(deployment["name"]), _text(deployment.get("environment"))
        started_at = _number(deployment.get("started_at"))
        is_here = head["host"] == self._host
        pid = int(head["pid"]) if is_here and is_running(int(head["pid"]), head["mark"]) else None
        is_alive = pid is not None
        if not is_here:  # its courier touches the heartbeat
            is_alive = self._now - folder.heartbeat()[1] < ABANDONED_SECONDS
        state = State.WAITING
        if is_alive and not journal.is_final:
            state = State.OVERDUE if journal.is_overdue else State.RUNNING
        problem = _problem(folder) if journal.events else None
        if state is State.WAITING and not journal.is_final:
            problem = problem or "the run ended without a finish"
        self.names[folder.name] = (name, environment)
        self.deployments.append(
            DeploymentEntry(
                id=str(deployment["id"]),
                name=name,
                version=_text(deployment.get("version")),
                environment=environment,
                state=state,
                started_at=started_at,
                age=self._age(started_at),
                events=journal.events,
                problem=problem,
                next_attempt_in=self._next_attempts.get(folder.name),
                pid=pid,
                path=str(folder.path),
            )
        )

    def _age(self, since: float | None) -> float | None:
        return None if since is None else max(0.0, self._now - since)


@frozen
class _Journal:
    """The content of a journal. ``head``: its first record, None if that cannot be read.

    ``events``: how many wait.
    """

    head: dict[str, Any] | None
    events: int
    is_final: bool
    is_overdue: bool

    @staticmethod
    def read(folder: Folder) -> _Journal | None:
        """Return the content of the journal, None if nothing is in it yet.

        Raises OSError and UnusableFile.
        """
        delivered = folder.delivered()
        lines = read_lines(folder.path / JOURNAL, 0, MAX_JOURNAL_BYTES)
        first = next(lines, None)
        if first is None:
            return None
        events, is_final, is_overdue = 0, False, False
        for line, record in _records(lines):
            found = record.get("events")
            if line.end > delivered and isinstance(found, list):
                events += len(found)
            is_final = is_final or record.get("final") is True
            is_overdue = is_overdue or record.get("overdue") is True
        return _Journal(parse_record(first.text or ""), events, is_final, is_overdue)


def _records(lines: Iterable[Line]) -> Iterator[tuple[Line, dict[str, Any]]]:
    for line in lines:
        record = parse_record(line.text or "")
        if record is not None:
            yield line, record


def _problem(folder: Folder) -> str | None:
    """Return what the last process reported about the delivery of a folder."""
    return _text(folder.status().get("text"))


def _moved(outbox: Outbox, now: float) -> Iterator[DamagedEntry]:
    for path in by_age(outbox.damaged):
        with suppress(OSError):
            age = max(0.0, now - os.lstat(path).st_mtime)
            yield DamagedEntry(str(path), None, True, age)


def _dead_files(outbox: Outbox) -> dict[str, list[Path]]:
    """Return the files with dead letters by the folder that they are about."""
    files: dict[str, list[Path]] = {}
    for path in outbox.dead_letters.files():
        files.setdefault(folder_name(path), []).append(path)
    return files


def _dead(outbox: Outbox, deployment: str, paths: list[Path], now: float) -> Iterator[DeadEntry]:
    """Yield the entry of one deployment, unless its files are empty."""
    letters = events = 0
    last: dict[str, Any] = {}
    added_at: float | None = None
    for path in paths:
        for letter in outbox.dead_letters.letters(path):
            letters, last = letters + 1, letter
            found = letter.get("events")
            events += len(found) if isinstance(found, list) else 0
            added_at = _earlier(added_at, _number(letter.get("added_at")))
    if not letters:
        return
    name, environment = _letter_name(last) or (unquote(deployment), None)
    yield DeadEntry(
        deployment=deployment,
        name=name,
        environment=environment,
        letters=letters,
        events=events,
        kind=_text(last.get("kind")) or REFUSED,
        reason=_text(last.get("reason")) or "unknown",
        added_at=added_at,
        age=None if added_at is None else max(0.0, now - added_at),
        path=str(paths[0]),
    )


def _earlier(one: float | None, other: float | None) -> float | None:
    known = [time for time in (one, other) if time is not None]
    return min(known) if known else None


def _letter_name(letter: Mapping[str, Any]) -> _Name | None:
    """Return the name and environment of the deployment that a dead letter is about.

    For another event, the name is that of the event. None if the letter cannot be read.
    """
    try:
        event = letter["events"][0]
        with suppress(*_UNREADABLE):
            content = json.loads(event["content"])
            return str(content["name"]), _text(content.get("environment"))
        return str(event["name"]), None
    except _UNREADABLE:
        return None


def _name(entry: DeadEntry) -> _Name:
    return entry.name, entry.environment


def _next_attempts(lines: Iterable[LogLine], now: float) -> dict[str, float]:
    """Return in how many seconds the next attempt for a folder is due, if there will be one."""
    due: dict[str, float] = {}
    for line in lines:
        due.pop(line.deployment, None)
        found = _NEXT_ATTEMPT.search(line.text)
        if line.decision is LogDecision.RETRY and found:
            with suppress(ValueError):
                due[line.deployment] = line.at + float(found[1])
    return {name: at - now for name, at in due.items() if at >= now}


def _deliveries(
    lines: list[LogLine], names: Mapping[str, _Name], now: float
) -> Iterator[DeliveryEntry]:
    """Yield the last accepted requests, the newest first."""
    accepted = [line for line in lines if line.decision is LogDecision.ACCEPTED]
    for line in accepted[: -SHOWN_DELIVERIES - 1 : -1]:
        identifier = unquote(line.deployment.partition("~")[0])
        name, environment = (
            names.get(line.deployment) or names.get(identifier) or (identifier, None)
        )
        age = max(0.0, now - line.at)
        yield DeliveryEntry(
            line.at, age, line.deployment, name, environment, line.events, line.text
        )


def _history_names(outbox: Outbox) -> dict[str, _Name]:
    """Return names and environments by the ids of the deployments that ended last."""
    names: dict[str, _Name] = {}
    for path in outbox.history.files()[-2:]:
        with suppress(OSError):
            begin = max(0, os.lstat(path).st_size - _HISTORY_BYTES)
            for _line, record in _records(read_lines(path, begin)):
                if isinstance(record.get("id"), str) and isinstance(record.get("name"), str):
                    names[record["id"]] = (record["name"], _text(record.get("environment")))
    return names


def _text(value: object) -> str | None:
    return value[:SMALL_BYTES] if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    """Return a time that ``iso_time`` can format, None for anything else."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= 253_402_300_799 else None
