# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks the set-up step by step: settings, AccessKey, outbox, courier, endpoint, test event."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.release import __version__ as core_version

from ...module_utils._api.connection import (
    Connection,
    check_ca_path,
    parse_api_connection,
    parse_connection,
)
from ...module_utils._api.credentials import Credentials, resolve_credentials, with_id
from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._api.redact import Redactor
from ...module_utils._api.response import Delivered
from ...module_utils._event_task import known_secrets
from ...module_utils._options import CONNECTION_OPTIONS
from ...module_utils._version import VERSION
from .._callback.reporter import check_durations
from .._config import check_paths
from .._deployment.content import Deployment
from .._deployment.events import Naming
from .._deployment.provenance import parse_provenance
from .._openapi.task import make_client
from .._outbox.courier_settings import CourierSettings
from .._outbox.destination import given_destination, select
from .._outbox.probe import ProbeResult, probe
from .._outbox.records import events_record
from .findings import (
    NOTE,
    OK,
    SKIPPED,
    WRONG,
    Attempt,
    Finding,
    advice,
    attempt_findings,
    error_finding,
    table,
    verdict_line,
)
from .reader import CALLBACK, CallbackSettings, secrets_in_file
from .receipt import NAME as RECEIPT
from .receipt import receipt_finding
from .settings import (
    aligned,
    hidden_ids,
    notes_on_use,
    shown_credentials,
    shown_settings,
    wrong_values,
)
from .steps import attempt, check_library, check_outbox, check_signature, courier_findings

# Events are made of these options. While one of them is wrong, no event is sent.
_EVENT_OPTIONS = (
    "group_id",
    "start_event",
    "finish_event",
    "failure_event",
    "overdue_event",
    "deployment_name",
)
_SETTINGS_FIRST = "fix the settings first"
_KEY_FIRST = "fix the AccessKey first"

Probe = Callable[[CourierSettings], ProbeResult]


class Checkup:
    """One check of the set-up: the steps in their order, and what they have found so far."""

    def __init__(
        self,
        callback: CallbackSettings,
        environ: Mapping[str, str],
        check_mode: bool,
        probe_courier: Probe = probe,
    ) -> None:
        """``check_mode``: send no event and make no outbox."""
        self._settings = callback.settings
        self._defaults = callback.defaults
        self._values = {name: setting.value for name, setting in callback.settings.items()}
        self._environ = environ
        self._check_mode = check_mode
        self._probe = probe_courier
        self._secrets = known_secrets({}, environ) + secrets_in_file()
        self._connection: Connection | None = None
        self._credentials: Credentials | None = None
        self._id_origin: str | None = None
        self._events_are_valid = True
        self._courier_can_start = False
        self._attempt: Attempt | None = None
        self._enabled = CALLBACK in [
            str(name) for name in C.config.get_config_value("CALLBACKS_ENABLED")
        ]
        self._findings = [_versions(), check_signature(), check_library(), *callback.findings]

    def run(self, send: bool, receipt: bool = False) -> dict[str, Any]:
        """Take all steps and return the result of the task.

        ``send``: send a test event. ``receipt``: read it back.
        """
        self._check_values()
        self._check_key()
        self._check_callback()
        self._check_courier()
        self._check_service(self._reason_not_to_send(send))
        if receipt:
            self._check_receipt()
        return self._result()

    def _check_values(self) -> None:
        """Apply the rules of a run to the settings."""
        refused = {one.name for one in self._settings.values() if not one.usable}
        connection, seconds, paths, events = (
            wrong_values(self._values, self._settings, rule, self._defaults)
            for rule in (parse_connection, check_durations, _check_files, _check_names)
        )
        self._findings += [*connection, *seconds, *paths, *events]
        refused |= {str(one.option) for one in (*connection, *paths)}
        if refused.isdisjoint(option.name for option in CONNECTION_OPTIONS):
            self._connection = parse_connection(self._values)
            self._courier_can_start = not (seconds or paths)
        self._events_are_valid = not events and refused.isdisjoint(_EVENT_OPTIONS)
        if not self._is_wrong("settings"):
            given = sum(1 for setting in self._settings.values() if setting.given)
            self._findings.append(Finding("settings", OK, f"{given} given, the others by default"))

    def _check_key(self) -> None:
        """Find the AccessKey in the environment or with the default chain."""
        configured = self._settings["access_key_id"]
        self._secrets += hidden_ids(self._environ, configured.value)
        environ = with_id(self._environ, configured.value)
        if environ is not self._environ:
            self._id_origin = configured.origin
        try:
            self._credentials = resolve_credentials({}, environ)
        except CloudMonitorError as exc:
            self._findings.append(error_finding("AccessKey", exc))
        else:
            self._secrets += self._credentials.secrets
            self._secrets += hidden_ids({}, self._credentials.access_key_id)
            token = self._credentials.security_token
            kind = "temporary credentials" if token else "permanent key"
            self._findings.append(Finding("AccessKey", OK, f"{kind} found"))
        self._findings += notes_on_use(self._settings, self._credentials, self._id_origin)

    def _check_callback(self) -> None:
        """Check that the callback is enabled, and its outbox."""
        if self._enabled:
            self._findings.append(Finding("callback", OK, "enabled: every run is reported"))
        else:
            path = C.config._config_file or "an ansible.cfg beside your playbooks"
            self._findings.append(
                Finding(
                    "callback",
                    NOTE,
                    "not enabled: only tasks and the role report",
                    f"To report every run, add callbacks_enabled = {CALLBACK} to the section "
                    f"defaults of {path}, or set ANSIBLE_CALLBACKS_ENABLED.",
                )
            )
        outbox = Path(str(self._values["outbox"]))
        if any((one.option, one.state) == ("outbox", WRONG) for one in self._findings):
            self._skip(_SETTINGS_FIRST, "outbox")
        else:
            may_make = self._enabled and not self._check_mode
            self._findings += check_outbox(outbox, may_make, self._enabled)

    def _check_courier(self) -> None:
        """Start a real courier, which tests whether it could deliver."""
        if self._is_wrong("requests"):
            return self._skip("install requests first", "courier")
        if self._connection is None or not self._courier_can_start:
            return self._skip(_SETTINGS_FIRST, "courier")
        key = self._credentials
        if key is None:
            return self._skip(_KEY_FIRST, "courier")
        by_chain = key.source == "chain"
        outbox = str(self._values["outbox"])
        result = self._probe(
            CourierSettings(
                connection=self._connection,
                credentials=None if by_chain else key,
                destination=(
                    select(self._environ).expected
                    if by_chain
                    else given_destination(key, self._environ)
                ),
                ttl=self._values["outbox_ttl"] * 3600,
                linger=self._values["linger"],
                flush_timeout=self._values["flush_timeout"],
                outbox=outbox if os.path.isdir(outbox) and not self._is_wrong("outbox") else "",
            )
        )
        found = courier_findings(result, key)
        if not self._enabled:  # then only tasks and the role send, and they need no courier
            found = [replace(one, state=NOTE) if one.state == WRONG else one for one in found]
        self._findings += found
        return None

    def _reason_not_to_send(self, send: bool) -> str | None:
        if self._check_mode:
            return "check mode sends none"
        if not send:
            return "cloudmonitor_check_send is false"
        if not self._events_are_valid:
            return _SETTINGS_FIRST
        return _KEY_FIRST if self._credentials is None else None

    def _check_service(self, reason: str | None) -> None:
        """Reach the endpoint, compare the clocks, and send a test event unless there is a reason.

        ``reason``: why no test event is sent, None to send one.
        """
        names = ("endpoint", "clock", "test event")
        if self._is_wrong("requests"):
            return self._skip("install requests first", *names)
        if self._connection is None:
            return self._skip(_SETTINGS_FIRST, *names)
        try:
            self._attempt = attempt(
                self._connection,
                None if reason else self._credentials,
                self._values["group_id"],
                self._environ,
                Redactor(self._secrets).text,
            )
        except CloudMonitorError as exc:
            self._findings.append(error_finding("settings", exc))
            return self._skip(_SETTINGS_FIRST, *names)
        found = attempt_findings(self._attempt)
        if reason:
            found.append(Finding("test event", SKIPPED, reason))
        self._findings += found
        return None

    def _check_receipt(self) -> None:
        """Read the accepted test event back, with the settings of the connection."""
        sent, key = self._attempt, self._credentials
        if key is None or sent is None or not isinstance(sent.verdict, Delivered):
            return self._skip("no test event was accepted", RECEIPT)
        try:
            client = make_client(parse_api_connection(self._values), key, self._environ)
        except CloudMonitorError as exc:
            self._findings.append(error_finding(RECEIPT, exc))
            return None
        self._findings.append(receipt_finding(client, sent, int(self._values["group_id"])))
        return None

    def _is_wrong(self, name: str) -> bool:
        return any((one.name, one.state) == (name, WRONG) for one in self._findings)

    def _skip(self, reason: str, *names: str) -> None:
        self._findings += [Finding(name, SKIPPED, reason) for name in names]

    def _result(self) -> dict[str, Any]:
        """Return everything that the playbook shows. It contains no secret."""
        shown = {
            "settings": aligned(
                [
                    *shown_settings(self._settings),
                    *shown_credentials(self._credentials, self._environ, self._id_origin),
                ]
            ),
            "checks": table(self._findings),
            "to_fix": advice(self._findings, WRONG),
            "to_know": advice(self._findings, NOTE),
            "verdict": verdict_line(self._findings),
            "healthy": all(one.state != WRONG for one in self._findings),
        }
        return {"changed": False, **Redactor(self._secrets).value(shown)}


def _versions() -> Finding:
    text = (
        f"aliops.cloudmonitor {VERSION}, ansible-core {core_version}, Python "
        f"{platform.python_version()} ({sys.executable})"
    )
    return Finding("versions", OK, text)


def _check_files(values: Mapping[str, Any]) -> None:
    """Check the paths among the settings. Raises ConfigurationError."""
    check_paths(values)
    check_ca_path(values["ca_path"])


def _check_names(values: Mapping[str, Any]) -> None:
    """Check that events can be made of the settings. Raises InvalidInput."""
    naming = Naming.from_options(values)
    name = values["deployment_name"] or "check"
    provenance = vars(parse_provenance(values, "deployment_"))
    started = Deployment(id="check", name=name, started_at=0.0, **provenance)
    overdue = [replace(started, elapsed_s=1.0)] if values["overdue_after"] else []
    for deployment in (started, *overdue, replace(started, status="failed", finished_at=1.0)):
        events_record(deployment, naming, time.time())
