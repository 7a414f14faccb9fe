# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How reports end, and what earlier runs left, with real couriers and the receiver."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.clock import Moment
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    KEY_ID,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    left_behind,
    names_of,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import (
    FAILURE,
    FINISH,
    START,
    Scene,
    contents,
)


def test_the_end_of_the_process_reports_that_it_was_stopped(
    scene: Scene, receiver: Receiver
) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    reporter._at_exit()
    reporter._at_exit()

    [finish] = contents(receiver, FINISH)
    assert (finish["status"], finish["reason"]) == ("aborted", "stopped")
    assert len(contents(receiver, FAILURE)) == 1


def test_the_end_of_a_forked_process_is_not_that_of_the_run(
    scene: Scene, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        reporter._at_exit()
    receiver.wait_for(1)
    assert names_of(receiver.events) == [START]
    scene.finish(reporter)
    assert contents(receiver, FINISH)[0]["status"] == "succeeded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at_exit", [True, False])
def test_a_signal_ends_the_wait_and_nothing_else(
    scene: Scene,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    at_exit: bool,
) -> None:
    receiver.set_faults(["hang*inf"])
    reporter = scene.reporter(linger=0.0)
    scene.start(reporter)
    real = OutboxWriter.wait

    def wait(writer: OutboxWriter, seconds: float, interrupted: Callable[[], bool]) -> object:
        signal.raise_signal(number)
        return real(writer, seconds, interrupted)

    monkeypatch.setattr(OutboxWriter, "wait", wait)
    begin = time.monotonic()
    if at_exit:
        reporter._at_exit()
    else:
        assert scene.finish(reporter) is number

    assert time.monotonic() - begin < scene.options["flush_timeout"] / 2
    assert len(scene.warnings) == 1
    assert "was interrupted" in scene.warnings[0]
    [folder] = scene.outbox.folders()
    assert len(folder.entries()) == 3


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
@pytest.mark.parametrize("at_exit", [True, False])
def test_a_clock_that_is_set_during_a_run(
    scene: Scene, receiver: Receiver, step: float, at_exit: bool
) -> None:
    present = [Moment(time.time(), 1000.0)]
    reporter = scene.reporter(now=lambda: present[0])
    scene.start(reporter)
    present[0] = Moment(present[0].wall + 60.0 + step, 1060.0)
    if at_exit:
        reporter._at_exit()
    else:
        scene.finish(reporter, ok=1)

    [finish] = contents(receiver, FINISH)
    assert finish["duration_s"] == 60.0
    assert finish["finished_at"] > finish["started_at"]
    start_event, finish_event = receiver.events[:2]
    assert finish_event["time"] > start_event["time"]


def test_variables_are_copied_at_both_ends_with_one_warning_after_the_finish(
    scene: Scene, receiver: Receiver
) -> None:
    reporter = scene.reporter(context_vars=["ticket", "color", "nowhere"])
    scene.start(reporter, ticket="OPS-1", secret="canary")
    assert reporter.wants_variables
    written: list[int] = []
    scene.warnings = _Watched(lambda: written.append(len(receiver.events)))
    reporter._warn = scene.warnings.append
    scene.finish(reporter, {"color": "green", "other": "canary"})

    assert contents(receiver, START)[0]["context"] == {"ticket": "OPS-1"}
    assert contents(receiver, FINISH)[0]["context"] == {"ticket": "OPS-1", "color": "green"}
    assert len(scene.warnings) == 1
    assert "are not sent: nowhere. Only" in scene.warnings[0]
    assert written == [2], "a warning that cannot be shown costs no finish"
    assert "canary" not in json.dumps(receiver.events)


class _Watched(list[str]):
    def __init__(self, note: Callable[[], None]) -> None:
        super().__init__()
        self._note = note

    def append(self, text: str) -> None:
        self._note()
        super().append(text)


def test_what_earlier_runs_left_is_said_once(scene: Scene, receiver: Receiver) -> None:
    folder = left_behind(scene.outbox, "earlier", destination="key:Other")
    os.utime(folder.path / "heartbeat", (1000, 1000))
    reporter = scene.reporter()
    for number in (1, 2):
        scene.start(reporter, number=number)
        scene.finish(reporter)

    assert scene.said == [
        f"aliops.cloudmonitor: 1 earlier deployment with undelivered events in {scene.outbox.root}"
    ]


def test_what_was_given_up_after_a_run_is_said_once_by_the_next(scene: Scene) -> None:
    for name in ("one", "two"):
        scene.outbox.dead_letters.add(name, {"reason": "not delivered within 168 hours"})
    for _number in range(2):
        scene.run()

    assert scene.said == [
        "aliops.cloudmonitor: events of 2 earlier deployments were refused or too old. "
        f"They are kept in {scene.outbox.dead}. "
        "To resend: aliops.cloudmonitor.flush_outbox with dead: retry."
    ]


def test_what_could_not_be_read_is_a_warning_once(scene: Scene) -> None:
    damaged = scene.outbox.create("damaged")
    scene.outbox.set_aside(damaged)
    for _number in range(2):
        scene.run()

    assert len(scene.warnings) == 1
    assert str(scene.outbox.damaged) in scene.warnings[0]


def test_the_id_may_stand_in_the_configuration_and_the_secret_in_the_environment(
    scene: Scene, receiver: Receiver
) -> None:
    del scene.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"]
    scene.run(scene.reporter(access_key_id=KEY_ID))

    assert names_of(receiver.events) == [START, FINISH]


@pytest.mark.parametrize("identifier", ["部署/7", "\udcff\udcfe", "." * 300, " "])
def test_odd_ids_and_names_do_not_keep_a_run_from_being_reported(
    scene: Scene, receiver: Receiver, identifier: str
) -> None:
    reporter = scene.reporter(deployment_id=identifier, deployment_name=identifier + "x")
    scene.start(reporter, "odd\udcff.yml")
    scene.finish(reporter)

    assert scene.warnings == []
    assert names_of(receiver.events) == [START, FINISH]


def test_nothing_more_is_reported_after_giving_up(scene: Scene, receiver: Receiver) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    reporter.give_up()
    scene.finish(reporter)
    scene.start(reporter, number=2)

    until(lambda: receiver.events)
    assert len(scene.writers) == 1
    assert scene.writers[0]._courier is not None
    assert scene.writers[0]._courier.poll() is not None, "Python says nothing about it at exit"
    assert FINISH not in names_of(receiver.events)


def test_a_courier_of_an_earlier_playbook_is_reaped_or_reported_as_gone(scene: Scene) -> None:
    reporter = scene.reporter()
    scene.run(reporter)
    [writer] = scene.writers
    assert writer._courier is not None

    assert writer._courier.poll() is not None, "no ResourceWarning about it at exit"


def test_the_outbox_is_found_below_a_folder_that_is_not_there_yet(
    scene: Scene, receiver: Receiver, tmp_path: Path
) -> None:
    scene.run(scene.reporter(outbox=str(tmp_path / "not" / "yet" / "outbox")))

    assert names_of(receiver.events) == [START, FINISH]
