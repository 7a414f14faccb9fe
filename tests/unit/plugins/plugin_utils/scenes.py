# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reporters of one outbox that deliver to a receiver, and their messages."""

from __future__ import annotations

import atexit
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import yaml
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.callback import deployment_events
from ansible_collections.aliops.cloudmonitor.plugins.doc_fragments.connection import (
    ModuleDocFragment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback import (
    reporter as reporter_file,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.playbooks import (
    PlaybookFile,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.reporter import Reporter
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.stats import COUNTERS
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.clock import (
    Moment,
    present_moment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.launch import (
    CourierProcess,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    KEY_ID,
    SECRET,
    CourierThread,
)

START, FINISH, FAILURE = "deployment-start", "deployment-finish", "deployment-failure"
# The defaults as documented, so that a new option is in every test.
DEFAULTS: dict[str, Any] = {
    name: [] if option["type"] == "list" else option.get("default")
    for text in (deployment_events.DOCUMENTATION, ModuleDocFragment.DOCUMENTATION)
    for name, option in yaml.safe_load(text)["options"].items()
}
KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}


class Scene:
    """Reporters of one outbox, with their environment, warnings and other messages.

    ``in_processes``: whether their couriers are processes, or threads, which start faster.
    """

    in_processes = False

    def __init__(self, outbox: Outbox, url: str) -> None:
        self.outbox = outbox
        self.environ: dict[str, str] = dict(KEY)
        self.warnings: list[str] = []
        self.said: list[str] = []
        self.options: dict[str, Any] = {
            **DEFAULTS, "flush_timeout": 15.0, "linger": 10.0, "outbox": str(outbox.root),
            "endpoint": url, "timeout": 3.0,
        }  # fmt: skip
        self.writers: list[OutboxWriter] = []

    def reporter(
        self,
        now: Callable[[], Moment] = present_moment,
        how: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Reporter:
        return Reporter(
            {**self.options, **options},
            self.environ,
            self.warnings.append,
            self.said.append,
            now=now,
            **(how or {}),
        )

    def start(
        self, reporter: Reporter, playbook: str = "site.yml", number: int = 1, check: bool = False,
        **extra: Any,
    ) -> None:  # fmt: skip
        file = PlaybookFile(playbook, playbook)
        reporter.start(file, number, check, extra, lambda value: value)

    def finish(
        self, reporter: Reporter, variables: Any = None, **counts: int
    ) -> signal.Signals | None:
        reading = {"web1": {**dict.fromkeys(COUNTERS, 0), **(counts or {"ok": 1})}}
        return reporter.finish(reading, None, variables or {}, lambda value: value)

    def run(self, reporter: Reporter | None = None, **counts: int) -> None:
        reporter = reporter or self.reporter()
        self.start(reporter)
        self.finish(reporter, **counts)


@contextmanager
def scene_of(outbox: Outbox, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Provide a Scene, and end its couriers afterwards."""
    monkeypatch.setattr(atexit, "register", lambda _function: None)
    here = Scene(outbox, url)
    started: list[CourierProcess | CourierThread] = []
    real = OutboxWriter.hand_over

    def hand_over(writer: OutboxWriter, courier: CourierProcess) -> None:
        here.writers.append(writer)
        real(writer, courier)

    def start(outbox: str) -> CourierProcess | CourierThread:
        started.append(CourierProcess(outbox) if here.in_processes else CourierThread())
        return started[-1]

    monkeypatch.setattr(OutboxWriter, "hand_over", hand_over)
    monkeypatch.setattr(reporter_file, "CourierProcess", start)
    try:
        yield here
    finally:
        for courier in started:
            if isinstance(courier, CourierThread):
                courier.stop()
                continue
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(courier.process.pid, signal.SIGKILL)
                os.waitpid(courier.process.pid, 0)
            courier.abandon()


def contents(receiver: Receiver, name: str) -> list[dict[str, Any]]:
    return [json.loads(event["content"]) for event in receiver.events if event["name"] == name]
