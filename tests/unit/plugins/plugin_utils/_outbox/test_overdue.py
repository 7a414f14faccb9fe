# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that takes too long is reported once, and never after its finish."""

from __future__ import annotations

import errno
import json
import math
import time
from collections.abc import Callable
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.clock import Moment
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import files
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier import Courier
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.overdue import (
    OverdueLimit,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import (
    overdue_record,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    NoSignals,
    Run,
    courier_beside,
    settings_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    STARTED,
    Service,
    alive,
    deployment,
    finish_record,
    left_behind,
    names_of,
    run_of,
)

START, OVERDUE, FINISH = "deployment-start", "deployment-overdue", "deployment-finish"
FAILURE = "deployment-failure"
BEGIN = Moment(STARTED, 500.0)


@pytest.mark.parametrize(
    ("limit", "wall", "steady", "remaining"),
    [
        (0.0, 9e9, 9e9, math.inf),
        (60.0, 0.0, 0.0, 60.0),
        (60.0, 59.9, 59.9, 0.1),
        (60.0, 60.0, 60.0, 0.0),
        (60.0, 28_800.0, 28_800.0, -28_740.0),
        (60.0, 28_800.0, 1.0, 59.0),  # the clock was set forward
        (60.0, -28_800.0, 61.0, -1.0),  # the clock was set back
    ],
)
def test_only_time_that_has_passed_makes_a_run_overdue(
    limit: float, wall: float, steady: float, remaining: float
) -> None:
    now = Moment(BEGIN.wall + wall, BEGIN.steady + steady)

    assert OverdueLimit(BEGIN, limit).remaining(now) == pytest.approx(remaining)


def _delivery(outbox: Outbox, folder: Folder) -> Delivery:
    return Delivery(outbox, folder, math.inf, time.time)


def _sent(outbox: Outbox, folder: Folder) -> list[str]:
    service, delivery = Service(), _delivery(outbox, folder)
    delivery.refresh()
    while delivery.pending:
        delivery.step(service.send)
    return service.accepted


def test_the_event_has_the_content_of_the_start_and_the_time_so_far() -> None:
    context = {f"variable{number}": "x" * 900 for number in range(5)}
    for run in (run_of(), run_of(deployment=deployment(context=context))):
        [event] = overdue_record(run, 60.1234, STARTED + 60.2)["events"]
        content = json.loads(event["content"])

        assert event["name"] == OVERDUE
        assert (content["phase"], content["status"]) == ("overdue", "running")
        assert (content["duration_s"], content["name"]) == (60.123, "shop")
        assert "finished_at" not in content
        assert len(event["content"].encode()) <= 4000
    assert content["truncated"] is True


def test_a_run_is_reported_once_whoever_asks(outbox: Outbox) -> None:
    folder = left_behind(outbox, **alive())
    assert _delivery(outbox, folder).report_overdue(60.0, STARTED + 60) is True
    assert _delivery(outbox, folder).report_overdue(90.0, STARTED + 90) is False
    folder.append(finish_record())

    assert _sent(outbox, folder) == [START, OVERDUE, FINISH]


def test_a_run_that_has_ended_is_not_reported(outbox: Outbox) -> None:
    folder = left_behind(outbox, finished=True)

    assert _delivery(outbox, folder).report_overdue(60.0, STARTED + 60) is False
    assert _sent(outbox, folder) == [START, FINISH]


def test_a_finish_that_is_written_at_the_same_moment_wins(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox, **alive())
    real = Folder.append

    def finish_first(self: Folder, *records: dict[str, Any], use_reserve: bool = True) -> None:
        real(self, finish_record())
        real(self, *records, use_reserve=use_reserve)

    monkeypatch.setattr(Folder, "append", finish_first)

    assert _delivery(outbox, folder).report_overdue(60.0, STARTED + 60) is False
    assert '"overdue":true' in (folder.path / "journal").read_text()
    assert _sent(outbox, folder) == [START, FINISH]


def test_on_a_full_disk_the_space_of_the_finish_is_kept(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = left_behind(outbox, **alive())
    folder.reserve()

    def full(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "_append", full)
        with pytest.raises(OSError, match="No space"):
            _delivery(outbox, folder).report_overdue(60.0, STARTED + 60)

    assert (folder.path / "reserve").exists()
    assert _delivery(outbox, folder).report_overdue(61.0, STARTED + 61) is True


class Clock:
    """Stands still until ``jump`` is true, then shows that ``seconds`` have passed."""

    def __init__(self, jump: Callable[[], object], seconds: float) -> None:
        self._jump, self._seconds = jump, seconds

    def __call__(self) -> Moment:
        passed = self._seconds if self._jump() else 0.0
        return Moment(BEGIN.wall + passed, BEGIN.steady + passed)


class Watched(NoSignals):
    """Calls ``act`` whenever the courier waits."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self._act = act

    def wait(self, seconds: float) -> None:
        self._act()
        super().wait(seconds)


def _beside(
    outbox: Outbox, receiver: Receiver, seconds: float, act: Callable[[Run], object]
) -> Courier:
    """A courier of a run with a limit of 60 s, of which ``seconds`` pass once it has started."""
    run = Run(outbox, settings_for(receiver.url))
    clock = Clock(lambda: START in names_of(receiver.events), seconds)
    return courier_beside(
        run,
        settings_for(receiver.url, overdue=OverdueLimit(BEGIN, 60.0)),
        Watched(lambda: act(run)),
        now=clock,
    )


@pytest.mark.parametrize(
    ("seconds", "events"),
    [(59.9, [START, FINISH]), (60.0, [START, OVERDUE, FINISH]), (9e5, [START, OVERDUE, FINISH])],
    ids=["just before", "just after", "after a sleep of days"],
)
def test_a_run_that_ends_before_the_limit_is_not_overdue(
    outbox: Outbox, receiver: Receiver, seconds: float, events: list[str]
) -> None:
    waits: list[Run] = []

    def finish(run: Run) -> None:
        waits.append(run)
        if START in names_of(receiver.events) and len(waits) > 20 and run.folder.exists():
            run.finish()

    _beside(outbox, receiver, seconds, finish).run()

    assert names_of(receiver.events)[: len(events)] == events
    assert names_of(receiver.events).count(OVERDUE) == events.count(OVERDUE)
    words = [line.decision.value for line in outbox.log.lines()]
    assert words.count("overdue") == events.count(OVERDUE)


def test_an_outage_at_that_moment_delays_the_event(outbox: Outbox, receiver: Receiver) -> None:
    receiver.set_faults(["slow=0*1", "status=503*2"])

    def finish(run: Run) -> None:
        if OVERDUE in names_of(receiver.events) and run.folder.exists():
            run.finish()

    _beside(outbox, receiver, 61.0, finish).run()

    assert names_of(receiver.events)[:3] == [START, OVERDUE, FINISH]
    [content] = [json.loads(one["content"]) for one in receiver.events if one["name"] == OVERDUE]
    assert content["duration_s"] == 61.0


def test_a_killed_run_is_aborted_and_not_overdue(outbox: Outbox, receiver: Receiver) -> None:
    settings = settings_for(receiver.url, overdue=OverdueLimit(BEGIN, 60.0))
    late = Clock(lambda: True, 61.0)
    courier_beside(Run(outbox, settings), settings, parent=-1, now=late).run()

    assert names_of(receiver.events) == [START, FINISH, FAILURE]
