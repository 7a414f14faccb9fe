# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real runs beside an outbox in which every file is damaged in every way, all at once."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import uptime
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.waiting_time import (
    WaitingTime,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    in_place_of,
    left_behind,
)

SEED = int(os.environ.get("CLOUDMONITOR_TEST_SEED") or 20_261)
HANG_SECONDS = 5.0
GOOD = [f"good-{number}" for number in range(6)]
FILES = ["journal", "delivered", "lock", "heartbeat", "status", "waited", "destination", "reserve"]
DEAD_FILES = [".lock", ".retry", ".told", "letters.jsonl"]
JSON_VALUES = [
    "null",
    "[]",
    "7",
    '"x"',
    "{}",
    '{"record":[],"at":{}}',
    '{"record":"run"}',
    "[" * 999,
]


def _truncate(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes() or b"?")
    for _number in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _swap_types(path: Path, rng: random.Random) -> None:
    """Replace a value of a JSON mapping, or the whole line, by one of another type."""
    lines = path.read_text().splitlines() or [""]
    number = rng.randrange(len(lines))
    try:
        record = json.loads(lines[number])
        record[rng.choice(list(record))] = rng.choice([None, [], {}, -1, 10**400, "x", True])
        lines[number] = json.dumps(record)
    except (ValueError, TypeError, IndexError):
        lines[number] = rng.choice(JSON_VALUES)
    path.write_text("\n".join(lines) + "\n")


def _make_huge(path: Path, _rng: random.Random) -> None:
    with path.open("ab") as file:
        file.truncate(2_000_000_000)


def _make_long(path: Path, rng: random.Random) -> None:
    with path.open("ab") as file:
        file.write(rng.choice([b"{}\n", b'{"a":1}', b"\0"]) * 3_000_000)


def _garble(path: Path, rng: random.Random) -> None:
    path.write_bytes(bytes(rng.randrange(256) for _number in range(5000)))


def _date(path: Path, rng: random.Random) -> None:
    moment = rng.choice([-1e9, 0, 1, 4e9, 2.6e11, 1e12])
    os.utime(path, (moment, moment))


def _empty(path: Path, _rng: random.Random) -> None:
    path.write_bytes(b"")


def _remove(path: Path, _rng: random.Random) -> None:
    path.unlink()


def _close(path: Path, _rng: random.Random) -> None:
    path.chmod(0)


CHANGES: dict[str, Callable[[Path, random.Random], None]] = {
    "truncated": _truncate,
    "flipped": _flip,
    "empty": _empty,
    "gone": _remove,
    "other types": _swap_types,
    "huge": _make_huge,
    "long": _make_long,
    "garbage": _garble,
    "another time": _date,
    "unreadable": _close,
}


def _damage(path: Path, kind: str, rng: random.Random, stack: ExitStack) -> None:
    if kind in CHANGES:
        CHANGES[kind](path, rng)
    elif kind != "device" or os.geteuid() == 0:
        stack.enter_context(in_place_of(path, kind))


def _fill(outbox: Outbox, rng: random.Random, stack: ExitStack) -> list[Path]:
    """Make folders of runs that are over, a few of them good; return the damaged ones."""
    destination = f"key:{KEY_ID}"
    for name in GOOD:
        left_behind(outbox, name, finished=rng.random() < 0.5, destination=destination)
    damaged = []
    for name in FILES:
        for kind in (*CHANGES, *KINDS):
            folder = left_behind(
                outbox,
                f"{name} {kind}",
                finished=rng.random() < 0.5,
                destination=destination,
            )
            folder.set_delivered(rng.choice([0, folder.entries()[0].end]))
            folder.set_status({"state": "trouble"})
            folder.set_waited(WaitingTime(5.0, uptime()))
            folder.set_destination(destination)
            folder.reserve()
            (folder.path / "lock").touch()
            _damage(folder.path / name, kind, rng, stack)
            for path in (folder.path / "heartbeat", folder.path):
                if path.exists() and (name, kind) != ("heartbeat", "another time"):
                    os.utime(path, (time.time() - 600,) * 2, follow_symlinks=False)
            damaged.append(folder.path)
    outbox.dead_letters.add("letters", {"reason": "refused"})
    for name in DEAD_FILES:
        (outbox.dead / name).touch()
        _damage(outbox.dead / name, rng.choice([*CHANGES, *KINDS]), rng, stack)
    _damage(_created(outbox.damaged / ".told"), rng.choice(KINDS), rng, stack)
    return damaged


def _created(path: Path) -> Path:
    path.touch()
    return path


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_damage_of_any_file_touches_no_run_and_no_other_deployment(
    project: Project, stack: ExitStack
) -> None:
    sys.stdout.write(f"CLOUDMONITOR_TEST_SEED={SEED}\n")
    outbox = Outbox(project.outbox)
    outbox.prepare()
    damaged = _fill(outbox, random.Random(SEED), stack)

    deploy = [play(say(), hosts="h1")]
    run = project.run(deploy, CLOUDMONITOR_DEPLOYMENT_ID="own", CLOUDMONITOR_LINGER="80")

    assert (run.rc, run.warnings) == (0, []), run.output
    assert [event["event"] for event in project.events(id="own")] == [START, FINISH]
    project.settled(120)
    for name in GOOD:
        events = [event["event"] for event in project.events(id=name)]
        assert events[:2] == [START, FINISH], name
        assert len(events) == len(set(events)), name
    for identifier in {event["id"] for event in project.events()}:
        finishes = project.events(id=identifier, event=FINISH)
        assert len({finish["status"] for finish in finishes}) <= 1, "they contradict each other"
    left = [path.name for path in damaged if path.exists()]
    assert left == [], "everything was delivered or set aside"

    flush: dict[str, Any] = {"aliops.cloudmonitor.flush_outbox": {}}
    project.write("flush.yml", [play(flush, hosts="h1")])
    project.write("site.yml", deploy)
    # The flush is not reported.
    following = project.run("flush.yml", "site.yml", CLOUDMONITOR_EXCLUDE_PLAYBOOKS="flush.yml")
    usual = project.run("site.yml")
    assert (following.rc, usual.rc, usual.warnings) == (0, 0, []), usual.output
    assert len(following.warnings) == 1, following.output
    for ended in (run, following):
        assert ended.seconds < 2 * usual.seconds + HANG_SECONDS, "twice: the machine may be busy"
