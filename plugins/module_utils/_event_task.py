# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From events to a task's result: the one implementation behind the actions and the module."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, Mapping, Sequence

from ansible.module_utils.basic import missing_required_lib

from ._api.batch import Batch, batches
from ._api.client import Client, SendSummary
from ._api.connection import Connection, parse_connection
from ._api.credentials import Credentials, given_credentials, resolve_credentials
from ._api.errors import CloudMonitorError, InvalidInput
from ._api.event import KEYS, Event, parse_event, parse_events
from ._api.redact import Redactor
from ._api.transport import REQUESTS_IMPORT_ERROR, Transport, own_address
from ._options import CONNECTION_OPTIONS

# What a result holds at least, whatever went wrong before anything was sent.
NOTHING_SENT: Mapping[str, Any] = {
    "changed": False,
    "events": [],
    "delivered": 0,
    "requests": 0,
    "endpoint": None,
}

Deliver = Callable[[Connection, Credentials], Dict[str, Any]]

# A result with 10,000 events would travel through Ansible for nothing.
SHOWN_EVENTS = 100


class MissingLibrary(CloudMonitorError):
    """requests is not installed where the work is done."""

    kind = "missing_library"


def send_events(
    events: Sequence[Event],
    params: Mapping[str, Any],
    environ: Mapping[str, str],
    single: bool,
    check_mode: bool,
    deliver: Deliver | None = None,
) -> dict[str, Any]:
    """Deliver ``events`` and return the result of the task.

    ``params``: the validated connection options and ``report_errors``; ``environ``: the
    environment variables for credentials and proxies; ``single``: the one event stood by
    itself and not in a list, so errors name no index. In check mode everything is validated
    and nothing is sent. ``deliver`` brings the events to the endpoint and returns what this
    adds to the result (default: from here, over HTTP). Raises InvalidInput when an event
    cannot be sent at all; every other trouble ends up in the result.
    """
    requests = batches(events, single)
    result: dict[str, Any] = {
        **NOTHING_SENT,
        "events": [event.as_option() for event in events[:SHOWN_EVENTS]],
    }
    secrets = known_secrets(params, environ)
    try:
        connection = parse_connection(params)
        result["endpoint"] = connection.endpoint
        if check_mode:
            given_credentials(params, environ)
            result["changed"] = True
            return dict(Redactor(secrets).value(result))
        credentials = resolve_credentials(params, environ)
        secrets += credentials.secrets
        if deliver is not None:
            result.update(deliver(connection, credentials))
        else:
            result.update(_here(requests, connection, credentials, environ, params))
    except CloudMonitorError as exc:
        result.update(error_result(exc, params["report_errors"], events))
    return dict(Redactor(secrets).value(result))


def known_secrets(params: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Return the secrets among a task's options, under each of their names, and its variables."""
    hidden = [option for option in CONNECTION_OPTIONS if option.no_log]
    found = [params.get(name) for option in hidden for name in option.names]
    found += [environ.get(variable) for option in hidden for variable in option.env]
    return [str(secret) for secret in found if secret]


def _here(
    requests: Sequence[Batch],
    connection: Connection,
    credentials: Credentials,
    environ: Mapping[str, str],
    params: Mapping[str, Any],
) -> dict[str, Any]:
    """Send from this process and return what it adds to the result."""
    sent = _send(requests, connection, credentials, environ)
    added: dict[str, Any] = {
        "changed": sent.delivered > 0,
        "delivered": sent.delivered,
        "requests": sent.requests,
    }
    if sent.error is not None:
        added.update(error_result(sent.error, params["report_errors"], sent.undelivered))
    return added


def _send(
    requests: Sequence[Batch],
    connection: Connection,
    credentials: Credentials,
    environ: Mapping[str, str],
) -> SendSummary:
    if REQUESTS_IMPORT_ERROR is not None:
        raise MissingLibrary(missing_required_lib("requests"))
    transport = Transport(connection, environ)
    source_ip = connection.source_ip or own_address()
    return Client(connection, credentials, transport, source_ip).send(requests)


def error_result(
    error: CloudMonitorError, report_errors: str, undelivered: Sequence[Event] = ()
) -> dict[str, Any]:
    """Return what ``error`` adds to a result: a failure, or with ``warn`` a warning.

    Wrong input is the author's mistake, not an outage, and fails with ``warn``, too.
    """
    added: dict[str, Any] = {
        "msg": str(error),
        "error": error.as_result(),
        "undelivered": [event.as_option() for event in undelivered],
    }
    if report_errors == "warn" and not isinstance(error, InvalidInput):
        return {**added, "warnings": [str(error)]}
    if isinstance(error, MissingLibrary):
        added["exception"] = REQUESTS_IMPORT_ERROR
    return {**added, "failed": True}


def events_diff(events: Sequence[Event]) -> dict[str, str]:
    """Return the diff of a task that sends ``events``: nothing before, the events after."""
    shown = [event.as_option() for event in events[:SHOWN_EVENTS]]
    after = json.dumps(shown, ensure_ascii=False, indent=2) + "\n"
    if len(events) > SHOWN_EVENTS:
        after += f"... and {len(events) - SHOWN_EVENTS} more\n"
    return {"before": "", "after": after, "before_header": "", "after_header": "events"}


def parse_event_options(params: Mapping[str, Any], now: float) -> tuple[list[Event], bool]:
    """Return the events of custom_event's options, and whether it is a single one.

    ``params`` as the user gave them: ``name`` and ``content``, or ``events``; never both,
    never neither. ``now`` is epoch seconds. Raises InvalidInput, or InvalidEvent with index
    and field.
    """
    given = {name: params[name] for name in KEYS if params.get(name) is not None}
    if params.get("events") is None:
        if not given.keys() & {"name", "content"}:
            raise InvalidInput(
                "name, events: neither is given; give name and content for one event, or events "
                "for a list of them. No event was sent."
            )
        return [parse_event(given, now)], True
    group_id = given.pop("group_id", 0)
    if given:
        raise InvalidInput(
            f"{', '.join(sorted(given))}: cannot stand beside events; write it into each event, or"
            " leave events out. No event was sent."
        )
    return parse_events(params["events"], now, group_id), False
