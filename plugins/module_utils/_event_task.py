# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send events and build the task result: the one implementation behind the actions and modules."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ansible.module_utils.basic import missing_required_lib

from ._api.batch import batches
from ._api.client import Client
from ._api.connection import Connection, parse_connection
from ._api.credentials import (
    Credentials,
    given_credentials,
    resolve_credentials,
    secrets_in_environment,
)
from ._api.errors import CloudMonitorError, DeliveryError, InvalidInput
from ._api.event import KEYS, Event, parse_event, parse_events
from ._api.frozen import frozen
from ._api.redact import Redactor
from ._api.transport import REQUESTS_IMPORT_ERROR, Transport, own_address
from ._options import CONNECTION_OPTIONS

# The minimal result of a task, for errors before anything was sent.
NOTHING_SENT: Mapping[str, Any] = {
    "changed": False,
    "events": [],
    "delivered": 0,
    "queued": 0,
    "requests": 0,
    "endpoint": None,
}

# A result with 10,000 events would be unreadable and slow down Ansible.
SHOWN_EVENTS = 100


class MissingLibrary(CloudMonitorError):
    """requests is not installed where the events are sent."""

    kind = "missing_library"


@frozen
class Sent:
    """What came of sending events.

    ``members``: to be added to the result of the task. ``delivered``: the number of events that
    were accepted. ``error``: why the others were not, None if it is among the members.
    """

    members: dict[str, Any]
    delivered: int
    error: CloudMonitorError | None = None


@frozen
class Undelivered:
    """Events that were not accepted, after ``delivered`` others that were.

    ``credentials``: None if the error is that they were not found.
    """

    events: Sequence[Event]
    delivered: int
    error: CloudMonitorError
    credentials: Credentials | None


Deliver = Callable[[List[Event], Connection, Credentials], Sent]
# Returns the members to add to the result, None if the error is to be treated as usual.
Keep = Callable[[Undelivered], Optional[Dict[str, Any]]]


def send_events(
    events: Sequence[Event],
    params: Mapping[str, Any],
    environ: Mapping[str, str],
    single: bool,
    check_mode: bool,
    deliver: Deliver | None = None,
    keep: Keep | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Deliver ``events`` and return the result of the task.

    ``params``: the validated connection options and ``report_errors``. ``environ``: the variables
    for credentials and proxies. ``single``: the event was not given in a list, so errors have no
    index. In check mode everything is validated and nothing is sent. ``deliver`` sends the events
    (default: from this process, over HTTP, with ``progress`` as the client calls it). ``keep`` is
    called when events were not accepted, and may treat the error (default: ``error_result``).

    The secrets are masked in the events before they are sent, and in the result.
    Raises InvalidInput when an event cannot be sent at all. Every other error is in the result.
    """
    batches(events, single)  # nothing is looked up or sent if one of them is too large
    redactor = Redactor(known_secrets(params, environ))
    masked = [event.with_texts(redactor.text) for event in events]
    result = {**NOTHING_SENT, "events": _shown(masked)}
    credentials: Credentials | None = None
    try:
        connection = parse_connection(params)
        result["endpoint"] = connection.endpoint
        if check_mode:
            given_credentials(params, environ)
            return dict(redactor.value({**result, "changed": True}))
        credentials = resolve_credentials(params, environ)
        redactor = Redactor((*known_secrets(params, environ), *credentials.secrets))
        masked = [event.with_texts(redactor.text) for event in events]
        result["events"] = _shown(masked)
        if deliver is None:
            sent = _send_over_http(masked, connection, credentials, environ, progress)
        else:
            sent = deliver(masked, connection, credentials)
    except CloudMonitorError as exc:
        sent = Sent({}, 0, exc)
    result.update(sent.members)
    if sent.error is not None:
        left = Undelivered(masked[sent.delivered :], sent.delivered, sent.error, credentials)
        kept = None if keep is None else keep(left)
        result.update(kept or undelivered_result(left, params["report_errors"]))
    return dict(redactor.value(result))


def known_secrets(params: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Return the secrets in a task's options, under each of their names, and in its variables."""
    hidden = [option for option in CONNECTION_OPTIONS if option.no_log]
    found = [params.get(name) for option in hidden for name in option.names]
    return [str(secret) for secret in found if secret] + secrets_in_environment(environ)


def _send_over_http(
    events: Sequence[Event],
    connection: Connection,
    credentials: Credentials,
    environ: Mapping[str, str],
    progress: Callable[[int, int], None] | None,
) -> Sent:
    """Send from this process."""
    if REQUESTS_IMPORT_ERROR is not None:
        raise MissingLibrary(missing_required_lib("requests"))
    transport = Transport(connection, environ)
    source_ip = connection.source_ip or own_address()
    client = Client(connection, credentials, transport, source_ip, progress=progress)
    sent = client.send(batches(events))
    members = {
        "changed": sent.delivered > 0,
        "delivered": sent.delivered,
        "requests": sent.requests,
    }
    return Sent(members, sent.delivered, sent.error)


def undelivered_result(left: Undelivered, report_errors: str) -> dict[str, Any]:
    """Return the members that events that were not accepted add to a result."""
    return error_result(left.error, report_errors, left.events, left.delivered)


def outage_noted(left: Undelivered) -> dict[str, Any]:
    """Return the failure of a module whose controller queues: it has to know if the cause can pass.

    The members have one more, ``outage``, for the controller only.
    """
    error = left.error
    # The controller delivers with its own library.
    can_pass = isinstance(error, MissingLibrary) or (
        isinstance(error, DeliveryError) and error.keep
    )
    return {**undelivered_result(left, "fail"), "outage": can_pass}


def queued_result(left: Undelivered, warning: str) -> dict[str, Any]:
    """Return the members that queued events add to a result. ``warning``: one line for people."""
    return {
        "changed": True,
        "queued": len(left.events),
        "msg": f"{warning} {left.error}",
        "error": left.error.as_result(),
        "undelivered": _shown(left.events),
        "undelivered_count": len(left.events),
        "warnings": [warning],
    }


def error_result(
    error: CloudMonitorError,
    report_errors: str,
    undelivered: Sequence[Event] | None = (),
    delivered: int = 0,
) -> dict[str, Any]:
    """Return the members that ``error`` adds to a result: a failure, or with ``warn`` a warning.

    With ``queue`` an error that comes here is a failure: it is not about an outage.

    ``undelivered``: the events that were not accepted, None for a task that has no events.
    ``delivered``: the number of events before them that were accepted. Invalid input is not an
    outage and also fails with ``warn``.
    """
    added: dict[str, Any] = {"msg": str(error), "error": error.as_result()}
    if undelivered is not None:
        added["undelivered"] = _shown(undelivered)
        added["undelivered_count"] = len(undelivered)
        added["resume_from"] = delivered
    if report_errors == "warn" and not isinstance(error, InvalidInput):
        return {**added, "warnings": [_warning(error, delivered, undelivered or ())]}
    if isinstance(error, MissingLibrary):
        added["exception"] = REQUESTS_IMPORT_ERROR
    return {**added, "failed": True}


def _warning(error: CloudMonitorError, delivered: int, undelivered: Sequence[Event]) -> str:
    """Return ``error`` as a warning: the cause, and how many events are missing."""
    total = delivered + len(undelivered)
    lost = f"{len(undelivered)} of {total} events" if total > 1 else "The event"
    return f"{error.brief} {lost} {'was' if total == 1 else 'were'} not delivered."


def _shown(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [event.as_option() for event in events[:SHOWN_EVENTS]]


def events_diff(shown: Sequence[Mapping[str, Any]], count: int) -> dict[str, str]:
    """Return the diff of a task that sends ``count`` events, of which the first are ``shown``."""
    after = json.dumps(shown, ensure_ascii=False, indent=2) + "\n"
    if count > len(shown):
        after += f"... and {count - len(shown)} more\n"
    return {"before": "", "after": after, "before_header": "", "after_header": "events"}


def parse_event_options(params: Mapping[str, Any], now: float) -> tuple[list[Event], bool]:
    """Return the events in custom_event's options, and whether it is a single one.

    ``params``: ``name`` and ``content``, or ``events``, as the user set them. ``now``: epoch
    seconds. Raises InvalidInput, or InvalidEvent with the index and the field.
    """
    given = {name: params[name] for name in KEYS if params.get(name) is not None}
    if params.get("events") is None:
        if not given.keys() & {"name", "content"}:
            raise InvalidInput(
                "one of them is required",
                option="name, events",
                advice="Set name and content for one event, or events for a list. No event was "
                "sent.",
            )
        return [parse_event(given, now)], True
    group_id = given.pop("group_id", 0)
    if given:
        raise InvalidInput(
            "cannot be combined with events",
            option=", ".join(sorted(given)),
            advice="Set it in each event, or remove events. No event was sent.",
        )
    return parse_events(params["events"], now, group_id), False
