# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the receiver remembers, and how it counts requests a second."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from receiver.ledger import Ledger, RateMeter


def test_more_requests_than_the_limit_in_any_second_are_too_many() -> None:
    meter = RateMeter(2)
    # Over the edge of a whole second, too: the window slides.
    assert [meter.over(at) for at in (0.75, 0.875, 1.125)] == [False, False, True]
    assert [meter.over(at) for at in (2.125, 2.25, 3.0625)] == [False, False, True]
    assert [meter.over(at) for at in (10.0, 10.0, 11.0)] == [False, False, False]


def test_exactly_the_limit_is_allowed_for_ever() -> None:
    meter = RateMeter(4)
    assert not any(meter.over(step * 0.25) for step in range(40))


def test_without_a_limit_nothing_is_too_many() -> None:
    meter = RateMeter(None)
    assert not any(meter.over(0.0) for _unused in range(1000))


def test_records_go_to_files_that_only_the_owner_reads(tmp_path: Path) -> None:
    events, requests = tmp_path / "events.jsonl", tmp_path / "requests.jsonl"
    umask = os.umask(0)
    try:
        ledger = Ledger(str(events), str(requests))
    finally:
        os.umask(umask)
    event = {"name": "部署", "content": "\u2028 🚀", "groupId": 7, "time": "1761000000123", "x": 1}
    ledger.record({"status": 200}, [event, {"name": "n", "content": "c"}], 1761000001.5)
    ledger.record({"status": 403}, [], 1761000002.0)
    ledger.close()

    for path in (events, requests):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = [json.loads(line) for line in events.read_bytes().splitlines()]
    assert read == ledger.events()
    assert read == [
        {
            "name": "部署",
            "content": "\u2028 🚀",
            "groupId": 7,
            "time": "1761000000123",
            "received_at": "2025-10-20T22:40:01.500Z",
            "request": 1,
        },
        {
            "name": "n",
            "content": "c",
            "groupId": 0,
            "time": None,
            "received_at": "2025-10-20T22:40:01.500Z",
            "request": 1,
        },
    ]
    read = [json.loads(line) for line in requests.read_bytes().splitlines()]
    assert read == ledger.requests() == [{"number": 1, "status": 200}, {"number": 2, "status": 403}]


def test_a_file_that_is_there_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    for _unused in range(2):
        ledger = Ledger(None, str(path))
        ledger.record({}, [], 0.0)
        ledger.close()
    assert path.read_text() == '{"number": 1}\n' * 2
