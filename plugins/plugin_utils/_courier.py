# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier: the process beside a run that delivers its events and notices its end.

It holds the lock of the run's folder in the outbox, sends what the callback writes there, and
tells the callback how it stands. When Ansible is gone without a finish it writes the finish
itself. It also takes on what earlier runs left behind. Nothing here imports Ansible.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from ..module_utils._client import backoff
from ..module_utils._connection import Connection
from ..module_utils._credentials import Credentials
from ..module_utils._errors import DeliveryError
from ._adoption import adopt
from ._delivery import Delivery
from ._outbox import WAKE_SIGNAL, Folder, Outbox
from ._sender import Sender

BEAT_SECONDS = 20.0
# How often to look whether Ansible is still there.
WATCH_SECONDS = 0.5
LAST_TRY_SECONDS = 2.0
# A service that asks for more, or a run that takes days, is asked again at least so often.
LONGEST_WAIT = 600.0


@dataclass(frozen=True)
class Settings:
    """What the callback tells the courier, over standard input. Times are in seconds."""

    parent: int
    outbox: str
    folder: str
    lock: int
    connection: Connection
    credentials: Credentials | None
    destination: str
    ttl: float
    linger: float

    @staticmethod
    def read(text: str) -> Settings:
        """Return the settings of a JSON text. Raises ValueError, KeyError or TypeError."""
        raw: Mapping[str, Any] = json.loads(text)
        key = raw["credentials"]
        return Settings(
            parent=raw["parent"],
            outbox=raw["outbox"],
            folder=raw["folder"],
            lock=raw["lock"],
            connection=Connection(**{**raw["connection"], "retries": 0}),
            credentials=Credentials(**key) if key else None,
            destination=raw["destination"],
            ttl=raw["ttl"],
            linger=raw["linger"],
        )


class Terminated(Exception):
    """SIGTERM came while a request was under way."""


class Courier:
    """Delivers one run's folder while the run lives, and for ``linger`` seconds after."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._outbox = Outbox(settings.outbox)
        self._sender = Sender(settings.connection, settings.credentials)
        own = Folder(self._outbox.runs / settings.folder)
        self._own = self._delivery(own)
        self._hands = [self._own]
        self._locks = {own.name: settings.lock}
        self._looked = False
        self._retries = 0
        self._next_try = 0.0
        self._next_beat = 0.0
        self._leave_at: float | None = None
        self._sending = False
        self._terminated = False
        self._wake, self._woken = os.pipe()

    def run(self) -> None:
        """Work until everything is delivered or the time after the run is over."""
        self._listen()
        try:
            while self._hands and not self._terminated and not self._late():
                self._beat()
                self._watch()
                self._deliver()
                self._take_over()
                self._rest()
            if self._terminated:
                self._last_try()
        except Terminated:
            self._last_try()

    def _delivery(self, folder: Folder) -> Delivery:
        return Delivery(self._outbox, folder, self._settings.ttl, time.time)

    # Watching the run

    def _watch(self) -> None:
        """Notice that Ansible has ended, and see that the run has a finish then."""
        if self._leave_at is not None or os.getppid() == self._settings.parent:
            return
        self._leave_at = time.monotonic() + self._settings.linger
        # Whatever happens from here on, this process does not stay for good.
        signal.setitimer(
            signal.ITIMER_REAL, self._settings.linger + self._settings.connection.timeout + 10
        )
        self._own.refresh()
        self._own.end("killed", time.time())
        self._next_try = 0.0

    def _late(self) -> bool:
        return self._leave_at is not None and time.monotonic() >= self._leave_at

    def _beat(self) -> None:
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + BEAT_SECONDS
            for delivery in self._hands:
                with contextlib.suppress(OSError):
                    delivery.folder.beat()

    # Delivering

    def _deliver(self) -> None:
        """Send what waits in each folder, until trouble says to try later."""
        for delivery in list(self._hands):
            delivery.refresh()
            while delivery.pending and time.monotonic() >= self._next_try and not self._late():
                self._beat()
                self._watch()
                self._outcome(delivery, self._send(delivery))
                if self._terminated:
                    return
            if delivery.done:
                self._release(delivery)

    def _send(self, delivery: Delivery) -> DeliveryError | None:
        self._sending = True
        try:
            return delivery.step(self._sender.send)
        finally:
            self._sending = False

    def _outcome(self, delivery: Delivery, error: DeliveryError | None) -> None:
        """Remember how it went and tell the callback."""
        if error is not None and error.keep:
            jitter = random.random()  # noqa: S311  # spreads couriers, hides nothing
            self._next_try = time.monotonic() + min(
                backoff(self._retries, jitter, error.after), LONGEST_WAIT
            )
            self._retries += 1
        else:
            self._retries = 0
        state = "fine" if error is None else "trouble" if error.keep else "refused"
        if delivery is self._own and not delivery.done:
            with contextlib.suppress(OSError):
                delivery.folder.set_status({"state": state, "text": str(error or "")})

    def _release(self, delivery: Delivery) -> None:
        """Part with a folder that is done with."""
        self._hands.remove(delivery)
        delivery.folder.remove()
        os.close(self._locks.pop(delivery.folder.name))

    def _take_over(self) -> None:
        """Adopt what earlier runs left, once, when the service is known to answer."""
        if self._looked or self._retries or (self._own in self._hands and self._own.pending):
            return
        self._looked = True
        for folder in self._outbox.folders():
            if folder.name in self._locks:
                continue
            with contextlib.suppress(OSError):
                found = adopt(self._outbox, folder, self._settings.destination, self._settings.ttl)
                if found is not None:
                    delivery, self._locks[folder.name] = found
                    self._hands.append(delivery)

    # Waiting and leaving

    def _listen(self) -> None:
        """Let signals end a wait: the callback has written something, or it is time to go."""
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(WAKE_SIGNAL, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self._on_term)

    def _on_term(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True
        if self._sending:
            self._sending = False
            raise Terminated

    def _rest(self) -> None:
        """Wait until there may be something to do."""
        if self._terminated or not self._hands:
            return
        wait = WATCH_SECONDS
        if any(delivery.pending for delivery in self._hands):
            wait = min(wait, max(0.0, self._next_try - time.monotonic()))
        ready, _writable, _errors = select.select([self._wake], [], [], wait)
        if ready:
            os.read(self._wake, 4096)

    def _last_try(self) -> None:
        """Send what waits once more, within two seconds: whoever sent SIGTERM will not wait."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._watch()
        brief = replace(
            self._settings.connection,
            timeout=min(LAST_TRY_SECONDS, self._settings.connection.timeout),
        )
        sender = Sender(brief, self._settings.credentials)
        until = time.monotonic() + LAST_TRY_SECONDS
        for delivery in self._hands:
            delivery.refresh()
            while delivery.pending and time.monotonic() < until:
                if delivery.step(sender.send) is not None:
                    return
            if delivery.done:
                delivery.folder.remove()


def main() -> None:
    """Run a courier with the settings on standard input."""
    settings = Settings.read(sys.stdin.read())
    # The callback has it in its hand no longer; keep nothing of it open but the lock.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.chdir("/")
    try:
        Courier(settings).run()
    except Exception as exc:  # there is nobody to raise it to
        folder = Folder(Outbox(settings.outbox).runs / settings.folder)
        with contextlib.suppress(OSError):
            folder.set_status({"state": "trouble", "text": "delivery failed: %r" % exc})
