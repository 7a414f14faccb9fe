# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The message of a flush."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush import Flushed
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush_text import (
    counted_message,
    flushed_message,
)

ROOT = Path("/o")
ERROR = DeliveryError("It is down.", "connection", Outcome.OUTAGE)
KEPT = f"{ERROR} The events are safe in /o. After the cause is fixed, run flush_outbox again"


@pytest.mark.parametrize(
    ("numbers", "error", "expected"),
    [
        ((4, 0, 2), None, "Delivered 4, waiting 0, refused 2."),
        ((1, 3, 0), ERROR, f"Delivered 1, waiting 3, refused 0. {KEPT}."),
        ((0, 0, 2), ERROR, f"Delivered 0, waiting 0, refused 2. {KEPT} with dead: retry."),
        ((0, 0, 0), ERROR, f"Delivered 0, waiting 0, refused 0. {ERROR}"),
    ],
)
def test_a_message_has_the_numbers_and_after_a_failure_the_place_and_the_next_command(
    numbers: tuple[int, int, int], error: DeliveryError | None, expected: str
) -> None:
    delivered, pending, dead_count = numbers
    flushed = Flushed(delivered, pending, [], dead_count, changed=True)

    assert flushed_message(flushed, ROOT, error) == expected


def test_check_mode_tells_what_would_be_done() -> None:
    counted = Flushed(0, 1, [], 2, changed=False)

    assert counted_message(counted, "drop") == (
        "Check mode sent nothing. Events that wait: 1. A flush would deliver them, except those of "
        "active runs and of other credentials. Dead letters: 2. They would be deleted."
    )
