# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The callback's hand on its outbox: writes events down and starts the courier. No network."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials
from .liveness import host_identity, process_mark
from .records import Naming, RunRecord
from .storage import WAKE_SIGNAL, Folder, Outbox, OutboxError

# What the courier may know of the run's environment. The AccessKey is not among it: it comes
# over standard input. These are where proxies, Python's packages and the default chain of
# alibabacloud-credentials look.
_ALLOWED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME",
    "PYTHONUSERBASE", "LD_LIBRARY_PATH", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "ALIBABA_CLOUD_PROFILE",
    "ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_CONFIG_FILE", "ALIBABA_CLOUD_ECS_METADATA",
    "ALIBABA_CLOUD_ECS_METADATA_DISABLED", "ALIBABA_CLOUD_IMDSV1_DISABLED",
    "ALIBABA_CLOUD_ROLE_ARN", "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
    "ALIBABA_CLOUD_ROLE_SESSION_NAME", "ALIBABA_CLOUD_STS_REGION",
    "ALIBABA_CLOUD_CREDENTIALS_URI", "ALIBABA_CLOUD_CLI_PROFILE_DISABLED",
    "ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED",
)  # fmt: skip

_LOCK_SECONDS = 1.0
_LOOK_SECONDS = 0.01
# How long to wait for the refusal of the last events when earlier ones were refused.
_REFUSAL_SECONDS = 0.3


@dataclass(frozen=True)
class Terms:
    """How to deliver: where to, as whom, and for how long to try. Times are in seconds.

    ``credentials`` is None when the courier is to find them with the default chain.
    """

    connection: Connection
    credentials: Credentials | None
    destination: str
    ttl: float
    linger: float


class Post:
    """One deployment's folder in the outbox, and the courier that delivers it."""

    def __init__(self, outbox: Outbox, terms: Terms) -> None:
        self._outbox = outbox
        self._terms = terms
        self._folder: Folder | None = None
        self._courier: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._letters = 0

    def open(self, run_id: str, run: RunRecord, start: Mapping[str, Any]) -> None:
        """Make the folder of a run and write down its start. Raises OutboxError.

        Both in one go: a run that is killed in between would have a finish and no start.
        """
        folder = self._outbox.create(run_id)
        self._folder = folder
        self._letters = self._outbox.letters_size(folder.name)
        try:
            self._lock = _lock(folder)
            folder.beat(host_identity())
            folder.reserve()
            folder.append(run.dump(), dict(start))
        except OSError as exc:
            self.discard()
            raise OutboxError(
                f"outbox: {folder.path} cannot be written ({exc.strerror or exc}). Name another "
                "directory as outbox."
            ) from exc

    def write(self, record: Mapping[str, Any]) -> None:
        """Write a record down, durably, and wake the courier. Raises OutboxError."""
        folder = self._opened
        try:
            folder.append(dict(record))
        except OSError as exc:
            raise OutboxError(
                f"outbox: {folder.path} cannot be written ({exc.strerror or exc}); the event is "
                "lost."
            ) from exc
        self._wake()

    def discard(self) -> None:
        """Remove the folder of a run that is not reported: nobody is to find it unfinished."""
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.remove()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def start_courier(self) -> None:
        """Start the process that delivers; it takes over the lock. Raises OSError."""
        folder, lock = self._opened, self._lock
        if lock is None:
            raise RuntimeError("the courier has been started before")
        settings = {
            "parent": os.getpid(),
            "outbox": str(self._outbox.root.absolute()),
            "folder": folder.name,
            "lock": lock,
            "connection": asdict(self._terms.connection),
            "credentials": asdict(self._terms.credentials) if self._terms.credentials else None,
            "destination": self._terms.destination,
            "ttl": self._terms.ttl,
            "linger": self._terms.linger,
        }
        script = Path(__file__).with_name("courier_process.py")
        # It can react to SIGTERM once it has started; until then the signal waits.
        with _held_back(signal.SIGTERM):
            self._courier = subprocess.Popen(
                [sys.executable, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                close_fds=True,
                pass_fds=(lock,),
                start_new_session=True,
                cwd="/",
                env=_environment(),
            )
        stdin = self._courier.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):  # it has died already: the outbox keeps everything
                stdin.write(json.dumps(settings).encode("utf-8"))
                stdin.close()
        # From here on the courier alone has the lock; workers forked later must not inherit it.
        os.close(lock)
        self._lock = None

    def wait(self, seconds: float) -> str:
        """Wait until everything is delivered, but not when the service is known to be in trouble.

        Returns what is wrong and where the events are, "" when all arrived.
        """
        if self._folder is None:
            return ""
        now = time.monotonic()
        end = now + seconds
        # The finish will fare as the start did, and is told of with it.
        refused_by = now + min(seconds, _REFUSAL_SECONDS)
        while True:
            # Asked first: a courier that has delivered everything removes the folder, then ends.
            alone = self._courier is None or self._courier.poll() is not None
            if not self._folder.exists():
                return self._refusal()
            status = self._folder.status()
            if status.get("state") == "refused" and time.monotonic() >= refused_by:
                return self._buried(status.get("text"))
            if status.get("state") == "trouble":
                return self._waiting(str(status.get("text") or "delivery failed"))
            if alone:
                return self._waiting("nothing delivers them now")
            if time.monotonic() >= end:
                return self._waiting(f"no answer from Cloud Monitor within {seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    @property
    def _opened(self) -> Folder:
        if self._folder is None:
            raise RuntimeError("open() comes first")
        return self._folder

    def abandon(self) -> None:
        """Leave the courier to itself without a word from Python about a process left behind."""
        if self._courier is not None and self._courier.returncode is None:
            self._courier.returncode = 0

    def _refusal(self) -> str:
        """Return why the service refused events of this run, "" when it did not."""
        name = self._opened.name
        if self._outbox.letters_size(name) <= self._letters:
            return ""
        for path, letters in self._outbox.letters():
            if path.stem == name and letters:
                return self._buried(letters[-1].get("reason"))
        return ""

    def _waiting(self, why: str) -> str:
        return (
            "not all events of this run are delivered yet; they wait in the outbox "
            f"{self._outbox.root} for a "
            f"later run or aliops.cloudmonitor.flush_outbox. {why}"
        )

    def _buried(self, why: object) -> str:
        self._outbox.newly_dead()  # said here, so that the next run need not
        return (
            f"events of this run were refused and are kept as dead letters in {self._outbox.dead}. "
            f"{why}"
        )

    def _wake(self) -> None:
        if self._courier is not None and self._courier.poll() is None:
            with contextlib.suppress(OSError):
                os.kill(self._courier.pid, WAKE_SIGNAL)


def run_record(deployment: Any, naming: Naming, destination: str) -> RunRecord:
    """Return the record of a run of this process."""
    return RunRecord(
        deployment=deployment,
        naming=naming,
        destination=destination,
        host=host_identity(),
        pid=os.getpid(),
        mark=process_mark(os.getpid()),
    )


def _environment() -> dict[str, str]:
    """Return what the courier may know of the environment, for use in another directory."""
    env = {name: os.environ[name] for name in _ALLOWED if name in os.environ}
    # An empty entry would be the courier's own directory. It is seldom meant.
    folders = filter(None, env.pop("PYTHONPATH", "").split(os.pathsep))
    absolute = os.pathsep.join(map(os.path.abspath, folders))
    return {**env, "PYTHONPATH": absolute} if absolute else env


@contextlib.contextmanager
def _held_back(number: signal.Signals) -> Iterator[None]:
    """Block a signal in this thread. A process started meanwhile has it blocked, too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _lock(folder: Folder) -> int:
    """Take the lock of a folder that was just made. Raises OSError.

    Another run's courier that looks for orphans may hold it for a moment.
    """
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        lock = folder.lock()
        if lock is not None:
            return lock
        if time.monotonic() >= end:
            raise OSError(0, "its lock is held by another process")
        time.sleep(_LOOK_SECONDS)
