# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outboxes full of undelivered deployments, written by the collection's own storage code."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
PACKAGE = "bench_plugins"
# A process that is gone: Linux has no larger numbers than 4,194,304.
GONE = 2_147_483_647


def _module(name: str) -> Any:
    """Import a file of plugin_utils without Ansible, as a courier does."""
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [str(PLUGINS)]
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.plugin_utils.{name}")


@contextmanager
def _without_sync() -> Iterator[None]:
    """Do not wait for the disk: thousands of folders are written, and nothing is lost here."""

    def sync(_descriptor: int) -> None:
        pass

    # A mock would remember each call, and the memory of this process is the least that the system
    # reports for the processes that it starts.
    with mock.patch.object(os, "fsync", sync):
        yield


def fill(root: Path, number: int, key_id: str) -> None:
    """Add deployments with a start and a finish until ``number`` wait for the account of a key."""
    outbox = _module("_outbox.storage").Outbox(root)
    outbox.prepare()
    missing = number - len(list(outbox.runs.iterdir()))
    records, content = _module("_outbox.records"), _module("_deployment.content")
    naming = _module("_deployment.events").Naming(
        "deployment-start", "deployment-finish", "deployment-failure"
    )
    host, at = _module("_outbox.liveness").host_identity(), time.time()
    with _without_sync():
        for _number in range(missing):
            identifier = os.urandom(16).hex()
            running = content.Deployment(
                id=identifier, name="bench", controller=socket.gethostname(), started_at=at
            )
            finished = content.Deployment(
                **{**vars(running), "status": "succeeded", "finished_at": at, "elapsed_s": 0.0}
            )
            folder = outbox.create(identifier)
            folder.beat(host)
            run = records.RunRecord(
                deployment=running,
                naming=naming,
                destination=f"key:{key_id}",
                host=host,
                pid=GONE,
                mark="gone",
            )
            events = [records.events_record(one, naming, at) for one in (running, finished)]
            folder.append(run.dump(), *events)
