# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Base class of the event actions: from a task's arguments to its result."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials
from ...module_utils._api.errors import (
    CloudMonitorError,
    DeliveryError,
    InvalidInput,
    Outcome,
)
from ...module_utils._api.event import Event
from ...module_utils._api.progress import Progress
from ...module_utils._api.redact import Redactor
from ...module_utils._event_task import (
    NOTHING_SENT,
    Sent,
    Undelivered,
    error_result,
    events_diff,
    known_secrets,
    send_events,
)
from ...module_utils._options import (
    from_environment,
    supplying_variable,
    without_empty,
)
from .._deployment.content import Deployment

_TARGET_MODULE = "aliops.cloudmonitor.custom_event"


class TargetError(DeliveryError):
    """The module could not be run on the target. The events can still be sent from elsewhere."""

    kind = "target"

    def __init__(self, problem: object) -> None:
        text = f"The events could not be sent from the target: {problem}"
        brief = "The host could not send the events."
        super().__init__(text, self.kind, Outcome.OUTAGE, brief=brief, message=text)


class EventAction(ActionBase):
    """Sends events from the controller, or with ``report_from: target`` from the host."""

    _supports_check_mode = True
    _supports_async = False
    # The minimal result, for errors that are found before anything is done.
    nothing: Mapping[str, Any] = NOTHING_SENT

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the task and return its result, also for invalid input and outages."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        environ = self._environ()
        args = without_empty(plain(self._task.args))
        report_errors = str(args.get("report_errors") or "fail")
        try:
            result.update(self.report(args, environ, task_vars or {}))
        except CloudMonitorError as exc:
            undelivered = () if "events" in self.nothing else None
            failure = {**self.nothing, **error_result(exc, report_errors, undelivered)}
            result.update(Redactor(known_secrets(args, environ)).value(failure))
        return result

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Do the task: ``args`` as the user gave them, without empty connection options."""
        raise NotImplementedError

    def validated(
        self, args: Mapping[str, Any], spec: Mapping[str, Any], environ: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return ``args`` with defaults, aliases resolved and types converted.

        The environment fills in connection options. Raises InvalidInput.
        """
        # The fallbacks of the specification would read the variables of the process and ignore
        # those of the task.
        plain_spec = {
            name: {key: value for key, value in entry.items() if key != "fallback"}
            for name, entry in spec.items()
        }
        supplied = {}
        for name, text in from_environment(args, environ).items():
            if name not in plain_spec:
                continue  # the module has no connection options
            # Separately, so that an error can name the variable.
            checked = ArgumentSpecValidator({name: plain_spec[name]}).validate({name: text})
            if checked.error_messages:
                raise InvalidInput(
                    str(checked.errors.msg), option=supplying_variable(name, environ)
                )
            supplied[name] = checked.validated_parameters[name]
        checked = ArgumentSpecValidator(plain_spec).validate({**supplied, **args})
        if checked.error_messages:
            text = str(checked.errors.msg)
            if isinstance(checked.errors[0], UnsupportedError):
                text = f"Unsupported parameters for ({self._task.action}) module: {text}"
            raise InvalidInput(text)
        return dict(checked.validated_parameters)

    def send(
        self,
        events: Sequence[Event],
        params: Mapping[str, Any],
        environ: Mapping[str, str],
        task_vars: dict[str, Any],
        single: bool = True,
        deployment: Deployment | None = None,
    ) -> dict[str, Any]:
        """Deliver ``events`` from the controller or the target, and return the result.

        ``deployment``: the deployment that they are about, if there is one.
        """
        deliver, keep = None, None
        if params["report_from"] == "target":
            deliver = partial(self._deliver_from_target, params, task_vars)
        if params["report_errors"] == "queue":
            keep = partial(_keep_in_outbox, params, environ, deployment)
        check_mode = bool(self._task.check_mode)
        progress = Progress(show_progress).update
        result = send_events(events, params, environ, single, check_mode, deliver, keep, progress)
        if self._task.diff:
            result["diff"] = events_diff(result["events"], len(events))
        return result

    def _deliver_from_target(
        self,
        params: Mapping[str, Any],
        task_vars: dict[str, Any],
        events: Sequence[Event],
        connection: Connection,
        credentials: Credentials,
    ) -> Sent:
        """Run the module on the host, with the events, the connection and the credentials."""
        options = {
            "events": [event.as_option() for event in events],
            "report_errors": params["report_errors"],
            "access_key_id": credentials.access_key_id,
            "access_key_secret": credentials.access_key_secret,
            "security_token": credentials.security_token,
            **vars(connection),
        }
        try:
            result: dict[str, Any] = self._execute_module(
                module_name=_TARGET_MODULE,
                module_args={name: value for name, value in options.items() if value is not None},
                task_vars=task_vars,
            )
        except AnsibleConnectionFailure as exc:
            if params["report_errors"] != "queue":
                raise
            # The host is as unreachable as without this task, but its events are not lost.
            return Sent({"unreachable": True}, 0, TargetError(exc))
        if result.get("failed") and "error" not in result:
            # The module did not run, for example because the host has no Python.
            for name in ("failed", "rc"):  # either would fail the task that only warns
                result.pop(name, None)
            return Sent(result, 0, TargetError(result.pop("msg", None)))
        return _sent_by_target(result)

    def _environ(self) -> dict[str, str]:
        return task_environment(self)


def _keep_in_outbox(
    params: Mapping[str, Any],
    environ: Mapping[str, str],
    deployment: Deployment | None,
    left: Undelivered,
) -> dict[str, Any] | None:
    """Queue events that were not delivered, see TaskQueue."""
    # Only here: tasks are many, and outages are few.
    from .queue import TaskQueue

    return TaskQueue(params, environ, deployment).keep(left)


def _sent_by_target(result: dict[str, Any]) -> Sent:
    """Return what came of sending, from the result of the module.

    The module itself treats its errors, except an outage after which the events are queued.
    """
    delivered = int(result.get("delivered") or 0)
    if not result.pop("outage", False):
        return Sent(result, delivered)
    error = result["error"]
    answer = {name: value for name, value in error.items() if name != "kind"}
    for name in ("failed", "exception", "resume_from"):
        result.pop(name, None)
    failure = DeliveryError(str(result.pop("msg")), error["kind"], Outcome.OUTAGE, **answer)
    return Sent(result, delivered, failure)


def show_progress(text: str) -> None:
    """Show a line on standard error. A worker's line travels to the main process at once."""
    Display().display(f"aliops.cloudmonitor: {text}", stderr=True)


def task_environment(action: ActionBase) -> dict[str, str]:
    """Return the controller's environment with the task's ``environment`` keyword over it."""
    own: dict[str, Any] = {}
    action._compute_environment_string(own)
    return {**os.environ, **{str(name): str(value) for name, value in own.items()}}


def plain(value: Any) -> Any:
    """Return ``value`` in Python's own types: without ansible-core's subclasses and tags.

    A vaulted value is no str before ansible-core 2.19; its text is what the user means.
    """
    if isinstance(value, str) or type(value).__name__ == "AnsibleVaultEncryptedUnicode":
        return str(value)
    if isinstance(value, Mapping):
        return {plain(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
