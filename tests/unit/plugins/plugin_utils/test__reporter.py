# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback does, without Ansible's objects, with real couriers and the receiver."""

from __future__ import annotations

import atexit
import errno
import gc
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._deployment import Failure
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import Folder, Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outcome import COUNTERS
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._post import Post
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._reporter import Reporter, claim
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

START, FINISH, FAILURE = "deployment-start", "deployment-finish", "deployment-failure"
KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}


class Scene:
    """Reporters of one outbox and what they said; ``environ`` is theirs."""

    def __init__(self, outbox: Outbox, url: str) -> None:
        self.outbox = outbox
        self.environ: dict[str, str] = dict(KEY)
        self.warnings: list[str] = []
        self.said: list[str] = []
        self.options: dict[str, Any] = {
            "deployment_name": None, "deployment_id": None, "deployment_version": None,
            "deployment_environment": None, "group_id": 0, "start_event": START,
            "finish_event": FINISH, "failure_event": FAILURE, "context_vars": [],
            "include_playbooks": [], "exclude_playbooks": [], "failure_details": "task",
            "check_mode_events": False, "flush_timeout": 15.0, "linger": 10.0,
            "outbox": str(outbox.root), "outbox_ttl": 168.0, "access_key_id": None,
            "region": "cn-hangzhou", "network": "public", "endpoint": url, "source_ip": None,
            "timeout": 3.0, "retries": 3, "validate_certs": True, "ca_path": None,
        }  # fmt: skip
        self.posts: list[Post] = []

    def reporter(self, **options: Any) -> Reporter:
        return Reporter(
            {**self.options, **options}, self.environ, self.warnings.append, self.said.append
        )

    def start(
        self, reporter: Reporter, playbook: str = "site.yml", number: int = 1, check: bool = False,
        **extra: Any,
    ) -> None:  # fmt: skip
        reporter.start(playbook, number, check, extra, lambda value: value)

    def finish(self, reporter: Reporter, variables: Any = None, **counts: int) -> None:
        reading = {"web1": {**dict.fromkeys(COUNTERS, 0), **(counts or {"ok": 1})}}
        reporter.finish(reading, variables or {}, lambda value: value)

    def run(self, reporter: Reporter | None = None, **counts: int) -> None:
        reporter = reporter or self.reporter()
        self.start(reporter)
        self.finish(reporter, **counts)


@pytest.fixture
def scene(outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A place to report from, whose couriers have ended when the test is over."""
    monkeypatch.setattr(atexit, "register", lambda _function: None)
    here = Scene(outbox, receiver.url)
    started: list[subprocess.Popen[bytes]] = []
    real = Post.start_courier

    def start_courier(post: Post) -> None:
        here.posts.append(post)
        real(post)
        assert post._courier is not None
        started.append(post._courier)

    monkeypatch.setattr(Post, "start_courier", start_courier)
    yield here
    for courier in started:
        try:
            os.kill(courier.pid, signal.SIGKILL)
            os.waitpid(courier.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        courier.returncode = 0


def _contents(receiver: Receiver, name: str) -> list[dict[str, Any]]:
    return [json.loads(event["content"]) for event in receiver.events if event["name"] == name]


def test_a_run_is_reported_from_start_to_finish(scene: Scene, receiver: Receiver) -> None:
    reporter = scene.reporter(deployment_version="1.4", group_id=7)
    scene.start(reporter, "deploy/shop.yml")
    identifier = scene.environ["CLOUDMONITOR_RUN_ID"]
    scene.finish(reporter, ok=3, changed=1)

    assert scene.warnings == []
    [start], [finish] = _contents(receiver, START), _contents(receiver, FINISH)
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
    assert _contents(receiver, FAILURE)[0]["failures"] == [{"host": "web1", "task": "Restart"}]


def test_a_rescued_failure_is_not_told(scene: Scene, receiver: Receiver) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    reporter.failed(Failure("web1", "Try"))
    scene.finish(reporter, ok=2, rescued=1)

    assert _contents(receiver, FINISH)[0]["status"] == "succeeded"
    assert "failures" not in _contents(receiver, FINISH)[0]


def test_each_playbook_has_its_own_id_and_its_own_counts(scene: Scene, receiver: Receiver) -> None:
    scene.environ["CLOUDMONITOR_RUN_ID"] = "around"
    reporter = scene.reporter(deployment_id="release-7")
    for number, (counts, playbook) in enumerate([({"ok": 1}, "a.yml"), ({"ok": 1}, "b.yml")]):
        scene.start(reporter, playbook, number + 1)
        scene.finish(reporter, **counts)

    first, second = _contents(receiver, FINISH)
    assert (first["id"], second["id"]) == ("release-7", "release-7/2")
    assert (first["status"], second["status"]) == ("succeeded", "empty")
    assert (first["parent"], second["parent"]) == ("around", "around")
    assert scene.environ["CLOUDMONITOR_RUN_ID"] == "around"


class Playbook:
    """Something with an address that Python uses again."""


def test_every_playbook_is_reported_once_however_many_there_are() -> None:
    for _number in range(50):
        playbook = Playbook()
        assert claim(playbook)
        assert not claim(playbook)
        del playbook
        gc.collect()


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, True),
        ({"include_playbooks": ["deploy/*"]}, True),
        ({"include_playbooks": ["*/deploy/shop.yml"]}, True),
        ({"include_playbooks": ["shop.yml"]}, True),
        ({"include_playbooks": ["other*"]}, False),
        ({"exclude_playbooks": ["*shop*"]}, False),
        ({"include_playbooks": ["*"], "exclude_playbooks": ["shop.yml"]}, False),
    ],
)
def test_patterns_choose_the_playbooks(
    scene: Scene, receiver: Receiver, options: dict[str, Any], wanted: bool
) -> None:
    reporter = scene.reporter(**options)
    scene.start(reporter, "deploy/shop.yml")
    scene.finish(reporter)

    assert bool(receiver.events) is wanted
    assert scene.warnings == []


def test_a_check_is_silent_unless_asked(scene: Scene, receiver: Receiver) -> None:
    scene.start(scene.reporter(), check=True)
    assert scene.outbox.folders() == []
    reporter = scene.reporter(check_mode_events=True)
    scene.start(reporter, check=True)
    scene.finish(reporter)

    assert _contents(receiver, FINISH)[0]["check_mode"] is True


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
        ({"outbox": "/dev/null/outbox"}, {}, "CLOUDMONITOR_OUTBOX"),
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
    assert (scene.posts, scene.outbox.folders(), receiver.requests) == ([], [], [])
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
    def none(_post: Post) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(Post, "start_courier", none)
    reporter = scene.reporter()
    scene.start(reporter)
    assert len(scene.warnings) == 1
    assert "stay in the outbox" in scene.warnings[0]
    scene.finish(reporter)

    [folder] = scene.outbox.folders()
    assert len(folder.entries()) == 3


def test_the_end_of_the_process_reports_that_it_was_stopped(
    scene: Scene, receiver: Receiver
) -> None:
    reporter = scene.reporter()
    scene.start(reporter)
    reporter._at_exit()
    reporter._at_exit()

    [finish] = _contents(receiver, FINISH)
    assert (finish["status"], finish["reason"]) == ("aborted", "stopped")
    assert len(_contents(receiver, FAILURE)) == 1


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
    assert _contents(receiver, FINISH)[0]["status"] == "succeeded"


def test_another_interrupt_at_the_end_is_nobodys_trouble(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = scene.reporter()
    scene.start(reporter)

    def interrupted(*_args: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Post, "wait", interrupted)
    reporter._at_exit()

    assert scene.warnings == []


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

    assert _contents(receiver, START)[0]["context"] == {"ticket": "OPS-1"}
    assert _contents(receiver, FINISH)[0]["context"] == {"ticket": "OPS-1", "color": "green"}
    assert len(scene.warnings) == 1
    assert scene.warnings[0].endswith(": nowhere")
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
        "aliops.cloudmonitor: 1 earlier deployment with undelivered events in %s"
        % scene.outbox.root
    ]


def test_what_was_given_up_after_a_run_is_said_once_by_the_next(scene: Scene) -> None:
    for name in ("one", "two"):
        scene.outbox.bury(name, {"reason": "not delivered within 168 hours"})
    for _number in range(2):
        scene.run()

    assert scene.said == [
        "aliops.cloudmonitor: events of 2 earlier deployments were refused or too old; "
        "they are kept in %s" % scene.outbox.dead
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


@pytest.mark.parametrize("identifier", ["部署/7", "\udcff\udcfe", "." * 300, " ", "a\nb"])
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
    assert len(scene.posts) == 1
    assert scene.posts[0]._courier is not None
    assert scene.posts[0]._courier.poll() is not None, "Python says nothing about it at exit"
    assert FINISH not in names_of(receiver.events)


def test_a_courier_of_an_earlier_playbook_is_reaped_or_reported_as_gone(scene: Scene) -> None:
    reporter = scene.reporter()
    scene.run(reporter)
    [post] = scene.posts
    assert post._courier is not None

    assert post._courier.poll() is not None, "no ResourceWarning about it at exit"


def test_the_outbox_is_found_below_a_folder_that_is_not_there_yet(
    scene: Scene, receiver: Receiver, tmp_path: Path
) -> None:
    scene.run(scene.reporter(outbox=str(tmp_path / "not" / "yet" / "outbox")))

    assert names_of(receiver.events) == [START, FINISH]
