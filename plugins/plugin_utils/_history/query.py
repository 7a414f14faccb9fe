# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of deployment_info, from everything in the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...module_utils._api.frozen import frozen
from ...module_utils._api.timestamp import InvalidTime, parse_epoch
from .._outbox.current import follow, previous, service
from .._outbox.history import HistoryLines
from .._outbox.storage import Outbox
from .metrics import Sample, metrics
from .outbox_state import OutboxState, read_state

# The types that a reader may rely on. A newer version may write others; they are left out.
_TEXTS = frozenset(
    "schema parent phase version environment commit repository committed_at url playbook user "
    "controller started_at reason by delivery".split()
)
_MAPPINGS = frozenset("previous hosts ci git context details".split())


@frozen
class Filters:
    """Filters for deployments. None, or an empty ``status``, means all.

    ``since`` and ``until``: epoch seconds, both inclusive; a deployment belongs to the time at
    which it ended. ``limit``: how many deployments are listed at most.
    """

    name: str | None = None
    environment: str | None = None
    status: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    limit: int | None = None

    def accept_service(self, deployment: Mapping[str, Any]) -> bool:
        """Return whether a deployment has the name and the environment that are wanted."""
        name, environment = service(deployment)
        return self.name in (None, name) and self.environment in (None, environment)


@frozen
class Answer:
    """The deployments as plain data. Keys that are unknown are omitted from deployments.

    ``deployments``: finished deployments, the one that ended last comes first. Each is the content
    of its finish plus ``by`` (``callback``, ``role`` or ``task``) and ``delivery`` (``delivered``,
    ``waiting``, ``refused`` or ``expired``).

    ``running``: deployments of the callback that have not ended, the oldest first. Each is the
    content of its start plus ``overdue`` (whether an event has reported that).

    ``current``: the last deployment that succeeded, for each name and environment, in the form of
    ``deployments``. It may have ended before the period.

    ``metrics``: see metrics.py. ``status`` and ``limit`` do not affect them.

    ``matched``: how many deployments there are, regardless of ``limit``. ``damaged``: lines of
    the history that could not be read. ``unknown``: lines of a newer version that could not be
    understood. ``since`` and ``until``: the period in epoch seconds; ``since`` is None if the
    period begins with the first deployment.
    """

    deployments: list[dict[str, Any]]
    running: list[dict[str, Any]]
    current: list[dict[str, Any]]
    metrics: list[dict[str, Any]]
    matched: int
    damaged: int
    unknown: int
    since: float | None
    until: float


@frozen
class _Finish:
    """A finished deployment, and the time at which it ended in epoch seconds."""

    content: dict[str, Any]
    finished_at: float


def query(outbox_path: str | Path, filters: Filters, now: float) -> Answer:
    """Return what an outbox knows about deployments. ``now``: epoch seconds.

    Changes nothing. Unreadable files are left out.
    """
    outbox = Outbox(outbox_path)
    # A deployment that ends in between is in both, and never in neither.
    state = read_state(outbox)
    return compose(outbox.history.read(), state, filters, now)


def compose(history: HistoryLines, state: OutboxState, filters: Filters, now: float) -> Answer:
    """Return the answer from everything that was read. Pure."""
    finishes, unknown = _finishes(history.lines, state.deliveries)
    until = now if filters.until is None else filters.until
    ordered = sorted(finishes.values(), key=lambda one: one.finished_at)
    matching = [
        one.content
        for one in reversed(ordered)
        if filters.accept_service(one.content)
        and (not filters.status or one.content["status"] in filters.status)
        and (filters.since is None or one.finished_at >= filters.since)
        and one.finished_at <= until
    ]
    running = [one for one in state.running if not _has_ended(one, finishes)]
    samples = [_sample(one) for one in ordered]
    return Answer(
        deployments=matching if filters.limit is None else matching[: filters.limit],
        running=[one for one in running if filters.accept_service(one)],
        current=[one for one in _current(history.lines, finishes) if filters.accept_service(one)],
        metrics=[
            one
            for one in metrics(samples, filters.since, until, running)
            if filters.accept_service(one)
        ],
        matched=len(matching),
        damaged=history.damaged,
        unknown=history.unknown + unknown,
        since=filters.since,
        until=until,
    )


def _finishes(
    lines: Iterable[Mapping[str, Any]], deliveries: Mapping[str, str]
) -> tuple[dict[str, _Finish], int]:
    """Return the last line of each id, in the order of these lines, and how many are not usable."""
    found: dict[str, _Finish] = {}
    unknown = 0
    for line in lines:
        finished_at = _epoch(line["finished_at"])
        if finished_at is None:
            unknown += 1
            continue
        content = {key: value for key, value in line.items() if _is_usable(key, value)}
        delivery = deliveries.get(line["id"]) or content.pop("delivery", "delivered")
        found.pop(line["id"], None)
        found[line["id"]] = _Finish({**content, "delivery": delivery}, finished_at)
    return found, unknown


def _is_usable(key: str, value: Any) -> bool:
    if value is None:
        return False
    if key in _TEXTS:
        return isinstance(value, str)
    if key in _MAPPINGS:
        return isinstance(value, dict)
    if key == "duration_s":
        return type(value) in (int, float)
    if key == "failures":
        return isinstance(value, list) and all(isinstance(one, dict) for one in value)
    return not (key in ("check_mode", "truncated") and not isinstance(value, bool))


def _has_ended(running: Mapping[str, Any], finishes: Mapping[str, _Finish]) -> bool:
    """Return whether the history has the finish of a run, which writes it there first."""
    finish = finishes.get(running["id"])
    # Another deployment may have had the same id before.
    return finish is not None and finish.content.get("started_at") == running.get("started_at")


def _current(
    lines: Iterable[Mapping[str, Any]], finishes: Mapping[str, _Finish]
) -> list[dict[str, Any]]:
    """Return the current deployment of each name and environment, ordered by both."""
    entries: dict[tuple[str, str | None], dict[str, Any] | None] = {}
    for line in lines:
        entries[service(line)] = follow(entries.get(service(line)), line)
    found = []
    for key in sorted(entries, key=lambda key: (key[0], key[1] or "")):
        entry = entries[key]
        if entry is not None and entry["id"] in finishes:
            content = finishes[entry["id"]].content
            before = previous(entry, entry["id"])
            known = {} if before is None else {"previous": before}
            found.append({**known, **content})
    return found


def _sample(finish: _Finish) -> Sample:
    committed_at = _epoch(finish.content.get("committed_at"))
    return Sample.from_finish(finish.content, finish.finished_at, committed_at)


def _epoch(value: Any) -> float | None:
    try:
        return parse_epoch(value)
    except InvalidTime:
        return None
