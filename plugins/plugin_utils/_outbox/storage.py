# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox: events on disk until they are delivered.

Plain files, one folder per deployment, and one for the events that a task has queued. A damaged
file harms one folder only, nothing is open across a fork, nothing needs a database's locks on NFS,
and people can read them::

    <outbox>/runs/<id>/journal     JSON lines, append-only; a line is valid once it is complete
                       delivered   the number of bytes of the journal that are done with
                       lock        flock'd by the courier for as long as it lives; not empty while
                                   another process requests the folder
                       heartbeat   touched by the courier; its content names the host
                       status      how delivery stands, written by the courier for the callback
                       destination whose events these are, once the default chain has found
                                   credentials; without one, the journal names it
                       waited      for how long the lines of the journal have waited
                       reserve     space for the finish, given up when the disk is full
    <outbox>/dead/<id>.jsonl       events that were refused or grew too old, see dead_letters.py
    <outbox>/history/<month>.jsonl the deployments that have ended, see history.py
    <outbox>/damaged/<id>/         folders that could not be read
    <outbox>/cache/                compiled code of this collection, see code_cache.py
    <outbox>/courier.log           attempts and decisions, see log.py; courier.log.1 is older

Folders are 0700, files 0600. Anything that is not a file of ours is refused, see files.py.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._api.frozen import frozen
from .announced import Announcements
from .dead_letters import DeadLetters
from .files import (
    UnusableFile,
    append_records,
    beats,
    by_age,
    hidden_name,
    mode_of_own,
    open_file,
    parse_record,
    private_folder,
    read_lines,
    read_small,
    replace_file,
    sync_folder,
    with_times,
)
from .history import DEFAULT_KEEP_DAYS, History

# The callback does without these, and each import costs every run half a millisecond.
if TYPE_CHECKING:
    from .log import CourierLog
    from .waiting_time import WaitingTime

# Means that there is something new in the folder. A process ignores it by default, so that it may
# come before the courier listens.
WAKE_SIGNAL = signal.SIGURG

# A courier touches its folder more often.
_LATELY_SECONDS = 60.0
_NAME_LIMIT = 100
_NUMBER_LIMIT = 10_000
JOURNAL, DELIVERED, LOCK, HEARTBEAT, STATUS = "journal", "delivered", "lock", "heartbeat", "status"
WAITED, RESERVE, DESTINATION = "waited", "reserve", "destination"
# A finish and its failure event have at most some 9,000 bytes; JSON escapes make them longer.
_RESERVE_BYTES = 65_536
# A run writes three lines, and a queue is cut (queue.py). Whatever has more than this was damaged,
# and is not worth the memory.
MAX_JOURNAL_BYTES = 16_777_216
MAX_JOURNAL_LINES = 20_000
# A process that removes a folder or replaces a file is done with it long before.
_LEFTOVER_SECONDS = 3600.0
_LEFTOVERS_AT_ONCE = 100
# With the number of a process, and a random number.
_LEFTOVER = re.compile(r"\..+\.[0-9]+(\.[0-9a-f]{12})?")


class OutboxError(CloudMonitorError):
    """The outbox cannot be used."""

    kind = "outbox"


class DamagedFolder(OutboxError):
    """The content of one deployment's folder cannot be used. Nothing else is affected."""


@contextmanager
def damage_reported(folder: Folder) -> Iterator[None]:
    """Turn every exception that the content of a folder causes into DamagedFolder.

    An OSError that is not about the folder (a full disk, too many open files) stays as it is.
    """
    try:
        yield
    except UnusableFile as exc:
        raise DamagedFolder(f"{folder.path} is damaged ({exc})", option="outbox") from exc
    except (OSError, MemoryError, DamagedFolder):
        raise
    except Exception as exc:
        raise DamagedFolder(f"{folder.path} is damaged ({exc!r})", option="outbox") from exc


@frozen
class Entry:
    """One line of a journal, which ends at byte ``end`` of the file.

    ``record`` is None if the line cannot be read; ``text`` is the line, empty if it is too long.
    """

    end: int
    text: str
    record: dict[str, Any] | None


class Folder:
    """The files of one deployment."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The folder's name, made from the deployment's id."""
        return self.path.name

    def append(self, *records: dict[str, Any], use_reserve: bool = True) -> None:
        """Add records to the journal, all at once; they are on disk when this returns.

        If the disk is full, the reserve is given up if ``use_reserve`` is true. Raises OSError.
        """
        journal = self.path / JOURNAL
        try:
            append_records(journal, *records, limit=MAX_JOURNAL_BYTES)
        except OSError as exc:
            is_full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
            if not (is_full and use_reserve and self._give_up_reserve()):
                raise
            append_records(journal, *records, limit=MAX_JOURNAL_BYTES)

    def reserve(self) -> None:
        """Reserve space for the finish, because a deployment may fill the disk. Raises OSError."""
        self._replace(RESERVE, "\0" * _RESERVE_BYTES)

    def _give_up_reserve(self) -> bool:
        """Free the reserved space; return whether there was any."""
        try:
            os.unlink(self.path / RESERVE)
        except OSError:
            return False
        return True

    def entries(self, after: int = 0) -> list[Entry]:
        """Return the complete lines of the journal from byte ``after`` on.

        Raises DamagedFolder, and OSError, with FileNotFoundError if there is no journal.
        """
        found: list[Entry] = []
        with damage_reported(self):
            for line in read_lines(self.path / JOURNAL, after, MAX_JOURNAL_BYTES):
                if len(found) >= MAX_JOURNAL_LINES:
                    raise UnusableFile(errno.EFBIG, f"it has more than {len(found)} lines")
                text = line.text or ""
                found.append(Entry(line.end, text, parse_record(text)))
        return found

    def size(self) -> int:
        """Return the size of the journal in bytes, 0 if there is none. Raises DamagedFolder."""
        with damage_reported(self):
            try:
                descriptor = open_file(self.path / JOURNAL, os.O_RDONLY, MAX_JOURNAL_BYTES)
            except FileNotFoundError:
                return 0
            size = os.fstat(descriptor).st_size
            os.close(descriptor)
            return size

    def exists(self) -> bool:
        """Return whether the folder is still there; it goes when everything is delivered."""
        return self.path.is_dir()

    def delivered(self) -> int:
        """Return the position in the journal up to which everything is done with.

        A position that is not the end of a line cannot be true. It is better to send something
        twice than to lose it.
        """
        try:
            position = int(self._read(DELIVERED))
            descriptor = open_file(self.path / JOURNAL, os.O_RDONLY)
        except (OSError, ValueError):
            return 0
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if 0 < position <= size and os.pread(file.fileno(), 1, position - 1) == b"\n":
                return position
        return 0

    def set_delivered(self, position: int) -> None:
        """Remember that everything before ``position`` is done with. Raises OSError."""
        self._replace(DELIVERED, str(position))

    def status(self) -> dict[str, Any]:
        """Return the last status that the courier wrote, an empty mapping if there is none."""
        try:
            return parse_record(self._read(STATUS)) or {}
        except OSError:
            return {}

    def set_status(self, status: dict[str, Any]) -> None:
        """Write for the callback how delivery stands. Raises OSError."""
        self._replace(STATUS, json.dumps(status))

    def destination(self) -> str | None:
        """Return the destination that the default chain has decided, None before that.

        A file that cannot be read gives a destination that no credentials have.
        """
        try:
            return self._read(DESTINATION) or "unreadable"
        except FileNotFoundError:
            return None
        except OSError:
            return "unreadable"

    def set_destination(self, destination: str) -> None:
        """Remember whose events these are once that is certain. Raises OSError."""
        replace_file(self.path / DESTINATION, destination, durable=True)

    def waited(self) -> tuple[WaitingTime, float] | None:
        """Return for how long the journal has waited, and when that was noted (epoch seconds)."""
        try:
            text = self._read(WAITED)
            noted_at = os.lstat(self.path / WAITED).st_mtime
        except OSError:
            return None
        from .waiting_time import WaitingTime

        found = WaitingTime.read(text)
        return None if found is None else (found, noted_at)

    def set_waited(self, waited: WaitingTime) -> None:
        """Remember for how long the journal has waited. Raises OSError."""
        self._replace(WAITED, waited.dump())

    def beat(self, host: str | None = None) -> None:
        """Touch the heartbeat; with ``host``, write which host's it is. Raises OSError."""
        if host is not None:
            self._replace(HEARTBEAT, host)
            return
        try:
            descriptor = open_file(self.path / HEARTBEAT, os.O_RDONLY)
        except (UnusableFile, FileNotFoundError):  # a queue has none until it is adopted
            os.utime(self.path)
            return
        try:
            os.utime(descriptor)
        finally:
            os.close(descriptor)

    def heartbeat(self) -> tuple[str, float]:
        """Return the host of the last heartbeat and its time (epoch seconds).

        Without a usable heartbeat they are "" and the time of the folder. Raises OSError.
        """
        try:
            return self._read(HEARTBEAT), os.lstat(self.path / HEARTBEAT).st_mtime
        except OSError:
            return "", os.lstat(self.path).st_mtime

    def lock(self) -> int | None:
        """Take the lock and return its file descriptor, None if another process holds it.

        The lock ends when the last process that has the descriptor closes it or dies. An earlier
        request for the folder is void then. Raises DamagedFolder, and OSError if the file system
        has no such locks.
        """
        with damage_reported(self):
            descriptor = open_file(self.path / LOCK, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        if not self.is_locked_by(descriptor):  # the last holder has removed the folder
            os.close(descriptor)
            return None
        return descriptor

    def is_locked_by(self, lock: int) -> bool:
        """Return whether ``lock`` is the lock of the folder that has this path now.

        The folder may have been removed, and a new run with the same id may use its path.
        """
        try:
            held, here = os.fstat(lock), os.lstat(self.path / LOCK)
        except OSError:
            return False
        return held.st_nlink > 0 and os.path.samestat(held, here)

    def request_handover(self, withdraw: bool = False) -> None:
        """Request the folder from the process that holds the lock, or no longer. Raises OSError."""
        descriptor = open_file(self.path / LOCK, os.O_WRONLY)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.ftruncate(descriptor, 0)
            file.write("" if withdraw else "asked\n")

    def remove(self, lock: int | None = None) -> None:
        """Remove the folder, because everything in it is done with.

        With ``lock``, only the folder that it locks is removed. The folder is renamed first: a
        process that looks for folders would make a lock in it, and it would stay. After that the
        path may belong to a new run with the same id, and is not touched again.
        """
        if lock is not None and not self.is_locked_by(lock):
            return
        target = self.path.with_name(hidden_name("gone." + self.name))
        try:
            os.rename(self.path, target)
        except FileNotFoundError:
            return
        except OSError:
            target = self.path  # it stays ours until it is empty
            with suppress(OSError):  # a folder that is half removed has nothing to deliver twice
                os.unlink(target / JOURNAL)
        shutil.rmtree(target, ignore_errors=True)

    def _read(self, name: str) -> str:
        return read_small(self.path / name)

    def _replace(self, name: str, text: str) -> None:
        replace_file(self.path / name, text)


class Outbox:
    """The folder that holds the events of all deployments of one user."""

    def __init__(self, root: str | Path, history_keep: float = DEFAULT_KEEP_DAYS) -> None:
        """``history_keep``: days for which the history is kept; 0 turns it off."""
        self.root = Path(root)
        self.runs = self.root / "runs"
        self.dead = self.root / "dead"
        self.damaged = self.root / "damaged"
        self.dead_letters = DeadLetters(self.dead, self._move_to_damaged)
        self.history = History(self.root / "history", history_keep, self._move_to_damaged)

    @cached_property
    def log(self) -> CourierLog:
        """The log of all couriers of this outbox."""
        from .log import CourierLog

        return CourierLog(self.root)

    def prepare(self) -> None:
        """Make the folders, private to this user. Raises OutboxError."""
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.runs, self.dead, self.damaged):
                private_folder(folder)
        except OSError as exc:
            raise self._unusable(exc) from exc

    def mode(self) -> int:
        """Return the outbox's mode after a check that its folders are ours and no links.

        Changes nothing. Only the outbox itself must exist. Raises OutboxError.
        """
        try:
            found = mode_of_own(self.root)
            for folder in (self.runs, self.dead, self.damaged):
                with suppress(FileNotFoundError):
                    mode_of_own(folder)
        except OSError as exc:
            raise self._unusable(exc) from exc
        return found

    def _unusable(self, why: OSError) -> OutboxError:
        return OutboxError(
            f"{self.root} cannot be used ({why.strerror or why})",
            option="outbox",
            advice="Make it writable, or name another directory as outbox.",
        )

    def create(self, deployment_id: str) -> Folder:
        """Make the folder of a new deployment. Raises OutboxError.

        Its name is the id, in letters that every file system takes. If an earlier deployment
        with the same id still has its folder, a number is added.
        """
        # Bytes of an id that are not UTF-8 come from an environment variable.
        base = folder_base(deployment_id)
        for number in range(1, _NUMBER_LIMIT):
            path = self.runs / (base if number == 1 else f"{base}~{number}")
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as exc:
                raise OutboxError(
                    f"no folder can be made in {self.runs} ({exc.strerror or exc})",
                    option="outbox",
                    advice="Make it writable, or name another directory as outbox.",
                ) from exc
            sync_folder(self.runs)
            return Folder(path)
        raise OutboxError(
            f"{self.runs} has {_NUMBER_LIMIT} folders of one id",
            option="outbox",
            advice="Remove some of them.",
        )

    def stage(self, name: str) -> Folder:
        """Make a folder that other processes do not see until it is published. Raises OSError."""
        path = self.runs / hidden_name("queued." + name)
        path.mkdir(mode=0o700)
        return Folder(path)

    def publish(self, staged: Mapping[str, Folder]) -> None:
        """Give staged folders, whose files are on disk, their names: all of them or none.

        Raises OSError.
        """
        published: list[Folder] = []
        try:
            for name, folder in staged.items():
                target = self.runs / name
                os.rename(folder.path, target)
                published.append(Folder(target))
            sync_folder(self.runs)
        except BaseException:
            for folder in published:
                folder.remove()
            raise

    def folders(self) -> list[Folder]:
        """Return the folders of all deployments that are not done with, the oldest first.

        The age is that of the journal: attempts to deliver change the folder.
        """
        return [Folder(path) for path in by_age(self.runs, JOURNAL) if path.is_dir()]

    def paths_in_parts(self, seconds: float) -> Iterator[list[str] | None]:
        """List the paths of ``folders`` in parts: yield None after every ``seconds``, then all.

        A path may not be a folder. Ten thousand Folders take longer to make than their list.
        """
        found: list[tuple[int, str]] = []
        until = time.monotonic() + seconds
        for one in with_times(self.runs, JOURNAL):
            found.append(one)
            if time.monotonic() >= until:
                yield None
                until = time.monotonic() + seconds
        yield [path for _time, path in sorted(found)]

    def waiting(self, limit: int | None = None) -> int:
        """Return how many deployments have a folder that no courier has touched lately.

        With ``limit``, at most so many are looked at.
        """
        with suppress(OSError):
            present = self.present()
            looked_at = islice(beats(self.runs, HEARTBEAT), limit)
            return sum(1 for beat in looked_at if present - beat > _LATELY_SECONDS)
        return 0

    def set_aside(self, folder: Folder) -> Path:
        """Move a folder that cannot be read to ``damaged``; return where to. Raises OSError."""
        with suppress(OSError):  # a directory can only be moved if it is writable
            folder.path.chmod(0o700)
        target = self._move_to_damaged(folder.path)
        from .log import LogDecision

        self.log.add(folder.name, LogDecision.DAMAGED, f"moved to {target}")
        return target

    def _move_to_damaged(self, path: Path) -> Path:
        name = path.name.lstrip(".")
        for number in range(1, _NUMBER_LIMIT):
            target = self.damaged / (name if number == 1 else f"{name}~{number}")
            if not os.path.lexists(target):
                break
        os.rename(path, target)
        return target

    def newly_damaged(self) -> int:
        """Return how many deployments were set aside since the last call."""
        inodes = {}
        for path in by_age(self.damaged):
            with suppress(OSError):
                inodes[f"{path.name}/{os.lstat(path).st_ino}"] = 0
        return Announcements(self.damaged / ".told").count_new(inodes)

    def newly_dead(self) -> int:
        """Return how many deployments got dead letters since the last call."""
        return self.dead_letters.count_new()

    def present(self) -> float:
        """Return the present time in epoch seconds, as the file system of the outbox has it.

        A heartbeat on a network file system carries the server's time, which may differ from the
        time of this host. Raises OSError.
        """
        path = self.root / hidden_name("probe")
        descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def remove_leftovers(self) -> None:
        """Remove what killed processes have left: folders being removed, files being replaced.

        It lists all folders, so the start of a run does without it. Never raises an exception.
        """
        with suppress(OSError):
            self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        folders = (self.root, self.runs, self.dead, self.damaged, self.root / "history")
        found = [path for folder in folders for path in _leftovers(folder)]
        if not found:
            return
        present = self.present()
        for path in found[:_LEFTOVERS_AT_ONCE]:
            with suppress(OSError):
                # A time in the future is a wrong one.
                if abs(present - os.lstat(path).st_ctime) > _LEFTOVER_SECONDS:
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()


def folder_base(text: str) -> str:
    """Return a text in letters that every file system takes in a name."""
    return quote(text, safe="", errors="replace").replace(".", "%2E")[:_NAME_LIMIT]


def _leftovers(folder: Path) -> list[Path]:
    """Return the names that ``hidden_name`` makes, which are there for a moment only."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name.startswith(".")]
        return [folder / name for name in names if _LEFTOVER.fullmatch(name)]
    return []


def is_handover_requested(lock: int) -> bool:
    """Return whether another process requests the folder whose lock this descriptor holds."""
    return os.fstat(lock).st_size > 0
