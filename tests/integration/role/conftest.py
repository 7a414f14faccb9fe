# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the role's tests: one receiver, and playbooks that report to it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.role.harness import (
    Outcome,
    Play,
    Running,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "playbooks" / "files"))
from cloudmonitor_receiver import Credential, Receiver

KEY = ("role-key", "role-secret")


@pytest.fixture(scope="session")
def endpoint() -> Iterator[Receiver]:
    """The receiver of all tests of the role."""
    with Receiver([Credential(*KEY)]) as running:
        yield running


@pytest.fixture(scope="session")
def reporting(endpoint: Receiver) -> dict[str, str]:
    """The environment that makes a run report to the receiver."""
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY[0],
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": KEY[1],
        "CLOUDMONITOR_ENDPOINT": endpoint.url,
    }


@pytest.fixture(scope="module")
def report(
    endpoint: Receiver, reporting: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Outcome]:
    """Run plays with the role; further environment variables may be given."""

    def run(plays: Sequence[Play], *arguments: str, **env: str) -> Outcome:
        known = len(endpoint.events)
        folder = tmp_path_factory.mktemp("runs") / "with"
        outcome = Running(plays, folder, {**reporting, **env}, *arguments).outcome()
        events = [
            {"event": event["name"], "group": event["groupId"], **json.loads(event["content"])}
            for event in endpoint.events[known:]
        ]
        return replace(outcome, events=events)

    return run


@pytest.fixture(scope="module")
def deploy(
    report: Callable[..., Outcome], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[Outcome, Outcome]]:
    """Run plays with the role and, at the same time, without it; return both outcomes."""

    def run(plays: Sequence[Play], *arguments: str) -> tuple[Outcome, Outcome]:
        folder = tmp_path_factory.mktemp("runs") / "without"
        theirs = Running(plays, folder, {}, *arguments, with_role=False)
        return report(plays, *arguments), theirs.outcome()

    return run
