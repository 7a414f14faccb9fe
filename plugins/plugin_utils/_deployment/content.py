# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a deployment event: what is known about a deployment, as JSON that fits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from ...module_utils._api.errors import InvalidInput
from ...module_utils._api.event import content_text
from ...module_utils._api.frozen import frozen
from ...module_utils._api.timestamp import iso_time

SCHEMA = "deployment/1"
MAX_CONTENT_BYTES = 4000

PHASES = ("start", "finish")  # of a task; the callback also reports ``overdue``
FINAL_STATUSES = ("succeeded", "failed", "aborted")
# These deserve a failure event of their own: alert rules match one exact event name.
FAILURE_STATUSES = ("failed", "aborted")


@frozen
class HostCounts:
    """Numbers of hosts. ``ok`` counts those that neither failed nor were unreachable."""

    total: int
    ok: int
    changed: int
    failed: int
    unreachable: int
    rescued: int


@frozen
class Failure:
    """Where a deployment failed: host, task, and the module's message as far as it may be told."""

    host: str
    task: str | None = None
    message: str | None = None


@frozen
class Deployment:
    """A deployment at one moment. Times are epoch seconds; None means unknown.

    ``elapsed_s``: the seconds from start to finish if they were measured. For a deployment that
    still runs, the seconds from its start until it was found overdue.
    ``commit``, ``repository``, ``committed_at`` and ``url``: see provenance.py.
    ``previous``: ``id``, ``version`` and ``finished_at`` of the deployment that this one replaces.
    ``status``: ``running``, ``succeeded``, ``failed``, ``aborted`` or ``empty``.
    ``ci``, ``git``, ``context`` and ``details`` are mappings that JSON can hold.
    """

    id: str
    name: str
    status: str = "running"
    parent: str | None = None
    version: str | None = None
    environment: str | None = None
    commit: str | None = None
    repository: str | None = None
    committed_at: float | None = None
    url: str | None = None
    previous: Mapping[str, Any] | None = None
    playbook: str | None = None
    user: str | None = None
    controller: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    elapsed_s: float | None = None
    check_mode: bool | None = None
    hosts: HostCounts | None = None
    failures: tuple[Failure, ...] = ()
    reason: str | None = None
    ci: Mapping[str, Any] | None = None
    git: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None
    details: Mapping[str, Any] | None = None

    @property
    def phase(self) -> str:
        """``start``, ``overdue`` for a deployment that runs for too long, or ``finish``."""
        if self.status != "running":
            return "finish"
        return "start" if self.elapsed_s is None else "overdue"

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to finish, to the millisecond; 0 if the clock was set back.

        For an overdue deployment, the seconds up to now.
        """
        is_known = self.finished_at is not None or self.phase == "overdue"
        if is_known and self.elapsed_s is not None:
            return round(self.elapsed_s, 3)
        if self.started_at is None or self.finished_at is None:
            return None
        return round(max(0.0, self.finished_at - self.started_at), 3)


def with_texts(deployment: Deployment, change: Callable[[str], str]) -> Deployment:
    """Return the deployment with ``change`` applied to every text in it, also in mappings."""
    changed: Deployment = _with_texts(deployment, change)
    return changed


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {
            _with_texts(name, change): _with_texts(item, change) for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(_with_texts(item, change) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {one.name: _with_texts(getattr(value, one.name), change) for one in fields(value)}
        return replace(value, **changed)
    return value


def render(deployment: Deployment) -> str:
    """Return the content of the event: compact JSON of at most 4,000 bytes as UTF-8.

    What does not fit is left out by priority, and ``truncated`` says so: ``failures`` are
    shortened, then ``context``, ``git``, ``ci``, ``failures``, ``previous``, ``url`` and
    ``repository`` go, then long texts are cut.
    A user's ``details`` are never cut: InvalidInput is raised when they do not fit.
    """
    text = _json(_members(deployment))
    if _size(text) <= MAX_CONTENT_BYTES:
        return text
    for smaller in _smaller(deployment):
        text = _json({**_members(smaller), "truncated": True})
        if _size(text) <= MAX_CONTENT_BYTES:
            return text
    raise InvalidInput(
        f"are too large: with them the event has {_size(text)} bytes, {MAX_CONTENT_BYTES} are"
        " allowed",
        option="details",
        advice=f"Shorten them by {_size(text) - MAX_CONTENT_BYTES} bytes. No event was sent.",
    )


def check_details(details: Mapping[str, Any]) -> None:
    """Raise InvalidInput when ``details`` cannot be written as JSON text in UTF-8."""
    try:
        content_text(details).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise InvalidInput(
            "contain half of a surrogate pair, which cannot be sent as UTF-8",
            option="details",
            advice="Remove it. No event was sent.",
        ) from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidInput(
            f"cannot be written as JSON ({exc})", option="details", advice="No event was sent."
        ) from exc


def _members(deployment: Deployment) -> dict[str, Any]:
    """Return the members in their fixed order; unknown ones are absent."""
    one = deployment
    members: dict[str, Any] = {
        "schema": SCHEMA,
        "id": one.id,
        "parent": one.parent,
        "phase": one.phase,
        "status": one.status,
        "name": one.name,
        "version": one.version,
        "environment": one.environment,
        "commit": one.commit,
        "repository": one.repository,
        "committed_at": None if one.committed_at is None else iso_time(one.committed_at),
        "url": one.url,
        "previous": one.previous or None,
        "playbook": one.playbook,
        "user": one.user,
        "controller": one.controller,
        "started_at": None if one.started_at is None else iso_time(one.started_at),
        "finished_at": None if one.finished_at is None else iso_time(one.finished_at),
        "duration_s": one.duration_s,
        "check_mode": one.check_mode,
        "hosts": None if one.hosts is None else dict(vars(one.hosts)),
        "failures": [_present(vars(failure)) for failure in one.failures] or None,
        "reason": one.reason,
        "ci": one.ci or None,
        "git": one.git or None,
        "context": one.context or None,
        "details": one.details or None,
    }
    return _present(members)


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _smaller(deployment: Deployment) -> Iterator[Deployment]:
    """Yield ever smaller forms of a deployment, in the order in which things may be left out."""
    current = deployment
    for number, characters in ((10, 128), (10, 48), (5, 48), (3, 48), (1, 48)):
        cut = tuple(_cut_texts(failure, characters) for failure in deployment.failures[:number])
        current = replace(deployment, failures=cut)
        yield current
    without: dict[str, Any] = {
        "context": None,
        "git": None,
        "ci": None,
        "failures": (),
        "previous": None,
        "url": None,
        "repository": None,
    }
    for name, nothing in without.items():
        current = replace(current, **{name: nothing})
        yield current
    for characters in (200, 100, 50, 16):
        yield _cut_texts(current, characters)


def _cut_texts(value: Any, characters: int) -> Any:
    """Return a dataclass whose texts have at most that many characters; ``id`` stays."""

    def cut(text: str) -> str:
        return text if len(text) <= characters else text[: characters - 1] + "…"

    return replace(
        value,
        **{
            name: cut(item)
            for name, item in vars(value).items()
            if isinstance(item, str) and name not in ("id", "parent", "status", "commit", "reason")
        },
    )


def _json(members: Mapping[str, Any]) -> str:
    text = content_text(members)
    # A file name or host name may hold bytes that are not UTF-8; the event still goes.
    return text.encode("utf-8", "replace").decode("utf-8")


def _size(text: str) -> int:
    return len(text.encode("utf-8"))
