# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox: events on disk until they are delivered. The one file that does its storage.

Plain files, one folder a deployment, so that a damaged file harms one deployment only, nothing
is open across a fork, nothing needs a database's locks on NFS, and people can read it::

    <outbox>/runs/<id>/journal     JSON lines, append-only; a line counts once it is complete
                       delivered   how many bytes of the journal are done with
                       lock        flock'd by the courier for as long as it lives; it holds a
                                   word when somebody asks for the folder
                       heartbeat   touched by the courier; its content names the host
                       status      what the courier has to say to the callback
                       destination whose events these are, once the default chain has
                                   found credentials; without one, the journal names it
                       reserve     room for the finish, given up when the disk is full
    <outbox>/dead/<id>.jsonl       what was refused or grew too old, with the reason
    <outbox>/damaged/<id>/         what could not be read

Folders are 0700, files 0600; links and foreign owners are refused.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...module_utils._api.errors import CloudMonitorError
from .files import (
    NO_FOLLOW,
    add_line,
    beats,
    by_age,
    mode_of_own,
    private_folder,
    read_small,
    record_of,
    replace_file,
    sync_folder,
)

# Says "there is something new in the folder". Its default is to be ignored, so that it may come
# before the courier listens.
WAKE_SIGNAL = signal.SIGURG

# A courier touches its folder more often.
_LATELY_SECONDS = 60.0
_NAME_LIMIT = 100
JOURNAL, DELIVERED, LOCK, HEARTBEAT, STATUS = "journal", "delivered", "lock", "heartbeat", "status"
RESERVE, DESTINATION = "reserve", "destination"
# A finish and its failure event have at most some 9,000 bytes; JSON escapes make them longer.
_RESERVE_BYTES = 65_536


class OutboxError(CloudMonitorError):
    """The outbox cannot be used; the text says why and what to do."""

    kind = "outbox"


@dataclass(frozen=True)
class Entry:
    """One line of a journal: what it says, and where it ends (bytes from the start of the file).

    ``record`` is None when the line cannot be read; ``text`` is the line itself.
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

    def append(self, *records: dict[str, Any]) -> None:
        """Add records to the journal, all at once; they are on disk when this returns.

        When there is no room, the reserve gives its own. Raises OSError.
        """
        try:
            add_line(self.path / JOURNAL, *records)
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._give_reserve():
                raise
            add_line(self.path / JOURNAL, *records)

    def reserve(self) -> None:
        """Take up room for the finish: a deployment may fill the disk. Raises OSError."""
        self._replace(RESERVE, "\0" * _RESERVE_BYTES)

    def _give_reserve(self) -> bool:
        """Give up the room that was kept; return whether there was any."""
        try:
            os.unlink(self.path / RESERVE)
        except OSError:
            return False
        return True

    def entries(self, after: int = 0) -> list[Entry]:
        """Return the complete lines of the journal from byte ``after`` on. Raises OSError."""
        descriptor = os.open(self.path / JOURNAL, os.O_RDONLY | NO_FOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            file.seek(after)
            data = file.read()
        found, end = [], after
        for line in data.split(b"\n")[:-1]:
            end += len(line) + 1
            text = line.decode("utf-8", "replace")
            if text.strip():
                found.append(Entry(end, text, record_of(text)))
        return found

    def size(self) -> int:
        """Return the size of the journal in bytes, 0 when there is none."""
        try:
            return (self.path / JOURNAL).stat().st_size
        except OSError:
            return 0

    def exists(self) -> bool:
        """Return whether the folder is still there; it goes when everything is delivered."""
        return self.path.is_dir()

    def delivered(self) -> int:
        """Return up to which byte the journal is done with."""
        try:
            return max(0, int(self._read(DELIVERED)))
        except (OSError, ValueError):
            return 0  # nothing is lost; at worst something is sent twice

    def set_delivered(self, position: int) -> None:
        """Remember that everything before ``position`` is done with. Raises OSError."""
        self._replace(DELIVERED, str(position))

    def status(self) -> dict[str, Any]:
        """Return what the courier last said, an empty mapping when it has said nothing."""
        try:
            found = json.loads(self._read(STATUS))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def set_status(self, status: dict[str, Any]) -> None:
        """Tell the callback how delivery stands. Raises OSError."""
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

    def beat(self, host: str | None = None) -> None:
        """Touch the heartbeat; with ``host``, write whose it is. Raises OSError."""
        if host is not None:
            self._replace(HEARTBEAT, host)
        else:
            os.utime(self.path / HEARTBEAT)

    def heartbeat(self) -> tuple[str, float]:
        """Return the host of the last heartbeat and its time (epoch seconds); ("", 0) for none."""
        try:
            return self._read(HEARTBEAT), (self.path / HEARTBEAT).stat().st_mtime
        except OSError:
            return "", 0.0

    def lock(self) -> int | None:
        """Take the lock and return its file descriptor, None when somebody holds it.

        The lock ends when the last process that has the descriptor closes it or dies. Nobody
        has asked for the folder then (see ask). Raises OSError when the file system knows no
        such locks.
        """
        flags = os.O_RDWR | os.O_CREAT | NO_FOLLOW
        descriptor = os.open(self.path / LOCK, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        if os.fstat(descriptor).st_nlink == 0:  # the last holder has removed the folder
            os.close(descriptor)
            return None
        return descriptor

    def ask(self, withdraw: bool = False) -> None:
        """Ask whoever holds the lock to hand the folder over, or no longer. Raises OSError."""
        descriptor = os.open(self.path / LOCK, os.O_WRONLY | os.O_TRUNC | NO_FOLLOW)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("" if withdraw else "asked\n")

    def remove(self) -> None:
        """Remove the folder, for everything in it is done with. The journal goes first."""
        for name in (JOURNAL, DELIVERED, STATUS, HEARTBEAT, LOCK):
            with suppress(OSError):
                os.unlink(self.path / name)
        # Out of sight first: who looks for folders would make a lock in it, and it would stay.
        beside = self.path.with_name(f".gone.{self.name}.{os.getpid()}")
        with suppress(OSError):
            os.rename(self.path, beside)
        for path in (beside, self.path):
            shutil.rmtree(path, ignore_errors=True)

    def _read(self, name: str) -> str:
        return read_small(self.path / name)

    def _replace(self, name: str, text: str) -> None:
        replace_file(self.path / name, text)


class Outbox:
    """The folder that holds the events of all deployments of one user."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        self.runs = self.root / "runs"
        self.dead = self.root / "dead"
        self.damaged = self.root / "damaged"

    def prepare(self) -> None:
        """Make the folders, private to this user. Raises OutboxError."""
        try:
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.root, self.runs, self.dead, self.damaged):
                private_folder(folder)
        except OSError as exc:
            raise self._unusable(exc) from exc

    def mode(self) -> int:
        """Return the outbox's mode once its folders are seen to be ours and no links.

        Changes nothing, and needs only the outbox itself to be there. Raises OutboxError.
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
            f"outbox: {self.root} cannot be used ({why.strerror or why}). Make it writable, or "
            "name another directory as "
            "outbox or CLOUDMONITOR_OUTBOX."
        )

    def create(self, deployment_id: str) -> Folder:
        """Make the folder of a new deployment. Raises OutboxError.

        Its name is the id, in letters that every file system takes; when an earlier
        deployment of the same id still has its folder, a number is added.
        """
        # Bytes of an id that are no UTF-8 come from an environment variable.
        base = quote(deployment_id, safe="", errors="replace").replace(".", "%2E")[:_NAME_LIMIT]
        for number in range(1, 10_000):
            path = self.runs / (base if number == 1 else f"{base}~{number}")
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as exc:
                raise OutboxError(
                    f"outbox: no folder can be made in {self.runs} ({exc.strerror or exc}). Make "
                    "it writable, or name another "
                    "directory as outbox."
                ) from exc
            sync_folder(self.runs)
            return Folder(path)
        raise OutboxError(f"outbox: {self.runs} holds 10,000 folders of one id; empty it.")

    def folders(self) -> list[Folder]:
        """Return the folders of all deployments that are not done with, the oldest first."""
        return [Folder(path) for path in by_age(self.runs) if path.is_dir()]

    def waiting(self) -> int:
        """Return how many deployments have a folder that no courier has touched lately."""
        with suppress(OSError), self.probe() as present:
            return sum(
                1 for beat in beats(self.runs, HEARTBEAT) if present - beat > _LATELY_SECONDS
            )
        return 0

    def bury(self, name: str, letter: dict[str, Any]) -> None:
        """Keep an event that will not be sent again, with its reason. Raises OSError."""
        with self._dead_lock():
            add_line(self.dead / (name + ".jsonl"), letter)

    def exhume(self, path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Leave those dead letters of one file that ``keep`` wants; the rest is gone.

        A line that cannot be read stays. Raises OSError.
        """
        with self._dead_lock():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            left = [line for line in lines if (found := record_of(line)) is None or keep(found)]
            if not left:
                path.unlink()
                return
            replace_file(path, "".join(line + "\n" for line in left), durable=True)

    @contextmanager
    def _dead_lock(self) -> Iterator[None]:
        """Keep others from writing dead letters while they are rewritten."""
        descriptor = os.open(self.dead / ".lock", os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def letters_size(self, name: str) -> int:
        """Return the size in bytes of a deployment's dead letters, 0 for none."""
        try:
            return (self.dead / (name + ".jsonl")).stat().st_size
        except OSError:
            return 0

    def letters(self) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
        """Yield each file of dead letters with those of its lines that can be read."""
        for path in by_age(self.dead):
            if path.suffix != ".jsonl":
                continue
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW)
                with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
                    records = [record_of(line) for line in file]
                yield path, [record for record in records if record is not None]

    def set_aside(self, folder: Folder) -> Path:
        """Move a folder that cannot be read out of the way; return where to. Raises OSError."""
        for number in range(1, 10_000):
            target = self.damaged / (folder.name if number == 1 else f"{folder.name}~{number}")
            if not target.exists():
                break
        os.rename(folder.path, target)
        return target

    def newly_damaged(self) -> int:
        """Return how many deployments were set aside since somebody last asked."""
        return _news(self.damaged)

    def newly_dead(self) -> int:
        """Return how many deployments got dead letters since somebody last asked."""
        return _news(self.dead)

    @contextmanager
    def probe(self) -> Iterator[float]:
        """Yield the present time as the file system of the outbox has it (epoch seconds).

        A heartbeat on a network file system carries the server's time, which need not be ours.
        """
        path = self.root / f".probe.{os.getpid()}"
        try:
            path.touch(mode=0o600)
            yield path.stat().st_mtime
        finally:
            path.unlink(missing_ok=True)


def is_asked_for(lock: int) -> bool:
    """Return whether somebody asks for the folder whose lock this file descriptor holds."""
    return os.fstat(lock).st_size > 0


def _news(folder: Path) -> int:
    """Return how many entries of a folder are newer than the last call, and remember this one."""
    told = folder / ".told"
    with suppress(OSError):
        before = told.stat().st_mtime if told.exists() else 0.0
        found = sum(1 for path in by_age(folder) if path.stat().st_ctime > before)
        if found:
            told.touch(mode=0o600)
        return found
    return 0
