# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback does, without Ansible's objects, with real couriers and the receiver."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.reporter import (
    is_new_playbook,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.stats import COUNTERS
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import Failure
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Folder
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    SECRET,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    names_of,
    open_locks,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import (
    FAILURE,
    FINISH,
    START,
    Scene,
    contents,
)


def test_a_run_is_reported_from_start_to_finish(scene: Scene, receiver: Receiver) -> None:
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


def test_a_courier_that_cannot_be_started_is_one_warning_and_the_events_stay(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_post: OutboxWriter) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(OutboxWriter, "start_courier", none)
    reporter = scene.reporter()
    scene.start(reporter)
    assert len(scene.warnings) == 1
    assert "Events wait in" in scene.warnings[0]
    scene.finish(reporter)

    [folder] = scene.outbox.folders()
    assert len(folder.entries()) == 3


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
