# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call bounded by wall-clock time: its result, its error, or the end of patience."""

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.deadline import (
    DeadlineExceeded,
    within,
)


@pytest.mark.parametrize("value", [1, None, "", []], ids=repr)
def test_a_call_that_ends_in_time_hands_over_its_value(value: object) -> None:
    assert within(10, lambda: value) is value


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
def test_a_call_that_fails_hands_over_its_error(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        within(10, fail)
    assert caught.value is error


def test_a_call_that_hangs_is_left_behind_when_the_time_is_up() -> None:
    go_on = threading.Event()
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        within(0.05, go_on.wait)

    assert time.monotonic() - began < 5
    left = [thread for thread in threading.enumerate() if thread.name == "cloudmonitor-attempt"]
    assert all(thread.daemon for thread in left)
    go_on.set()
    for thread in left:
        thread.join(10)
        assert not thread.is_alive()
