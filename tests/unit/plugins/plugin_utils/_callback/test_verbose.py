# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What -v and -vv show about a delivery, and that nothing is shown without them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.verbose import (
    attempt_lines,
    delivered_line,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.log import (
    LogDecision,
    LogLine,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    STARTED,
    deployment,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import Scene

DELIVERED = r"1 deployment site: 2 events delivered to http://127\.0\.0\.1:\d+ in \d\.\d s \(id A\)"
ATTEMPT = r"2 \d\d:\d\d:\d\d\.\d{3} %s "


def test_a_name_cannot_change_the_terminal() -> None:
    line = delivered_line(deployment(name="shop\n\x1b[31m\u202e"), 1, "cn-hangzhou", 0.125)

    assert line.isprintable()
    assert line.endswith("1 event delivered to cn-hangzhou in 0.1 s (id d1)")


def test_only_the_last_attempts_of_this_run_are_shown() -> None:
    log = [LogLine(STARTED + at, "d1", LogDecision.RETRY, f"{at}") for at in range(-9, 300)]
    shown = attempt_lines(log, STARTED)

    assert len(shown) == 50
    assert shown[-1].endswith(" retry 299")
    assert attempt_lines(log[:9], STARTED) == []


@pytest.mark.parametrize(
    ("verbosity", "faults", "lines"),
    [
        (0, [], []),
        (1, [], [DELIVERED]),
        (2, [], [*(ATTEMPT % word for word in ("started", "accepted", "accepted")), DELIVERED]),
        (1, ["permission*inf"], ["1 deployment site: .*Attach the policy"]),
    ],
)
def test_the_verbosity_decides_how_much_is_shown(
    scene: Scene, receiver: Receiver, verbosity: int, faults: list[str], lines: list[str]
) -> None:
    receiver.set_faults(faults)
    shown: list[str] = []

    def explain(level: int, text: str) -> None:
        if level <= verbosity:
            shown.append(f"{level} {text}")

    how: dict[str, Any] = {"verbosity": verbosity, "explain": explain}
    reporter = scene.reporter(how=how, deployment_id="A")
    scene.start(reporter)
    if not faults:
        receiver.wait_for(1)
    scene.finish(reporter)

    assert len(scene.warnings) == len(faults)
    assert len(shown) == len(lines), shown
    for line, pattern in zip(shown, lines, strict=True):
        assert re.match(pattern, line), line
