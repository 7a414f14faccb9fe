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
import os
import random
import select
import signal
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType

from ...module_utils._api.client import backoff
from ...module_utils._api.errors import CloudMonitorError, DeliveryError
from ...module_utils._api.event import Event
from .delivery import Delivery
from .launch import CourierSettings, report_to_probe
from .orphans import adopt
from .self_test import test_courier
from .sender import Sender
from .storage import WAKE_SIGNAL, Folder, Outbox, is_asked_for

BEAT_SECONDS = 20.0
# How often to look whether Ansible is still there.
WATCH_SECONDS = 0.5
LAST_TRY_SECONDS = 2.0
# A service that asks for more, or a run that takes days, is asked again at least so often.
LONGEST_WAIT = 600.0
# How long to look for folders of earlier runs before the run's own is looked at again.
_LOOK_SECONDS = 0.1
_STEP_SECONDS = 0.05


class Terminated(Exception):
    """SIGTERM came while a request was under way."""


class Courier:
    """Delivers one run's folder while the run lives, and for ``linger`` seconds after."""

    def __init__(self, settings: CourierSettings) -> None:
        self._settings = settings
        self._outbox = Outbox(settings.outbox)
        # The courier times its own attempts.
        connection = replace(settings.connection, retries=0)
        own = Folder(self._outbox.runs / settings.folder)
        self._sender = Sender(
            connection,
            settings.credentials,
            directory=settings.directory,
            destination=settings.destination,
            decide=self._decide_destination,
        )
        self._own = self._delivery(own)
        self._hands = [self._own]
        self._locks = {own.name: settings.lock}
        self._left: deque[Folder] | None = None
        self._answered = False
        self._retries = 0
        self._next_try = 0.0
        self._not_before = 0.0
        self._next_beat = 0.0
        self._leave_at: float | None = None
        self._sending = False
        self._terminated = False
        self._wake, self._woken = os.pipe()

    def run(self) -> None:
        """Work until everything is delivered or the time after the run is over."""
        self._listen()
        try:
            while self._busy and not self._terminated and not self._late():
                self._beat()
                self._watch()
                self._hand_over()
                self._deliver()
                self._take_over()
                self._rest()
            if self._terminated:
                self._last_try()
        except Terminated:
            self._last_try()

    @property
    def _busy(self) -> bool:
        return bool(self._hands or self._left)

    def _delivery(self, folder: Folder) -> Delivery:
        return Delivery(self._outbox, folder, self._settings.ttl, time.time)

    # Watching the run

    def _watch(self) -> None:
        """Notice that Ansible has ended, and see that the run has a finish then."""
        if self._leave_at is not None or os.getppid() == self._settings.parent:
            return
        self._leave_at = time.monotonic() + self._settings.linger
        # Whatever happens from here on, this process does not stay for good.
        _end_after(self._settings.linger + self._settings.connection.timeout + 10)
        if self._own in self._hands:
            self._own.refresh()
            self._own.end("killed", time.time())
        self._next_try = self._not_before

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
            try:
                self._deliver_one(delivery)
            except OSError:
                if delivery is self._own:
                    raise
                self._let_go(delivery)  # it stays where it is, for a later run

    def _deliver_one(self, delivery: Delivery) -> None:
        delivery.refresh()
        while delivery.pending and time.monotonic() >= self._next_try and not self._late():
            self._beat()
            self._watch()
            self._outcome(delivery, delivery.step(self._send))
            if self._terminated or self._has_news(delivery):
                return
        if delivery.done:
            self._release(delivery)

    def _has_news(self, delivery: Delivery) -> bool:
        """Return whether the run has written something while an earlier one is delivered."""
        if delivery is self._own or self._own not in self._hands:
            return False
        self._own.refresh()
        return self._own.pending > 0

    def _send(self, events: Sequence[Event]) -> DeliveryError | None:
        # SIGTERM ends a request, and nothing else: files are written to their end.
        self._sending = True
        try:
            error = self._sender.send(events)
        finally:
            self._sending = False
        self._answered = self._answered or error is None
        return error

    def _outcome(self, delivery: Delivery, error: DeliveryError | None) -> None:
        """Remember how it went and tell the callback."""
        if error is not None and error.keep:
            jitter = random.random()  # noqa: S311  # spreads couriers, hides nothing
            now = time.monotonic()
            self._next_try = now + min(backoff(self._retries, jitter, error.after), LONGEST_WAIT)
            self._not_before = now + min(error.after or 0.0, LONGEST_WAIT)
            self._retries += 1
        else:
            self._retries = 0
        state = "fine" if error is None else "trouble" if error.keep else "refused"
        # Trouble is the service's, whatever folder it shows with; a refusal is the event's.
        told = state != "refused" or delivery is self._own
        if told and self._own in self._hands and not self._own.done:
            with contextlib.suppress(OSError):
                self._own.folder.set_status({"state": state, "text": str(error or "")})

    def _release(self, delivery: Delivery) -> None:
        """Part with a folder that is done with."""
        delivery.folder.remove()
        self._let_go(delivery)

    def _let_go(self, delivery: Delivery) -> None:
        """Give up a folder and its lock."""
        self._hands.remove(delivery)
        os.close(self._locks.pop(delivery.folder.name))

    def _hand_over(self) -> None:
        """Leave folders to a flush that asks for them, all but that of a run that is alive.

        Whoever flushes may be about to end the machine, and has a last try of its own. It goes
        through the whole outbox, so once the run is over nothing more is adopted here.
        """
        for delivery in list(self._hands):
            alive = delivery is self._own and self._leave_at is None
            if not alive and is_asked_for(self._locks[delivery.folder.name]):
                self._let_go(delivery)
                if self._leave_at is not None:
                    self._left = deque()

    def _take_over(self) -> None:
        """Adopt what earlier runs left, one folder at a time, when the service accepts events.

        There may be thousands, and the run's own events must not wait for them.
        """
        account = self._sender.account
        if account is None or not self._answered:
            return
        if self._own.pending or time.monotonic() < self._next_try:
            return
        if any(delivery is not self._own for delivery in self._hands):
            return
        if self._left is None:
            self._left = deque(self._outbox.folders())
        until = time.monotonic() + _LOOK_SECONDS
        while self._left and time.monotonic() < until:
            folder = self._left.popleft()
            if folder.name in self._locks:
                continue
            with contextlib.suppress(OSError):
                found = adopt(self._outbox, folder, account, self._settings.ttl)
                if found is not None:
                    delivery, self._locks[folder.name] = found
                    self._hands.append(delivery)
                    return

    # Waiting and leaving

    def _decide_destination(self, destination: str) -> None:
        """Remember whose events these are, for later runs."""
        with contextlib.suppress(OSError):  # on a full disk, delivery continues
            self._own.folder.set_destination(destination)

    def _listen(self) -> None:
        """Let signals end a wait: the callback has written something, or it is time to go."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # what the run ignores is inherited
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(WAKE_SIGNAL, lambda _number, _frame: None)
        signal.signal(signal.SIGTERM, self._on_term)
        # What the run blocks is inherited, too, and SIGTERM was blocked until here on purpose.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _on_term(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True
        if self._sending:
            self._sending = False
            raise Terminated

    def _rest(self) -> None:
        """Wait until there may be something to do."""
        if self._terminated or not self._busy:
            return
        wait = WATCH_SECONDS
        if self._left or any(delivery.pending for delivery in self._hands):
            wait = min(wait, max(0.0, self._next_try - time.monotonic()))
        ready, _writable, _errors = select.select([self._wake], [], [], wait)
        if ready:
            os.read(self._wake, 4096)

    def _last_try(self) -> None:
        """Send what waits once more, within two seconds: whoever sent SIGTERM will not wait.

        Whoever stops a machine or a job stops Ansible, too, so its end is waited for.
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sender = self._sender.with_timeout(LAST_TRY_SECONDS)
        until = time.monotonic() + LAST_TRY_SECONDS
        while time.monotonic() < until:
            self._watch()
            _end_after(until - time.monotonic() + 0.2)
            for delivery in self._hands:
                delivery.refresh()
                while delivery.pending and time.monotonic() < until:
                    if delivery.step(sender.send) is not None:
                        return
            for delivery in [one for one in self._hands if one.done]:
                self._release(delivery)
            if self._own not in self._hands:
                return
            time.sleep(_STEP_SECONDS)


def _end_after(seconds: float) -> None:
    """Let the kernel end this process then, whatever it is doing."""
    signal.setitimer(signal.ITIMER_REAL, max(0.001, seconds))


def main(text: str) -> None:
    """Run a courier with the settings in ``text``, which were on standard input."""
    settings = CourierSettings.parse(text)
    if settings.self_test:
        report_to_probe(test_courier(settings))
        return
    # The callback has closed its end; keep nothing open but the lock.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    try:
        Courier(settings).run()
    except Exception as exc:  # there is nobody to raise it to
        folder = Folder(Outbox(settings.outbox).runs / settings.folder)
        problem = str(exc) if isinstance(exc, CloudMonitorError) else repr(exc)
        with contextlib.suppress(OSError):
            folder.set_status({"state": "trouble", "text": f"delivery failed: {problem}"})
