# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outbox: events on disk until they are delivered. The one file that does its storage.

Plain files, one folder a deployment, so that a damaged file harms one deployment only, nothing
is open across a fork, nothing needs a database's locks on NFS, and people can read it::

    <outbox>/runs/<id>/journal     JSON lines, append-only; a line counts once it is complete
                       delivered   how many bytes of the journal are done with
                       lock        flock'd by the courier for as long as it lives
                       heartbeat   touched by the courier; its content names the host
                       status      what the courier has to say to the callback
    <outbox>/dead/<id>.jsonl       what was refused or grew too old, with the reason
    <outbox>/damaged/<id>/         what could not be read

Folders are 0700, files 0600; links and foreign owners are refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..module_utils._errors import CloudMonitorError

# Says "there is something new in the folder". Its default is to be ignored, so that it may come
# before the courier listens.
WAKE_SIGNAL = signal.SIGURG

# A courier touches its folder more often.
_LATELY_SECONDS = 60.0
_NAME_LIMIT = 100
_NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC
JOURNAL, DELIVERED, LOCK, HEARTBEAT, STATUS = "journal", "delivered", "lock", "heartbeat", "status"


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

    def append(self, record: dict[str, Any]) -> None:
        """Add a record to the journal; it is on disk when this returns. Raises OSError."""
        _add_line(self.path / JOURNAL, record)

    def entries(self, after: int = 0) -> list[Entry]:
        """Return the complete lines of the journal from byte ``after`` on. Raises OSError."""
        descriptor = os.open(self.path / JOURNAL, os.O_RDONLY | _NO_FOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            file.seek(after)
            data = file.read()
        found, end = [], after
        for line in data.split(b"\n")[:-1]:
            end += len(line) + 1
            text = line.decode("utf-8", "replace")
            if text.strip():
                found.append(Entry(end, text, _record(text)))
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

        The lock ends when the last process that has the descriptor closes it or dies.
        Raises OSError when the file system knows no such locks.
        """
        flags = os.O_RDWR | os.O_CREAT | _NO_FOLLOW
        descriptor = os.open(self.path / LOCK, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
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

    def remove(self) -> None:
        """Remove the folder, for everything in it is done with. The journal goes first."""
        for name in (JOURNAL, DELIVERED, STATUS, HEARTBEAT, LOCK):
            with suppress(FileNotFoundError):
                os.unlink(self.path / name)
        shutil.rmtree(self.path, ignore_errors=True)

    def _read(self, name: str) -> str:
        descriptor = os.open(self.path / name, os.O_RDONLY | _NO_FOLLOW)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read(65_536)

    def _replace(self, name: str, text: str) -> None:
        """Write a small file so that a reader sees the old text or the new one, never half."""
        beside = self.path / (".%s.%d" % (name, os.getpid()))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_FOLLOW
        descriptor = os.open(beside, flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(beside, self.path / name)


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
                _private_folder(folder)
        except OSError as exc:
            raise OutboxError(
                "outbox: %s cannot be used (%s). Make it writable, or name another directory as "
                "outbox or CLOUDMONITOR_OUTBOX." % (self.root, exc.strerror or exc)
            ) from exc

    def create(self, deployment_id: str) -> Folder:
        """Make the folder of a new deployment. Raises OutboxError.

        Its name is the id, in letters that every file system takes; when an earlier
        deployment of the same id still has its folder, a number is added.
        """
        base = quote(deployment_id, safe="")[:_NAME_LIMIT].replace(".", "%2E")
        for number in range(1, 10_000):
            path = self.runs / (base if number == 1 else "%s~%d" % (base, number))
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            except OSError as exc:
                raise OutboxError(
                    "outbox: no folder can be made in %s (%s). Make it writable, or name another "
                    "directory as outbox." % (self.runs, exc.strerror or exc)
                ) from exc
            _sync_folder(self.runs)
            return Folder(path)
        raise OutboxError("outbox: %s holds 10,000 folders of one id; empty it." % self.runs)

    def folders(self) -> list[Folder]:
        """Return the folders of all deployments that are not done with, the oldest first."""
        return [Folder(path) for path in _by_age(self.runs) if path.is_dir()]

    def waiting(self) -> int:
        """Return how many deployments have a folder that no courier has touched lately."""
        with suppress(OSError), self.probe() as present:
            beats = [folder.heartbeat()[1] for folder in self.folders()]
            return sum(1 for beat in beats if present - beat > _LATELY_SECONDS)
        return 0

    def bury(self, name: str, letter: dict[str, Any]) -> None:
        """Keep an event that will not be sent again, with its reason. Raises OSError."""
        with self._dead_lock():
            _add_line(self.dead / (name + ".jsonl"), letter)

    def exhume(self, path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Leave those dead letters of one file that ``keep`` wants; the rest is gone.

        A line that cannot be read stays. Raises OSError.
        """
        with self._dead_lock():
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            left = [line for line in lines if (found := _record(line)) is None or keep(found)]
            if not left:
                path.unlink()
                return
            beside = path.with_name(".%s.%d" % (path.name, os.getpid()))
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_FOLLOW, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in left))
            os.replace(beside, path)

    @contextmanager
    def _dead_lock(self) -> Iterator[None]:
        """Keep others from writing dead letters while they are rewritten."""
        descriptor = os.open(self.dead / ".lock", os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
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
        for path in _by_age(self.dead):
            if path.suffix != ".jsonl":
                continue
            with suppress(OSError):
                descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW)
                with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
                    records = [_record(line) for line in file]
                yield path, [record for record in records if record is not None]

    def set_aside(self, folder: Folder) -> Path:
        """Move a folder that cannot be read out of the way; return where to. Raises OSError."""
        for number in range(1, 10_000):
            target = self.damaged / (
                folder.name if number == 1 else "%s~%d" % (folder.name, number)
            )
            if not target.exists():
                break
        os.rename(folder.path, target)
        return target

    @contextmanager
    def probe(self) -> Iterator[float]:
        """Yield the present time as the file system of the outbox has it (epoch seconds).

        A heartbeat on a network file system carries the server's time, which need not be ours.
        """
        path = self.root / (".probe.%d" % os.getpid())
        try:
            path.touch(mode=0o600)
            yield path.stat().st_mtime
        finally:
            path.unlink(missing_ok=True)


def _record(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _add_line(path: Path, record: dict[str, Any]) -> None:
    """Append a JSON line to a file; it is on disk when this returns. Raises OSError."""
    line = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _NO_FOLLOW, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a line was torn by a crash; it stays a line of its own
        _write_all(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private_folder(path: Path) -> None:
    """Make ``path``, or see that it is ours, no link, and closed to others. Raises OSError."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise OSError(0, "it is a link or a file, not a directory")
    if found.st_uid != os.geteuid():
        raise OSError(0, "it belongs to another user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise OSError(0, "it is not writable")


def _by_age(folder: Path) -> list[Path]:
    aged = []
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if not entry.name.startswith(".") and not entry.is_symlink():
                    aged.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    return [Path(path) for _time, path in sorted(aged)]


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:  # some file systems do not sync folders
        pass
    finally:
        os.close(descriptor)
