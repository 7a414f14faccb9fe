# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback does, without Ansible's objects, with couriers and the receiver."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.reporter import (
    is_new_playbook,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.stats import COUNTERS
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.clock import Moment
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import Failure
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Folder
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    KEY_ID,
    SECRET,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    left_behind,
    names_of,
    open_locks,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import (
    FAILURE,
    FINISH,
    START,
    Scene,
    contents,
)


def test_a_run_is_reported_from_start_to_finish(scene: Scene, receiver: Receiver) -> None:
    scene.in_processes = True
    reporter = scene.reporter(deployment_version="1.4", group_id=7)
    scene.start(reporter, "deploy/shop.yml")
    identifier = scene.environ["CLOUDMONITOR_RUN_ID"]
    scene.finish(reporter, ok=3, changed=1)

    assert scene.warnings == []
    [start], [finish] = contents(receiver, START), contents(receiver, FINISH)
    assert start["id"] == finish["id"] == identifier
    assert (finish["name"], finish["version"], finish["status"]) == ("shop", "1.4", "succeeded")
    assert finish["hosts"]["changed"] == 1
    assert {event["groupId"] for event in receiver.events} == {7}
    assert "CLOUDMONITOR_RUN_ID" not in scene.environ


def test_a_failed_run_has_a_failure_event_and_says_where(scene: Scene, receiver: Receiver) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    reporter.failed(Failure("web1", "Restart", "a message that is not asked for"))
    scene.finish(reporter, failures=1)

    assert names_of(receiver.events) == [START, FINISH, FAILURE]
    assert contents(receiver, FAILURE)[0]["failures"] == [{"host": "web1", "task": "Restart"}]


def test_a_rescued_failure_is_not_told(scene: Scene, receiver: Receiver) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    reporter.failed(Failure("web1", "Try"))
    scene.finish(reporter, ok=2, rescued=1)

    assert contents(receiver, FINISH)[0]["status"] == "succeeded"
    assert "failures" not in contents(receiver, FINISH)[0]


def test_each_playbook_has_its_own_id_and_its_own_counts(scene: Scene, receiver: Receiver) -> None:
    scene.environ["CLOUDMONITOR_RUN_ID"] = "around"
    reporter = scene.reporter(deployment_id="release-7")
    for number, (counts, playbook) in enumerate([({"ok": 1}, "a.yml"), ({"ok": 1}, "b.yml")]):
        scene.start(reporter, playbook, number + 1)
        scene.finish(reporter, **counts)

    first, second = contents(receiver, FINISH)
    assert (first["id"], second["id"]) == ("release-7", "release-7/2")
    assert (first["status"], second["status"]) == ("succeeded", "empty")
    assert (first["parent"], second["parent"]) == ("around", "around")
    assert scene.environ["CLOUDMONITOR_RUN_ID"] == "around"


@pytest.mark.parametrize("around", ["release-7", "release-7/2"])
def test_a_run_inside_another_one_has_an_id_of_its_own_though_it_inherits_the_variable(
    scene: Scene, receiver: Receiver, around: str
) -> None:
    scene.environ["CLOUDMONITOR_RUN_ID"] = around
    reporter = scene.reporter(deployment_id="release-7")
    for number in (1, 2):
        scene.start(reporter, "inner.yml", number)
        scene.finish(reporter, ok=1)

    first, second = contents(receiver, FINISH)
    assert len({first["id"], second["id"], "release-7", "release-7/2"}) == 4
    assert first["parent"] == second["parent"] == around


class Playbook:
    """Something with an address that Python uses again."""


def test_every_playbook_is_reported_once_however_many_there_are() -> None:
    for _number in range(50):
        playbook = Playbook()
        assert is_new_playbook(playbook)
        assert not is_new_playbook(playbook)
        del playbook


@pytest.mark.parametrize("excluded", [True, False])
def test_an_excluded_playbook_is_not_reported(
    scene: Scene, receiver: Receiver, excluded: bool
) -> None:
    reporter = scene.reporter(exclude_playbooks=["deploy/*"] if excluded else ["test/*"])
    scene.start(reporter, "./deploy/shop.yml")
    scene.finish(reporter)

    assert bool(receiver.events) is not excluded
    assert scene.warnings == []


@pytest.mark.parametrize("name", ["demo", "check"])
def test_the_collections_own_playbooks_are_not_reported_and_warn_of_nothing(
    scene: Scene, name: str
) -> None:
    playbook = Path(__file__).resolve().parents[5] / "playbooks" / (name + ".yml")
    assert playbook.is_file()
    scene.environ.clear()

    scene.start(scene.reporter(), str(playbook))

    assert scene.outbox.folders() == []
    assert scene.warnings == []


def test_a_check_is_silent_unless_asked(scene: Scene, receiver: Receiver) -> None:
    scene.start(scene.reporter(), check=True)
    assert scene.outbox.folders() == []
    reporter = scene.reporter(check_mode_events=True)
    scene.start(reporter, check=True)
    scene.finish(reporter)

    assert contents(receiver, FINISH)[0]["check_mode"] is True


@pytest.mark.parametrize(
    ("options", "environ", "advice"),
    [
        ({}, {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}, "ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
        ({"region": "cn-hangzuo", "endpoint": None}, {}, "cn-hangzhou"),
        ({"endpoint": "no url"}, {}, "endpoint"),
        ({"ca_path": "/nowhere/ca.pem"}, {}, "ca_path"),
        ({"start_event": ""}, {}, "start_event"),
        ({"group_id": -1}, {}, "group_id"),
        ({"timeout": float("nan")}, {}, "timeout"),
        ({"flush_timeout": float("nan")}, {}, "flush_timeout"),
        ({"flush_timeout": float("inf")}, {}, "flush_timeout"),
        ({"linger": -1.0}, {}, "linger"),
        ({"outbox_ttl": float("inf")}, {}, "outbox_ttl"),
        ({"outbox": "/dev/null/outbox"}, {}, "name another directory as outbox"),
        ({"overdue_after": -1.0}, {}, "overdue_after"),
        ({"overdue_after": 60.0, "overdue_event": " "}, {}, "overdue_event"),
    ],
)
def test_a_mistake_is_one_warning_that_says_what_to_do(
    scene: Scene, receiver: Receiver, options: dict[str, Any], environ: dict[str, str], advice: str
) -> None:
    scene.environ.update(environ)
    reporter = scene.reporter(**options)
    for number in (1, 2):
        scene.start(reporter, number=number)
        reporter.failed(Failure("web1", "t"))
        scene.finish(reporter, failures=1)

    assert len(scene.warnings) == 1
    assert advice in scene.warnings[0]
    assert SECRET not in scene.warnings[0]
    assert (scene.writers, scene.outbox.folders(), receiver.requests) == ([], [], [])
    assert "CLOUDMONITOR_RUN_ID" not in scene.environ


def test_a_start_that_cannot_be_written_is_never_reported_as_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., None] = Folder.append

    def append(folder: Folder, *records: dict[str, Any]) -> None:
        real(folder, *records[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Folder, "append", append)
    scene.run()

    assert scene.outbox.folders() == []
    assert len(scene.warnings) == 1
    assert "No space left" in scene.warnings[0]
    assert open_locks(scene.outbox) == []


def test_a_finish_that_cannot_be_written_is_one_warning(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = scene.reporter()
    scene.start(reporter)

    def append(*_args: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Folder, "append", append)
    scene.finish(reporter)

    assert len(scene.warnings) == 1
    assert "Input/output error" in scene.warnings[0]


SECRET_PARTS = ["deployment_name", "deployment_version", "deployment_environment", "deployment_id",
                "finish_event"]  # fmt: skip


def test_no_secret_is_sent_or_stored(scene: Scene, receiver: Receiver) -> None:
    secret, other = SECRET, "other-family-secret-9"
    scene.environ["ALICLOUD_SECRET_KEY"] = other
    scene.environ.update(GITLAB_CI="true", CI_JOB_ID=f"7 {secret}")
    options: dict[str, Any] = {name: f"{name} {secret} {other}" for name in SECRET_PARTS}
    reporter = scene.reporter(
        **options, failure_details="message", context_vars=["url", "words"], linger=0.0
    )
    receiver.set_faults(["status=500*inf"])
    long = "x" * (256 - len(secret) // 2) + secret
    wide = "y" * (1021 - len(secret) // 2) + secret * 9
    scene.start(reporter, f"{secret}.yml", url=f"https://bot:pw-canary@host/{secret}", words=wide)
    reporter.failed(Failure("web1", f"log in with {secret}", f"the key is {secret}"))
    reporter.failed(Failure("web2", long, long))
    reading = {host: {**dict.fromkeys(COUNTERS, 0), "failures": 1} for host in ("web1", "web2")}
    reporter.finish(reading, None, {}, lambda value: value)

    (journal,) = scene.outbox.root.glob("runs/*/journal")
    stored = journal.read_text(encoding="utf-8")
    assert stored.count("********") > 10
    for canary in (secret, secret[: len(secret) // 2], other, "pw-canary"):
        assert canary not in stored, canary


def test_a_long_message_is_cut_to_256_characters(scene: Scene, receiver: Receiver) -> None:
    reporter = scene.reporter(failure_details="message")
    scene.start(reporter)
    reporter.failed(Failure("web1", "t" * 999, "m" * 999))
    scene.finish(reporter, failures=1)

    (failure,) = json.loads(receiver.events[1]["content"])["failures"]
    assert (len(failure["task"]), len(failure["message"])) == (256, 256)


# How a report ends, and what earlier runs left


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
    scene.in_processes = True
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
    scene.in_processes = True
    reporter = scene.reporter()
    scene.start(reporter)
    reporter.give_up()
    scene.finish(reporter)
    scene.start(reporter, number=2)

    until(lambda: receiver.events)
    assert len(scene.writers) == 1
    courier = scene.writers[0]._courier
    assert courier is not None
    assert courier.process.poll() is not None, "Python says nothing about it at exit"
    assert FINISH not in names_of(receiver.events)


def test_a_courier_of_an_earlier_playbook_is_reaped_or_reported_as_gone(scene: Scene) -> None:
    scene.in_processes = True
    reporter = scene.reporter()
    scene.run(reporter)
    [writer] = scene.writers
    assert writer._courier is not None

    assert writer._courier.process.poll() is not None, "no ResourceWarning about it at exit"


def test_the_outbox_is_found_below_a_folder_that_is_not_there_yet(
    scene: Scene, receiver: Receiver, tmp_path: Path
) -> None:
    scene.run(scene.reporter(outbox=str(tmp_path / "not" / "yet" / "outbox")))

    assert names_of(receiver.events) == [START, FINISH]
