# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many controllers share the rate limit of one account."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.client import BACKOFF_MAX
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    Running,
    play,
    until,
    using,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET

CONTROLLERS = 2
EARLIER = 3  # deployments that each controller could not report before
# Requests a second. The documented limit of an account is 20; a lower one needs fewer controllers.
RATE = 2
SECONDS = 120.0
# Longer than the couriers are stopped. An attempt that exceeds its timeout meanwhile would be
# accepted and, correctly, repeated.
ATTEMPT = 60.0


@pytest.fixture
def account() -> Iterator[Receiver]:
    """A receiver that takes RATE requests in any second. Refused requests count."""
    with Receiver([Credential(KEY_ID, SECRET)], rate=RATE) as running:
        yield running


@pytest.fixture
def controllers(tmp_path: Path, account: Receiver) -> Iterator[list[Project]]:
    """Projects of one account, each with a separate outbox like a separate controller."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(using(tmp_path / (f"controller-{number}"), account))
            for number in range(CONTROLLERS)
        ]


def name_of(number: int, kind: str) -> str:
    return f"{kind}-of-{number}"


def leave_behind(controllers: list[Project]) -> set[str]:
    """Store deployments that no controller could report; return their ids."""
    ids = set()
    for number, controller in enumerate(controllers):
        for earlier in range(EARLIER):
            identifier = name_of(number, f"earlier-{earlier}")
            controller.store(identifier, "succeeded")
            ids.add(identifier)
    return ids


def start_all(controllers: list[Project]) -> list[Running]:
    """Start a run on each controller; its courier cannot deliver anything yet."""
    runs = [
        controller.start(
            [play(controller.wait_task(), hosts="h1")],
            CLOUDMONITOR_DEPLOYMENT_ID=name_of(number, "healthy"),
            CLOUDMONITOR_FLUSH_TIMEOUT="0",
            CLOUDMONITOR_LINGER=f"{SECONDS:g}",
            CLOUDMONITOR_TIMEOUT=f"{ATTEMPT:g}",
        )
        for number, controller in enumerate(controllers)
    ]
    for controller in controllers:
        controller.under_way()
        until(controller.couriers, "a courier")
    return runs


def send(couriers: list[int], number: signal.Signals) -> None:
    for courier in couriers:
        os.kill(courier, number)


def test_controllers_of_one_account_deliver_everything_once_within_its_limit(
    controllers: list[Project], account: Receiver
) -> None:
    account.set_faults(["status=503*inf"])
    ids = leave_behind(controllers)
    runs = start_all(controllers)
    couriers = [courier for controller in controllers for courier in controller.couriers()]
    # Stop them until all their waits between two attempts are over: then they start together.
    send(couriers, signal.SIGSTOP)
    since = time.monotonic()
    until(lambda: time.monotonic() - since > BACKOFF_MAX, "the end of every wait")
    account.set_faults([])
    before = len(account.requests)

    send(couriers, signal.SIGCONT)
    for controller in controllers:
        controller.release()

    for run in runs:
        ended = run.ended().may_warn()
        assert ended.rc == 0, ended.output
    ids |= {name_of(number, "healthy") for number in range(CONTROLLERS)}
    account.wait_for(2 * len(ids), deadline=SECONDS)
    for controller in controllers:
        controller.settled()
        assert controller.waiting() == controller.dead() == []
    counted = Counter((event["id"], event["event"]) for event in controllers[0].events())
    assert counted == {(one, event): 1 for one in ids for event in (START, FINISH)}
    # Together, they exceeded the limit.
    asked = account.requests[before:]
    assert [one for one in asked if "rate limit" in (one["msg"] or "")]
