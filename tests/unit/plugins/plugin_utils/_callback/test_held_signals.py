# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals during the report of a finish: noted, without an effect, and only for that time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.held_signals import (
    HeldSignals,
    held_signals,
)

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", BOTH)
@pytest.mark.parametrize("action", [signal.SIG_DFL, signal.default_int_handler])
def test_a_signal_is_noted_and_has_no_effect(number: signal.Signals, action: Any) -> None:
    signal.signal(number, action)
    with held_signals() as held:
        assert not held.has_any()
        signal.raise_signal(number)
        assert held.has_any()

    assert held.received is number
    assert signal.getsignal(number) is action


def test_the_first_signal_counts() -> None:
    with held_signals() as held:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            signal.raise_signal(number)

    assert held.received is signal.SIGTERM


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_signals() as held:
        signal.raise_signal(signal.SIGINT)

    assert held.received is None


def test_the_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="x"), held_signals():
        raise ValueError("x")

    assert signal.getsignal(signal.SIGINT) is before


def test_outside_of_the_main_thread_nothing_is_held() -> None:
    seen: list[HeldSignals] = []

    def run() -> None:
        with held_signals() as held:
            seen.append(held)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert [held.has_any() for held in seen] == [False]
