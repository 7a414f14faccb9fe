# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier: the process beside a run that delivers its events and notices its end.

It holds the lock of the run's folder in the outbox, sends what the callback writes there, and
reports to the callback in the file ``status``. When Ansible has ended without a finish, it writes
the finish itself. It also delivers what earlier runs left behind. Nothing here imports Ansible.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ...module_utils._api.errors import CloudMonitorError, DeliveryError, Outcome
from ...module_utils._api.event import Event
from ...module_utils._api.frozen import frozen
from .._deployment.clock import Moment, present_moment
from .courier_settings import CourierSettings
from .delivery import Delivery
from .log import Attempt, LogDecision, event_count
from .orphans import adopt
from .pace import OrphanPace, Pace
from .sender import Sender
from .signals import CourierSignals, Terminated
from .status import DeliveryStatus
from .storage import Folder, Outbox, is_handover_requested

HEARTBEAT_SECONDS = 20.0
# How often to look whether Ansible is still there.
WATCH_SECONDS = 0.5
# The sender of SIGTERM does not wait for longer.
LAST_ATTEMPT_SECONDS = 2.0
# How long to look for folders of earlier runs before the run's own is looked at again.
_ADOPTION_SECONDS = 0.005
_STEP_SECONDS = 0.05


@frozen
class Held:
    """A folder that this courier delivers. ``lock`` is the file descriptor of its lock."""

    delivery: Delivery
    lock: int


class Courier:
    """Delivers one run's folder while the run lives, and for ``linger`` seconds after that.

    Whatever goes wrong with one folder or one attempt, the others go on.
    """

    def __init__(
        self,
        settings: CourierSettings,
        signals: CourierSignals,
        now: Callable[[], Moment] = present_moment,
    ) -> None:
        self._settings = settings
        self._signals = signals
        self._now = now
        self._outbox = Outbox(settings.outbox, settings.history_keep)
        # The courier times its own attempts.
        connection = replace(settings.connection, retries=0)
        self._sender = Sender(
            connection,
            settings.credentials,
            directory=settings.directory,
            destination=settings.destination,
            decide=self._record_destination,
        )
        folder = Folder(self._outbox.runs / settings.folder)
        delivery = Delivery(self._outbox, folder, settings.ttl, time.time)
        self._own = Held(delivery, settings.lock)
        self._held = [self._own]
        self._orphans: deque[str] | None = None
        self._search: Iterator[list[str] | None] | None = None
        self._pace = Pace()
        self._orphan_pace = OrphanPace()
        self._status = DeliveryStatus()
        # Those that have no line in the log yet, and how many each folder has had.
        self._new_attempts: list[Attempt] = []
        self._attempts: Counter[str] = Counter()
        self._next_heartbeat = 0.0
        self._finish_is_known = False
        self._history_is_maintained = False
        self._leave_at: float | None = None
        self._wall_clock_ahead = time.time() - time.monotonic()

    def run(self) -> None:
        """Work until everything is delivered or the time after the run is over."""
        endpoint = self._settings.connection.endpoint
        self._log(self._own, LogDecision.STARTED, f"process {os.getpid()}, endpoint {endpoint}")
        try:
            while self._has_work and not self._signals.terminated and not self._is_over:
                self._touch_heartbeats()
                self._watch_run()
                self._watch_time()
                self._hand_over()
                self._deliver()
                self._maintain_history()
                self._adopt_next()
                self._signals.wait(self._idle_seconds)
            if self._signals.terminated:
                self._make_last_attempt()
            else:
                self._maintain_history(again=True)
                self._outbox.remove_leftovers()
        except Terminated:
            self._make_last_attempt()
        for held in self._held:
            text = f"{event_count(held.delivery.events)} left to a later run"
            self._log(held, LogDecision.GAVE_UP, text)
        self._log(self._own, LogDecision.ENDED, f"process {os.getpid()}")

    def _log(self, held: Held, decision: LogDecision, text: str) -> None:
        self._outbox.log.add(held.delivery.folder.name, decision, text)

    @property
    def _has_work(self) -> bool:
        return bool(self._held or self._orphans or self._search)

    @property
    def _run_is_done(self) -> bool:
        """Whether everything of the run is delivered, and nothing more will come."""
        return self._own not in self._held

    @property
    def _is_over(self) -> bool:
        """Whether the time after the run is over, or will be before the next attempt."""
        if self._leave_at is None:
            return False
        return max(time.monotonic(), self._pace.next_at) >= self._leave_at

    @property
    def _idle_seconds(self) -> float:
        """How long there is nothing to do unless a signal comes."""
        if not self._has_work:
            return 0.0
        until = min(WATCH_SECONDS, self._overdue_in)
        if not self._run_is_done and self._own.delivery.pending:
            return min(until, self._pace.next_at - time.monotonic())
        if self._orphans or self._search or any(held.delivery.pending for held in self._held):
            next_at = max(self._pace.next_at, self._orphan_pace.next_at)
            return min(until, next_at - time.monotonic())
        return until

    # The run

    def _watch_run(self) -> None:
        """Notice that Ansible has ended, and ensure that the run has a finish then."""
        if self._leave_at is None:
            if os.getppid() == self._settings.parent:
                return
            self._leave_at = time.monotonic() + self._settings.linger
            # Whatever happens from here on, this process does not stay for good.
            self._signals.end_within(self._settings.linger + self._settings.connection.timeout + 10)
        own = self._own.delivery
        if not self._run_is_done and not own.ended:
            # On a full disk, for example, this is tried again until the time is over.
            with contextlib.suppress(Exception):
                own.refresh()
                own.end("killed", self._present())

    @property
    def _overdue_in(self) -> float:
        """Seconds until the run is to be reported as overdue, infinite if it is not to be."""
        limit, own = self._settings.overdue, self._own.delivery
        if limit is None or own.overdue or own.ended or self._leave_at is not None:
            return math.inf
        return limit.remaining(self._now())

    def _watch_time(self) -> None:
        """Report once that the run takes too long. The journal keeps the event."""
        limit = self._settings.overdue
        if limit is None or self._overdue_in > 0 or self._run_is_done:
            return
        at, elapsed = limit.started.end(self._now())
        # On a full disk, for example, this is tried again while the run lasts.
        with contextlib.suppress(Exception):
            if self._own.delivery.report_overdue(elapsed, at):
                text = f"1 event: the run has taken {elapsed:.1f} s so far"
                self._log(self._own, LogDecision.OVERDUE, text)

    def _present(self) -> float:
        """Return the time (epoch seconds), which has not gone back since this process started."""
        return max(time.time(), self._wall_clock_ahead + time.monotonic())

    def _notice_finish(self) -> None:
        """Deliver the finish at once, because Ansible may be waiting for it."""
        if self._own.delivery.ended and not self._finish_is_known:
            self._finish_is_known = True
            seconds = self._settings.flush_timeout if self._leave_at is None else 0.0
            self._pace = self._pace.expect_finish(time.monotonic(), seconds)

    def _touch_heartbeats(self) -> None:
        if time.monotonic() >= self._next_heartbeat:
            self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
            for held in self._held:
                with contextlib.suppress(Exception):
                    held.delivery.folder.beat()

    # Delivery

    def _deliver(self) -> None:
        """Send what waits in each folder, until an attempt fails."""
        for held in list(self._held):
            try:
                self._deliver_folder(held)
            except Exception as exc:
                self._note_unforeseen(held, exc)

    def _deliver_folder(self, held: Held) -> None:
        delivery = held.delivery
        delivery.refresh()
        self._notice_finish()
        is_own = held is self._own
        send = partial(self._send, at_once=is_own)
        while delivery.pending and self._is_due(held) and not self._is_over:
            self._touch_heartbeats()
            self._watch_run()
            self._note_attempt(held, delivery.step(send, once=not is_own))
            if self._signals.terminated or self._run_has_news(held):
                return
        if delivery.done:
            delivery.folder.remove(held.lock)
            self._release(held)

    def _is_due(self, held: Held) -> bool:
        """Return whether an attempt may be made for a folder."""
        now = time.monotonic()
        is_own = held is self._own
        return self._pace.is_due(now) and (is_own or self._orphan_pace.is_due(now))

    def _maintain_history(self, again: bool = False) -> None:
        """Maintain the history once when no event of the run waits, and at the end ``again``."""
        if again or not (self._history_is_maintained or self._own.delivery.pending):
            self._history_is_maintained = True
            with contextlib.suppress(Exception):
                self._outbox.history.maintain(time.time())

    def _record_destination(self, destination: str) -> None:
        """Record whose events these are, for later runs."""
        with contextlib.suppress(OSError):  # on a full disk, delivery continues
            self._own.delivery.folder.set_destination(destination)

    def _run_has_news(self, held: Held) -> bool:
        """Return whether the run has written something while an earlier one is delivered."""
        if held is self._own or self._run_is_done:
            return False
        self._own.delivery.refresh()
        return self._own.delivery.pending > 0

    def _send(self, events: Sequence[Event], *, at_once: bool) -> DeliveryError | None:
        with self._signals.interruptible():
            return self._send_with(self._sender, events, at_once=at_once)

    def _send_with(
        self, sender: Sender, events: Sequence[Event], *, at_once: bool
    ) -> DeliveryError | None:
        error = sender.send(events, at_once=at_once)
        if sender.last_attempt is not None:
            self._new_attempts.append(sender.last_attempt)
        return error

    def _note_attempt(self, held: Held, error: DeliveryError | None) -> None:
        """Time the next attempt, and report this one to the callback."""
        self._notice_finish()
        if error is None and not self._new_attempts:
            return  # events were only given up, so the service has not accepted anything
        if not self._run_is_done:
            self._orphan_pace = OrphanPace.after_request(time.monotonic())
        if error is None:
            self._pace = self._pace.after_acceptance()
        elif error.outcome is Outcome.REFUSED:
            self._pace = self._pace.after_refusal()
        else:
            chance = random.random()  # noqa: S311  # spreads couriers, hides nothing
            now = time.monotonic()
            self._pace = self._pace.after_failure(error.outcome, now, chance, error.after)
        self._log_attempts(held)
        if held is not self._own and error is not None and error.outcome is Outcome.REFUSED:
            return  # a refusal is about the events; anything else about the service
        self._status = self._status.after_attempt(error, self._finish_is_known)
        if not self._run_is_done and not self._own.delivery.done:
            with contextlib.suppress(Exception):
                self._own.delivery.folder.set_status(self._status.dump())

    def _log_attempts(self, held: Held) -> None:
        """Write a line for each attempt since the last call."""
        name = held.delivery.folder.name
        attempts, self._new_attempts = self._new_attempts, []
        for attempt in attempts:
            self._attempts[name] += 1
            decision, wait = attempt.decision, None
            if attempt is not attempts[-1]:  # refused together, so they are sent one by one
                decision, wait = LogDecision.RETRY, 0.0
            elif decision is LogDecision.RETRY and not self._signals.terminated:
                wait = max(0.0, self._pace.next_at - time.monotonic())
            self._log(held, decision, attempt.text(self._attempts[name], wait))
            if attempt.error is None:
                self._attempts[name] = 0

    def _note_unforeseen(self, held: Held, exc: Exception) -> None:
        """Leave a folder that cannot be delivered for a later run; try the own one again."""
        problem = f"the outbox cannot be read or written ({_description(exc)})"
        if held is not self._own:
            self._log(held, LogDecision.GAVE_UP, problem)
            self._release(held)
            return
        self._log(held, LogDecision.RETRY, problem)
        self._note_attempt(held, DeliveryError(problem, "outbox", Outcome.OUTAGE))

    def _release(self, held: Held) -> None:
        """Part with a folder and its lock."""
        self._held.remove(held)
        os.close(held.lock)
        if held is self._own:
            self._orphan_pace = OrphanPace()

    # Other runs

    def _hand_over(self) -> None:
        """Release folders that a flush asks for, except that of a run that is alive.

        A flush may be the last step before the machine ends. It goes through the whole outbox, so
        once the run is over, nothing more is adopted here.
        """
        for held in list(self._held):
            is_alive = held is self._own and self._leave_at is None
            if not is_alive and is_handover_requested(held.lock):
                text = f"{event_count(held.delivery.events)} left to a flush"
                self._log(held, LogDecision.HANDED_OVER, text)
                self._release(held)
                if self._leave_at is not None:
                    self._search, self._orphans = None, deque()

    def _adopt_next(self) -> None:
        """Adopt what an earlier run left, one folder at a time, while the service accepts events.

        There may be thousands, and the run's own events must not wait for them.
        """
        account, now = self._sender.account, time.monotonic()
        if account is None or not self._status.accepted:
            return
        if not (self._pace.is_due(now) and self._orphan_pace.is_due(now)):
            return
        if self._own.delivery.pending or any(held is not self._own for held in self._held):
            return
        if self._orphans is None:
            self._continue_search()
        until = now + _ADOPTION_SECONDS
        while self._orphans and time.monotonic() < until:
            folder = Folder(Path(self._orphans.popleft()))
            if folder.name == self._settings.folder:
                continue
            with contextlib.suppress(Exception):
                found = adopt(self._outbox, folder, account, self._settings.ttl)
                if found is not None:
                    self._held.append(Held(*found))
                    return
        if not self._run_is_done:
            self._orphan_pace = OrphanPace.after_search(time.monotonic())

    def _continue_search(self) -> None:
        """List a part of the outbox, which may take longer than the end of a run."""
        if self._search is None:
            self._search = self._outbox.paths_in_parts(_ADOPTION_SECONDS)
        found = next(self._search)
        if found is not None:
            self._search, self._orphans = None, deque(found)

    # The end

    def _make_last_attempt(self) -> None:
        """Send what waits once more, within two seconds.

        Whatever stops a machine or a job stops Ansible also, so its end is waited for.
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sender = self._sender.with_timeout(LAST_ATTEMPT_SECONDS)
        until = time.monotonic() + LAST_ATTEMPT_SECONDS
        self._signals.end_within(LAST_ATTEMPT_SECONDS + 0.2)
        while True:
            self._watch_run()
            for held in list(self._held):
                try:
                    if not self._deliver_until(held, until, sender):
                        return
                except Exception:  # a later run delivers this folder
                    self._release(held)
            if self._run_is_done or time.monotonic() >= until:
                return
            time.sleep(_STEP_SECONDS)

    def _deliver_until(self, held: Held, until: float, sender: Sender) -> bool:
        """Send what waits in a folder; return whether the service accepted it."""
        delivery = held.delivery
        send = partial(self._send_with, sender, at_once=held is self._own)
        delivery.refresh()
        while delivery.pending and time.monotonic() < until:
            error = delivery.step(send)
            self._log_attempts(held)
            if error is not None:
                return False
        if delivery.done:
            delivery.folder.remove(held.lock)
            self._release(held)
        return True


def _description(exc: Exception) -> str:
    """Return an error in a few words. The text of an unforeseen one may hold a secret."""
    if isinstance(exc, CloudMonitorError):
        return exc.problem
    return (isinstance(exc, OSError) and exc.strerror) or type(exc).__name__


def main(text: str, lock: int = -1) -> None:
    """Run a courier with the settings in ``text`` and the file descriptor of the run's lock."""
    settings = replace(CourierSettings.parse(text), lock=lock)
    if settings.self_test:
        from .probe import report_to_probe
        from .self_test import run_self_test

        report_to_probe(run_self_test(settings))
        return
    if lock < 0:  # lost on the way: without it, another courier may take the folder at any time
        return
    # Ansible has closed its end; keep nothing open but the lock.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    signals = CourierSignals(grace=LAST_ATTEMPT_SECONDS + 0.4)
    try:
        Courier(settings, signals).run()
    except Exception as exc:  # there is nobody to raise it to
        problem = f"delivery failed: {_description(exc)}"
        error = DeliveryError(problem, "internal", Outcome.OUTAGE)
        with contextlib.suppress(Exception):
            folder = Folder(Outbox(settings.outbox).runs / settings.folder)
            folder.set_status(DeliveryStatus().after_attempt(error, True).dump())
