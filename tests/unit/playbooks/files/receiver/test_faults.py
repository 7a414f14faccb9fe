# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How faults are written, and in which order requests meet them."""

from __future__ import annotations

import pytest
from receiver.faults import KINDS, FaultError, FaultQueue, fault_help, parse_fault


def taken(queue: FaultQueue, count: int) -> list[str]:
    faults = [queue.take() for _unused in range(count)]
    return ["" if fault is None else fault.text for fault in faults]


def test_each_request_takes_the_next_fault_and_then_all_is_well() -> None:
    queue = FaultQueue(["status=503*2", "ok", "reset"])
    assert taken(queue, 6) == ["status=503", "status=503", "", "reset", "", ""]


def test_inf_is_for_ever() -> None:
    queue = FaultQueue(["close", "throttle*inf", "reset"])
    assert taken(queue, 50) == ["close"] + ["throttle"] * 49
    assert queue.remaining() == ["throttle*inf", "reset"]


def test_what_is_left_can_be_seen_and_given_again() -> None:
    queue = FaultQueue(["ok*3", "drip=0.5", "html*2"])
    queue.take()
    assert queue.remaining() == ["ok*2", "drip=0.5", "html=200*2"]
    assert FaultQueue(queue.remaining()).remaining() == queue.remaining()


def test_a_new_queue_replaces_the_old_one() -> None:
    queue = FaultQueue(["hang*inf"])
    queue.replace(["reset"])
    assert taken(queue, 2) == ["reset", ""]


def test_a_wrong_specification_changes_nothing() -> None:
    queue = FaultQueue(["reset"])
    with pytest.raises(FaultError):
        queue.replace(["close", "nonsense"])
    assert queue.remaining() == ["reset"]


@pytest.mark.parametrize(
    ("spec", "name", "arg", "left"),
    [
        ("429", "429", None, 1),
        ("429*3", "429", None, 3),
        ("retry-after=2", "retry-after", "2", 1),
        (
            "retry-after=Wed, 21 Oct 2026 07:28:00 GMT*2",
            "retry-after",
            "Wed, 21 Oct 2026 07:28:00 GMT",
            2,
        ),
        ("status=599*inf", "status", "599", None),
        ("html", "html", "200", 1),
        ("html=502", "html", "502", 1),
        ("redirect", "redirect", "/redirected", 1),
        ("redirect=http://127.0.0.1:1/a*b?c=d*2", "redirect", "http://127.0.0.1:1/a*b?c=d", 2),
        ("slow=0.25", "slow", "0.25", 1),
        ("drip-head", "drip-head", "1", 1),
    ],
)
def test_a_specification_has_a_name_an_argument_and_a_count(
    spec: str, name: str, arg: str | None, left: int | None
) -> None:
    turn = parse_fault(spec)
    assert (turn.fault.name, turn.fault.arg, turn.left) == (name, arg, left)


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "nonsense",
        "status",
        "status=200",
        "status=700",
        "status=5xx",
        "code",
        "code=200",
        "reset=1",
        "slow",
        "slow=-1",
        "slow=soon",
        "slow=nan",
        "hang*0",
        "hang*",
        "hang*-1",
        "hang*two",
        "hang\n",
        "redirect=a\r\nb",
        "retry-after=",
    ],
)
def test_a_wrong_specification_is_an_error_that_shows_it(spec: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(spec)
    assert repr(spec) in str(caught.value)


def test_the_help_explains_every_fault() -> None:
    lines = fault_help().splitlines()
    assert len(lines) == len(KINDS)
    for line, (name, kind) in zip(lines, KINDS.items(), strict=True):
        assert line.strip().startswith(name)
        assert line.endswith(kind.help)
