# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of the deployments of each service and environment. Pure.

Every metric names its sample size, because a ratio of two deployments says little. The guide
"See what was deployed" defines each of them in the same words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from ...module_utils._api.frozen import frozen
from .._outbox.current import deployed

_DAY_SECONDS = 86_400.0
_FAILED = ("failed", "aborted")


@frozen
class Sample:
    """The values of a finished deployment for the metrics. Times are epoch seconds."""

    id: str
    name: str
    environment: str | None
    status: str
    finished_at: float
    parent: str | None = None
    committed_at: float | None = None
    duration_s: float | None = None
    deployed: bool = True

    @staticmethod
    def from_finish(
        finish: Mapping[str, Any], finished_at: float, committed_at: float | None
    ) -> Sample:
        """Return the sample in the content of a finish, whose times are parsed already."""
        return Sample(
            id=finish["id"],
            name=finish["name"],
            environment=finish.get("environment"),
            status=finish["status"],
            finished_at=finished_at,
            parent=finish.get("parent"),
            committed_at=committed_at,
            duration_s=finish.get("duration_s"),
            deployed=deployed(finish),
        )


def metrics(
    samples: Iterable[Sample],
    since: float | None,
    until: float,
    running: Iterable[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the metrics of each name and environment, ordered by both.

    ``samples``: all finished deployments, also those before ``since``, because a deployment can
    end a failure that began before. ``since`` and ``until``: the period in epoch seconds, both
    inclusive; without ``since`` it begins with the first deployment of each service.
    ``running``: deployments that have not ended, with ``id``, ``name`` and ``environment``.
    """
    groups: dict[tuple[str, str | None], list[Sample]] = {}
    for sample in counted(samples, running):
        if sample.finished_at <= until:
            groups.setdefault((sample.name, sample.environment), []).append(sample)
    found = []
    for key in sorted(groups, key=lambda key: (key[0], key[1] or "")):
        group = sorted(groups[key], key=lambda sample: sample.finished_at)
        begin = group[0].finished_at if since is None else since
        result = _service_metrics(*key, group, begin, until)
        if result["frequency"]["deployments"] or result["recovery"]["open"]:
            found.append(result)
    return found


def counted(samples: Iterable[Sample], running: Iterable[Mapping[str, Any]] = ()) -> list[Sample]:
    """Return the deployments that count: they deployed something, and each counts once.

    A deployment is a part of another one if a deployment among its parents has the same name and
    environment. Only the outer one counts.
    """
    listed = list(samples)
    parents = {sample.id: sample for sample in listed}
    for one in running:
        parents.setdefault(
            one["id"],
            Sample(
                one["id"], one["name"], one.get("environment"), "running", 0.0, one.get("parent")
            ),
        )
    return [sample for sample in listed if sample.deployed and not _is_part(sample, parents)]


def _is_part(sample: Sample, parents: Mapping[str, Sample]) -> bool:
    seen = {sample.id}
    parent = sample.parent
    while parent is not None and parent not in seen and parent in parents:
        outer = parents[parent]
        if (outer.name, outer.environment) == (sample.name, sample.environment):
            return True
        seen.add(parent)
        parent = outer.parent
    return False


def _service_metrics(
    name: str, environment: str | None, group: Sequence[Sample], since: float, until: float
) -> dict[str, Any]:
    """Return the metrics of one service. ``group`` is ordered by time."""
    inside = [sample for sample in group if sample.finished_at >= since]
    # A shorter period would make one deployment look like many a day.
    days = max(1.0, (until - since) / _DAY_SECONDS)
    failed = sum(1 for sample in inside if sample.status in _FAILED)
    recoveries, open_since = _recoveries(group, since)
    leads = [
        max(0.0, sample.finished_at - sample.committed_at)
        for sample in inside
        if sample.status == "succeeded" and sample.committed_at is not None
    ]
    durations = [sample.duration_s for sample in inside if sample.duration_s is not None]
    return {
        "name": name,
        "environment": environment,
        "frequency": {
            "deployments": len(inside),
            "days": round(days, 3),
            "per_day": round(len(inside) / days, 4),
            "per_week": round(len(inside) * 7 / days, 4),
        },
        "failed": {
            "failed": failed,
            "deployments": len(inside),
            "ratio": round(failed / len(inside), 4) if inside else None,
        },
        "recovery": {
            "recoveries": len(recoveries),
            "median_s": _rounded(median(recoveries) if recoveries else None),
            "open": 0 if open_since is None else 1,
            "open_s": _rounded(None if open_since is None else until - open_since),
        },
        "lead_time": {
            "deployments": len(leads),
            "median_s": _rounded(median(leads) if leads else None),
        },
        "duration": {
            "deployments": len(durations),
            "p50_s": _rounded(percentile(durations, 50)),
            "p95_s": _rounded(percentile(durations, 95)),
        },
    }


def _recoveries(group: Sequence[Sample], since: float) -> tuple[list[float], float | None]:
    """Return how long recoveries took that ended from ``since`` on, and when an open one began.

    A recovery begins with the end of the first deployment that failed, and ends with the end of
    the next one that succeeded. Further failures in between belong to the same recovery.
    """
    found: list[float] = []
    failed_at: float | None = None
    for sample in group:
        if sample.status in _FAILED:
            failed_at = sample.finished_at if failed_at is None else failed_at
        elif failed_at is not None:
            if sample.finished_at >= since:
                found.append(sample.finished_at - failed_at)
            failed_at = None
    return found, failed_at


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return a percentile, None without values.

    Between the two closest ranks it is interpolated linearly, so that the 50th percentile is the
    median: with the sorted values v[0] to v[n-1], it is the value at (n - 1) * percent / 100.
    """
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
