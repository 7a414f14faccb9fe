# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the report as texts: totals, services by environment, runs, metrics, rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...module_utils._api.frozen import frozen
from .._history.query import Answer
from .._outbox.terminal import counted
from .words import (
    age_words,
    cut,
    duration_words,
    epoch_from,
    text_from,
    time_words,
    web_link,
)

MAX_SERVICES = 150
MAX_ENVIRONMENTS = 12
# Outside of the table, which has the complete texts.
NO_VERSION = "no version"
_SHORT_CHARACTERS = 100
_SHOWN_FAILURES = 2
_COMMIT_CHARACTERS = 8
_LINKED_CHARACTERS = 12
_FAILED = ("failed", "aborted")
_KNOWN_STATES = ("succeeded", "failed", "aborted", "empty", "running", "overdue")

Content = Mapping[str, Any]
Service = tuple[str, str]


@frozen
class Link:
    """A text, where it leads to, and its long form if it is shortened."""

    text: str
    url: str | None = None
    full: str | None = None


@frozen
class Total:
    """A number at the top of the page, with its name, a remark, and the state that it counts."""

    name: str
    value: str
    remark: str
    state: str = ""


@frozen
class Attempt:
    """A deployment in a few words: its state, version and time."""

    state: str
    version: Link
    when: str
    commit: Link | None = None


@frozen
class Cell:
    """One service in one environment.

    ``current``: the version that runs there. ``latest``: a newer deployment that did not succeed.
    ``running``: a deployment that has not ended.
    """

    environment: str
    current: Attempt | None = None
    latest: Attempt | None = None
    running: Attempt | None = None


@frozen
class Matrix:
    """Services (rows) and environments (columns); the numbers count those that do not fit."""

    environments: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    more_services: int
    more_environments: int


@frozen
class Failure:
    """Where a deployment failed."""

    host: str
    task: str
    message: str


@frozen
class Row:
    """One deployment in the table. ``started`` is None if the start is unknown."""

    anchor: str
    started: str
    name: str
    environment: str
    version: Link
    state: str
    remarks: str
    duration: str
    seconds: float
    user: str
    job: Link | None
    commit: Link | None
    failures: tuple[Failure, ...]
    more_failures: tuple[Failure, ...]
    delivery: str


@frozen
class Measure:
    """One metric of a service: its value and its sample."""

    value: str
    sample: str


def state_from(content: Content) -> str:
    """Return the state of a deployment: its status, or ``overdue`` while it runs."""
    if content.get("status") == "running" and content.get("overdue"):
        return "overdue"
    status = text_from(content.get("status"))
    return status if status in _KNOWN_STATES else "empty"


def is_deployment(content: Content) -> bool:
    """Return whether a run changed something: check mode and empty runs do not."""
    return not content.get("check_mode") and content.get("status") != "empty"


def ended_at(content: Content) -> float | None:
    """Return when a deployment ended, or when it started if it has not ended."""
    finished = epoch_from(content.get("finished_at"))
    return epoch_from(content.get("started_at")) if finished is None else finished


def short(value: Any) -> str:
    """Return a text for the parts of the page that are not the table of deployments."""
    return cut(text_from(value), _SHORT_CHARACTERS)


def version_link(content: Content) -> Link:
    """Return the version, with a link to the page of the deployed software."""
    return Link(short(content.get("version")) or NO_VERSION, web_link(content.get("url")))


def commit_link(content: Content) -> Link | None:
    """Return the commit of the deployed software, with a link if the repository is known."""
    commit = text_from(content.get("commit"))
    if not commit:
        return None
    short = commit[:_COMMIT_CHARACTERS]
    repository = web_link(content.get("repository"))
    if repository and commit.isascii() and commit.isalnum():
        # GitHub, GitLab, Gitea and Forgejo have the commits there, and accept their beginning.
        base = repository.rstrip("/").removesuffix(".git")
        return Link(short, f"{base}/commit/{commit[:_LINKED_CHARACTERS]}")
    return Link(short, None, commit if short != commit else None)


def totals(answer: Answer) -> tuple[Total, ...]:
    """Return the numbers at the top of the page, of deployments that changed something."""
    real = [one for one in answer.deployments if is_deployment(one)]
    good = sum(1 for one in real if one.get("status") == "succeeded")
    bad = sum(1 for one in real if one.get("status") in _FAILED)
    overdue = sum(1 for one in answer.running if one.get("overdue"))
    left = {
        name: sum(1 for one in answer.deployments if one.get("delivery") == name)
        for name in ("waiting", "refused", "expired")
    }
    days = (answer.until - answer.since) / 86400 if answer.since is not None else None
    pace = f"{len(real) * 7 / days:.1f} per week" if days and days >= 7 else "in this period"
    share = f"{100 * good / len(real):.0f} %" if real else "–"
    names = ", ".join(f"{number:,} {name}" for name, number in left.items() if number)
    return (
        Total("Deployments", f"{len(real):,}", pace),
        Total("Succeeded", share, f"{good:,} of {len(real):,}"),
        Total("Failed or aborted", f"{bad:,}", f"of {len(real):,}", "failed" if bad else ""),
        Total(
            "Running now",
            f"{len(answer.running):,}",
            f"{overdue:,} overdue",
            "overdue" if overdue else "running" if answer.running else "",
        ),
        Total("Not delivered", f"{sum(left.values()):,}", names or "every event was delivered"),
    )


def matrix(answer: Answer, now: float) -> Matrix:
    """Return what runs where: services by environment, with the newest problem of each."""
    cells: dict[Service, Cell] = {}

    def cell(content: Content) -> tuple[Service, Cell]:
        key = (text_from(content.get("name")), text_from(content.get("environment")))
        return key, cells.get(key) or Cell(short(key[1]))

    latest_at: dict[Service, float] = {}
    for one in answer.current:
        key, found = cell(one)
        latest_at[key] = ended_at(one) or 0.0
        cells[key] = replace(found, current=_attempt(one, now))
    for one in reversed(answer.deployments):  # the newest one comes last
        if one.get("status") in _FAILED and is_deployment(one):
            key, found = cell(one)
            at = ended_at(one) or 0.0
            if at > latest_at.get(key, -1.0):
                cells[key] = replace(found, latest=_attempt(one, now))
    for one in answer.running:
        if is_deployment(one):
            key, found = cell(one)
            cells[key] = replace(found, running=_attempt(one, now))
    return _table(cells)


def _attempt(content: Content, now: float) -> Attempt:
    at = ended_at(content)
    state = state_from(content)
    age = None if at is None else max(0.0, now - at)
    running = state in ("running", "overdue")
    when = f"for {duration_words(age)}" if running and age is not None else age_words(age)
    return Attempt(state, version_link(content), when, commit_link(content))


def _table(cells: Mapping[Service, Cell]) -> Matrix:
    services = sorted({name for name, _unused in cells}, key=lambda one: (one.casefold(), one))
    numbers: dict[str, int] = {}
    for _unused, environment in cells:
        numbers[environment] = numbers.get(environment, 0) + 1
    common = sorted(numbers, key=lambda one: (-numbers[one], one))[:MAX_ENVIRONMENTS]
    columns = sorted(common, key=lambda one: (not one, one.casefold(), one))
    rows = [
        (short(name), tuple(cells.get((name, one)) or Cell(short(one)) for one in columns))
        for name in services[:MAX_SERVICES]
    ]
    return Matrix(
        tuple(map(short, columns)),
        tuple(rows),
        max(0, len(services) - MAX_SERVICES),
        len(numbers) - len(columns),
    )


def running_row(content: Content, now: float) -> Row:
    """Return a deployment that has not ended, with its time so far."""
    started = epoch_from(content.get("started_at"))
    elapsed = None if started is None else max(0.0, now - started)
    return replace(
        row(content, ""),
        name=short(content.get("name")),
        environment=short(content.get("environment")),
        version=version_link(content),
        user=short(content.get("user")),
        duration=duration_words(elapsed),
        seconds=elapsed or 0.0,
    )


def row(content: Content, anchor: str) -> Row:
    """Return a deployment as a row of the table. ``anchor``: the id of the row."""
    failures = tuple(_failures(content.get("failures")))
    seconds = content.get("duration_s")
    seconds = float(seconds) if isinstance(seconds, (int, float)) else None
    return Row(
        anchor=anchor,
        started=time_words(epoch_from(content.get("started_at"))),
        name=text_from(content.get("name")),
        environment=text_from(content.get("environment")),
        version=Link(text_from(content.get("version")), web_link(content.get("url"))),
        state=state_from(content),
        remarks=_remarks(content),
        duration=duration_words(seconds),
        seconds=seconds or 0.0,
        user=text_from(content.get("user")),
        job=_job(content.get("ci")),
        commit=commit_link(content),
        failures=failures[:_SHOWN_FAILURES],
        more_failures=failures[_SHOWN_FAILURES:],
        delivery=text_from(content.get("delivery")),
    )


def _remarks(content: Content) -> str:
    parts = [text_from(content.get("reason"))]
    if content.get("check_mode"):
        parts.append("check mode")
    if content.get("parent"):
        parts.append("part of another deployment")
    return ", ".join(filter(None, parts))


def _failures(value: Any) -> Iterable[Failure]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            texts = (text_from(one.get(name)) for name in ("host", "task", "message"))
            yield Failure(*texts)


def _job(value: Any) -> Link | None:
    if not isinstance(value, Mapping):
        return None
    url = web_link(value.get("url"))
    names = (text_from(value.get(key)) for key in ("job", "system", "url"))
    text = next(filter(None, names), "")
    return Link(text, url) if text else None


def measures(metric: Mapping[str, Any]) -> tuple[Measure, ...]:
    """Return the metrics of one service and environment, in the order of MEASURE_NAMES."""
    frequency, failed = metric["frequency"], metric["failed"]
    recovery, lead, duration = metric["recovery"], metric["lead_time"], metric["duration"]
    recovered = _sample(recovery["recoveries"])
    if recovery["open"]:
        recovered += f", failing for {duration_words(recovery['open_s'])}"
    share = "–" if failed["ratio"] is None else f"{100 * failed['ratio']:.0f} %"
    number, days = frequency["deployments"], round(frequency["days"])
    timed = _sample(duration["deployments"])
    return (
        Measure(f"{frequency['per_week']:.1f} per week", f"{number:,} in {counted(days, 'day')}"),
        Measure(share, f"{failed['failed']:,} of {failed['deployments']:,}"),
        Measure(_seconds(recovery["median_s"]), recovered),
        Measure(_seconds(lead["median_s"]), _sample(lead["deployments"])),
        Measure(_seconds(duration["p50_s"]), timed),
        Measure(_seconds(duration["p95_s"]), timed),
    )


# The names and formulas of the metrics; docs/history.md explains them.
MEASURE_NAMES: Sequence[tuple[str, str]] = (
    ("Frequency", "finished deployments ÷ days of the period × 7"),
    ("Failed", "failed or aborted deployments ÷ finished deployments"),
    (
        "Recovery time",
        "median time from the end of a failed or aborted deployment to the end of the next one"
        " that succeeded",
    ),
    ("Lead time", "median time from the commit to the end of a successful deployment"),
    ("Duration p50", "half of the deployments took at most this long"),
    ("Duration p95", "95 of 100 deployments took at most this long"),
)


def _sample(number: int) -> str:
    return f"of {number:,}" if number else "no data"


def _seconds(value: float | None) -> str:
    return "–" if value is None else duration_words(value)
