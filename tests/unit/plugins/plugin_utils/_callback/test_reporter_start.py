# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A start that fails halfway is taken back: no later run may report it as lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback import reporter
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.reporter import Reporter
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.launch import (
    CourierProcess,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
    OutboxError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    CourierThread,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    names_of,
    open_locks,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import (
    FINISH,
    START,
    Scene,
)

STEPS: list[tuple[Any, str]] = [
    (Reporter, "_copy_variables"),
    (reporter, "collect_facts"),
    (reporter, "check_id"),
    (reporter, "events_record"),
    (reporter, "run_record"),
    (Reporter, "_courier_settings"),
    (Reporter, "_announce"),
    (Outbox, "prepare"),
    (Outbox, "create"),
    (Folder, "beat"),
    (Folder, "reserve"),
    (Folder, "append"),
    (OutboxWriter, "open"),
]
ERRORS: list[Exception] = [
    RuntimeError("unexpected"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    OSError(28, "No space left on device"),
    OutboxError("cannot be used"),
]
INTERRUPTS = [KeyboardInterrupt(), SystemExit(143)]


def _assert_nothing_stays(scene: Scene, receiver: Receiver) -> None:
    assert scene.outbox.folders() == []
    assert open_locks(scene.outbox) == []
    assert "CLOUDMONITOR_RUN_ID" not in scene.environ
    assert receiver.requests == []


def _start_and_give_up(scene: Scene, reporter: Reporter) -> None:
    """Start, and treat errors as the callback does."""
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        try:
            scene.start(reporter)
        except Exception:
            reporter.give_up()
    reporter._at_exit()


@pytest.mark.parametrize("error", [*ERRORS, *INTERRUPTS], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("owner", "name"), STEPS, ids=lambda part: getattr(part, "__name__", part))
def test_an_error_at_any_step_takes_the_start_back(
    scene: Scene,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    moment: str,
    error: BaseException,
) -> None:
    real: Callable[..., Any] = getattr(owner, name)

    def failing(*args: Any, **named: Any) -> Any:
        if moment == "after":
            real(*args, **named)
        raise error

    one = scene.reporter()
    monkeypatch.setattr(owner, name, failing)
    _start_and_give_up(scene, one)

    if (name, moment) == ("create", "after"):
        # An empty folder, which the next run removes without a report.
        [folder] = scene.outbox.folders()
        assert folder.size() == 0
        return
    _assert_nothing_stays(scene, receiver)


class Refusing(dict[str, str]):
    """An environment that refuses a value, as os.environ does for a NUL."""

    def __setitem__(self, name: str, value: str) -> None:
        raise ValueError("embedded null byte")


def test_an_environment_that_refuses_the_id_takes_the_start_back(
    scene: Scene, receiver: Receiver
) -> None:
    scene.environ = Refusing(scene.environ)
    _start_and_give_up(scene, scene.reporter())

    _assert_nothing_stays(scene, receiver)


@pytest.mark.parametrize("identifier", ["a\0b", "a\nb", "\x1b[2J", "a\x7f", "\ud800"])
def test_an_id_with_a_control_character_is_one_warning_before_anything_is_written(
    scene: Scene, receiver: Receiver, identifier: str
) -> None:
    scene.run(scene.reporter(deployment_id=identifier))

    (warning,) = scene.warnings
    assert "deployment_id: contains" in warning
    assert warning.isprintable()
    _assert_nothing_stays(scene, receiver)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_courier_that_cannot_be_started_costs_no_event(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(_writer: OutboxWriter, _courier: CourierProcess) -> None:
        raise error

    monkeypatch.setattr(OutboxWriter, "hand_over", failing)
    reporter = scene.reporter()
    scene.start(reporter)
    [warning] = scene.warnings
    assert "Events wait in" in warning
    scene.finish(reporter)

    [folder] = scene.outbox.folders()
    assert len(folder.entries()) == 3


def test_after_an_interrupt_of_the_hand_over_the_run_is_reported_at_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_courier: CourierThread, *_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CourierThread, "hand_over", interrupted)
    monkeypatch.setattr(CourierThread, "is_alive", False)
    reporter = scene.reporter()
    with pytest.raises(KeyboardInterrupt):
        scene.start(reporter)
    reporter._at_exit()

    [folder] = scene.outbox.folders()
    assert len(folder.entries()) == 3


@pytest.mark.parametrize("error", INTERRUPTS)
def test_an_interrupt_before_the_courier_is_there_takes_the_start_back(
    scene: Scene, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def failing(_writer: OutboxWriter, _courier: CourierProcess) -> None:
        raise error

    monkeypatch.setattr(OutboxWriter, "hand_over", failing)
    one = scene.reporter()
    with pytest.raises(type(error)):
        scene.start(one)
    one._at_exit()

    _assert_nothing_stays(scene, receiver)


def test_an_interrupt_after_the_courier_is_there_is_the_end_of_a_run(
    scene: Scene, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = OutboxWriter.hand_over

    def interrupted(writer: OutboxWriter, courier: CourierProcess) -> None:
        real(writer, courier)
        raise KeyboardInterrupt

    monkeypatch.setattr(OutboxWriter, "hand_over", interrupted)
    one = scene.reporter()
    with pytest.raises(KeyboardInterrupt):
        scene.start(one)
    one._at_exit()

    assert names_of(receiver.events)[:2] == [START, FINISH]
