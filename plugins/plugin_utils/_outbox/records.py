# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a journal: its head, its events, and the finish that is missing. Pure.

The head is a ``run`` or a ``queue``. Every further record holds events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._api.event import Event, parse_events
from ...module_utils._api.frozen import frozen
from .._deployment.content import Deployment
from .._deployment.events import Naming, deployment_events

_VERSION = 1
# A journal that was damaged can still be JSON, and hold anything.
_UNREADABLE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    RecursionError,
    CloudMonitorError,
)


@frozen
class RunRecord:
    """The first record of a journal: everything that another process needs to end the deployment.

    ``host``, ``pid`` and ``mark`` show whether the run is alive, see liveness.py.
    ``destination``: whose credentials may deliver its events.
    """

    deployment: Deployment
    naming: Naming
    destination: str
    host: str
    pid: int
    mark: str

    def dump(self) -> dict[str, Any]:
        """Return the record as plain data."""
        return {"record": "run", "version": _VERSION, **asdict(self)}

    @staticmethod
    def read(record: Mapping[str, Any]) -> RunRecord | None:
        """Return the run that a record describes, None when it describes none."""
        if record.get("record") != "run" or record.get("version") != _VERSION:
            return None
        try:
            run = RunRecord(
                deployment=Deployment(**{**record["deployment"], "failures": ()}),
                naming=Naming(**record["naming"]),
                destination=str(record["destination"]),
                host=str(record["host"]),
                pid=int(record["pid"]),
                mark=str(record["mark"]),
            )
            # The process that has to write them must not fail.
            for missing in (missing_start(run, 0.0), missing_finish(run, "lost", 0.0)):
                if not read_events(missing):
                    return None
        except _UNREADABLE:
            return None
        return run


@frozen
class QueueRecord:
    """The first record of a journal with the events that a task has queued.

    The journal is complete when its folder appears, so no process looks after it.

    ``label``: the name of the deployment, or of the first event. ``deployment_id``: None for
    events that are not about a deployment. ``destination``: whose credentials may deliver the
    events. ``host``: where the task ran. ``queued_at``: epoch seconds. ``after``: the folder with
    the events before these, which is delivered first; None for the first part of a queue.
    """

    label: str
    deployment_id: str | None
    destination: str
    host: str
    queued_at: float
    after: str | None = None

    def dump(self) -> dict[str, Any]:
        """Return the record as plain data."""
        return {"record": "queue", "version": _VERSION, **asdict(self)}

    @staticmethod
    def read(record: Mapping[str, Any]) -> QueueRecord | None:
        """Return the queue that a record describes, None when it describes none."""
        if record.get("record") != "queue" or record.get("version") != _VERSION:
            return None
        try:
            queue = QueueRecord(
                label=str(record["label"]),
                deployment_id=_text(record["deployment_id"]),
                destination=str(record["destination"]),
                host=str(record["host"]),
                queued_at=float(record["queued_at"]),
                after=_text(record["after"]),
            )
        except _UNREADABLE:
            return None
        return queue if queue.after is None or _is_folder_name(queue.after) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _is_folder_name(text: str) -> bool:
    """Return whether a text can be the name of a run folder. Another path may exist for ever."""
    return bool(text) and not text.startswith(".") and "/" not in text and "\0" not in text


def queued_record(event: Event, at: float) -> dict[str, Any]:
    """Return the record of one event of a queue. ``at``: epoch seconds.

    One event a line, so that a refusal and the delivered position concern that event only.
    """
    return {"record": "events", "at": at, "events": [event.as_option()]}


def events_record(deployment: Deployment, naming: Naming, at: float) -> dict[str, Any]:
    """Return the record of the events that ``deployment`` is due at ``at`` (epoch seconds).

    The finish and the failure event share one record, because a line of a journal is valid as a
    whole or not at all. Raises InvalidInput for a name that is empty.
    """
    return {
        "record": "events",
        "at": at,
        "final": deployment.phase == "finish",
        "events": [event.as_option() for event in deployment_events(deployment, naming, at)],
    }


def overdue_record(run: RunRecord, elapsed: float, at: float) -> dict[str, Any]:
    """Return the record of the event that a run takes too long.

    ``elapsed``: seconds since its start. ``at``: epoch seconds. A reader of the journal ignores
    the record if the finish of the run is before it. Raises InvalidInput for an invalid name.
    """
    overdue = replace(run.deployment, elapsed_s=elapsed)
    return {**events_record(overdue, run.naming, at), "overdue": True}


def missing_start(run: RunRecord, at: float) -> dict[str, Any]:
    """Return the record of the start of a run that was killed before it could write it.

    ``at``: epoch seconds, for a run whose start time is unknown.
    """
    started_at = run.deployment.started_at
    return events_record(run.deployment, run.naming, at if started_at is None else started_at)


def missing_finish(run: RunRecord, reason: str, at: float) -> dict[str, Any]:
    """Return the record of the finish of a run that has not written one itself.

    ``reason``: ``stopped``, ``killed`` or ``lost``. ``at``: epoch seconds of the end, as far as
    it is known. A clock that was set back does not make it end before its start.
    """
    at = max(at, run.deployment.started_at or at)
    ended = replace(run.deployment, status="aborted", reason=reason, finished_at=at)
    return events_record(ended, run.naming, at)


def read_events(record: Mapping[str, Any]) -> list[Event]:
    """Return the events in a record, an empty list if they cannot be sent."""
    try:
        if record["record"] != "events":
            return []
        events = parse_events(record["events"], now=float(record["at"]))
        for event in events:  # JSON can escape half a surrogate pair, which UTF-8 cannot encode
            event.encode()
    except _UNREADABLE:
        return []
    return events


def finish_content(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the content of a deployment's finish; None for a record of other events."""
    if not is_final(record):
        return None
    try:
        content = json.loads(record["events"][0]["content"])
    except _UNREADABLE:
        return None
    return content if isinstance(content, dict) else None


def is_final(record: Mapping[str, Any]) -> bool:
    """Return whether a record is the finish of a deployment, one that can be sent."""
    return record.get("final") is True and bool(read_events(record))
