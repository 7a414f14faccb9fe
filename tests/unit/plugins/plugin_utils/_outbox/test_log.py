# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: whole lines, whatever writes at the same time, and never a reason to stop."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.log import (
    CourierLog,
    LogDecision,
    LogLine,
    parse_line,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    in_place_of,
)

_ANYTHING = st.text(max_size=700)
_WRITERS = 6


@given(deployment=_ANYTHING, text=_ANYTHING, decision=st.sampled_from(LogDecision))
def test_a_line_is_short_has_no_control_characters_and_is_read_back(
    deployment: str, text: str, decision: LogDecision
) -> None:
    data = LogLine(1_763_800_000.25, deployment, decision, text).dump()

    assert len(data) <= 500
    shown = data.decode()
    assert shown.endswith("\n")
    assert shown[:-1].isprintable()
    line = parse_line(shown)
    assert line is not None
    assert (line.at, line.decision) == (1_763_800_000.25, decision)
    assert text.strip()[:100].isprintable() is False or line.text[:100] in " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-11-26T00:14:45.123Z d1 accepted", "then d1 accepted 2 events",
     "2026-11-26T00:14:45.123Z d1 unheard-of 2 events", "\0" * 90],
)  # fmt: skip
def test_a_damaged_or_unknown_line_is_not_read(text: str) -> None:
    assert parse_line(text) is None


def test_lines_of_one_deployment_are_found_in_both_files(tmp_path: Path) -> None:
    log = CourierLog(tmp_path, limit=1000, margin=100)
    for number in range(24):
        log.add(f"d{number % 2}", LogDecision.RETRY, f"{number} events")

    assert log.older_path.exists()
    assert [line.events for line in log.lines("d1")][-3:] == [19, 21, 23]
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("limit", "margin", "all_kept"), [(200_000, 50_000, True), (32_768, 8_192, False)]
)
def test_many_processes_write_whole_lines_while_the_log_is_rotated(
    tmp_path: Path, limit: int, margin: int, all_kept: bool
) -> None:
    """The first limit makes one rotation necessary, which loses no line; the second many.

    All lines fit into the first limit, so none is left out while another process rotates.
    """
    context = get_context("fork")
    start = context.Barrier(_WRITERS)

    def write(name: str) -> None:
        log = CourierLog(tmp_path, limit=limit, margin=margin)
        start.wait(30)
        for number in range(300):
            log.add(name, LogDecision.ACCEPTED, f"{number} events " + "x" * 50)

    writers = [context.Process(target=write, args=(f"w{n}",)) for n in range(_WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * _WRITERS

    log = CourierLog(tmp_path, limit=limit, margin=margin)
    texts = [text for path in (log.older_path, log.path) for text in path.read_text().splitlines()]
    found = [parse_line(text) for text in texts if text]
    assert None not in found
    numbers = sorted((line.deployment, line.events) for line in found if line is not None)
    assert max(log.path.stat().st_size, log.older_path.stat().st_size) <= limit
    assert len(numbers) == len(set(numbers))
    if all_kept:
        assert numbers == sorted(
            (f"w{n}", number) for n in range(_WRITERS) for number in range(300)
        )
    else:
        assert len(numbers) < _WRITERS * 300


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["courier.log", "courier.log.1"])
def test_a_log_that_cannot_be_written_is_no_reason_to_stop(
    tmp_path: Path, name: str, kind: str
) -> None:
    with in_place_of(tmp_path / name, kind):
        log = CourierLog(tmp_path, limit=2000, margin=200)
        begin = time.monotonic()
        for _number in range(30):
            log.add("d1", LogDecision.ACCEPTED, "2 events")
        list(log.lines())
        CourierLog(tmp_path / "nowhere").add("d1", LogDecision.ACCEPTED, "2 events")

        assert time.monotonic() - begin < 5
        if name == "courier.log.1":
            assert 0 < log.path.stat().st_size <= 2000


def test_a_process_that_was_stopped_while_it_rotates_blocks_nobody(tmp_path: Path) -> None:
    log = CourierLog(tmp_path, limit=2000, margin=500)
    log.add("d1", LogDecision.STARTED, "")
    with log.path.open("rb") as rotating:
        fcntl.flock(rotating, fcntl.LOCK_EX)
        for number in range(100):
            log.add("d1", LogDecision.ACCEPTED, f"{number} events")

        assert 1000 < log.path.stat().st_size <= 1500
        assert not log.older_path.exists()
    log.add("d1", LogDecision.ENDED, "")

    assert [line.decision for line in log.lines()][-1] is LogDecision.ENDED


def test_a_line_that_a_full_disk_has_cut_costs_only_itself(tmp_path: Path) -> None:
    log = CourierLog(tmp_path)
    log.add("d1", LogDecision.STARTED, "")
    os.truncate(log.path, log.path.stat().st_size - 5)
    log.add("d1", LogDecision.ENDED, "")

    assert [line.decision for line in log.lines()][-1] is LogDecision.ENDED
