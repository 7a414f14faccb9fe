# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories of deployments, as the outbox stores them, for tests, benchmarks and pictures."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.timestamp import iso_time

DAY = 86_400.0
SERVICES = ("shop", "checkout", "search", "billing", "mail")
ENVIRONMENTS = ("production", "staging")


def finish(
    identifier: str, finished_at: float, status: str = "succeeded", **parts: Any
) -> dict[str, Any]:
    """A line of the history. ``duration_s`` and ``committed_at`` are numbers; None omits a key."""
    duration = parts.pop("duration_s", 60.0)
    committed_at = parts.pop("committed_at", None)
    line = {
        "schema": "deployment/1",
        "id": identifier,
        "phase": "finish",
        "status": status,
        "name": "shop",
        "environment": "production",
        "started_at": iso_time(finished_at - (duration or 0)),
        "finished_at": iso_time(finished_at),
        "duration_s": duration,
        "committed_at": None if committed_at is None else iso_time(committed_at),
        "by": "callback",
        **parts,
    }
    return {key: value for key, value in line.items() if value is not None}


def invented(
    count: int,
    now: float,
    days: float = 90.0,
    names: Sequence[str] = SERVICES,
    environments: Sequence[str] = ENVIRONMENTS,
    seed: int = 1,
) -> list[dict[str, Any]]:
    """``count`` plausible deployments of the last ``days``, the oldest first."""
    chance = random.Random(seed)  # the same history every time
    moments = sorted(now - chance.random() * days * DAY for _number in range(count))
    return [_invented(number, at, names, environments, chance) for number, at in enumerate(moments)]


def _invented(
    number: int,
    at: float,
    names: Sequence[str],
    environments: Sequence[str],
    chance: random.Random,
) -> dict[str, Any]:
    status = chance.choices(("succeeded", "failed", "aborted", "empty"), (88, 8, 3, 1))[0]
    commit = f"{chance.getrandbits(160):040x}"
    host = f"web{chance.randint(1, 9)}"
    return finish(
        f"{chance.getrandbits(128):032x}",
        at,
        status,
        name=chance.choice(names),
        environment=chance.choice(environments),
        version=f"1.{number // 20}.{number % 20}",
        commit=commit,
        repository="https://git.example.com/shop/app.git",
        committed_at=at - chance.uniform(600, 5 * DAY),
        user=chance.choice(("amal", "bo", "chen")),
        duration_s=round(chance.uniform(20, 600), 3),
        by=chance.choice(("callback", "callback", "role", "task")),
        reason="killed" if status == "aborted" else None,
        failures=[{"host": host, "task": "Restart"}] if status == "failed" else None,
        ci={"system": "gitlab", "url": f"https://ci.example.com/jobs/{number}", "job": str(number)},
    )


def write_history(outbox: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write lines as an outbox has them, each into the month in which its deployment ended."""
    folder = outbox / "history"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    months: dict[str, list[str]] = {}
    for line in lines:
        months.setdefault(line["finished_at"][:7], []).append(json.dumps(line) + "\n")
    for month, texts in months.items():
        with (folder / f"{month}.jsonl").open("a", encoding="utf-8") as file:
            file.write("".join(texts))


def demo(outbox: Path, count: int = 200, now: float | None = None, **parts: Any) -> None:
    """Write an invented history into an outbox."""
    write_history(outbox, invented(count, time.time() if now is None else now, **parts))
