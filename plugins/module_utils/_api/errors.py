# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one family of errors. The edges turn them into a failed task or a warning.

Every text says what is wrong, where, and what to do about it, and holds no secret.
"""

from __future__ import annotations

from enum import Enum
from typing import Any


class Outcome(Enum):
    """What an unsuccessful delivery means for the events that were not accepted.

    ``OUTAGE``: the service did not answer, or not with a decision: no connection, a time-out, a
    server error, an answer that does not come from the service. ``THROTTLED``: the account sends
    too many requests. ``REFUSED_FOR_NOW``: the service refused the request, but the cause can
    pass: a wrong clock, expired temporary credentials. ``REFUSED``: the service will refuse the
    same request every time.
    """

    OUTAGE = "outage"
    THROTTLED = "throttled"
    REFUSED_FOR_NOW = "refused_for_now"
    REFUSED = "refused"


class CloudMonitorError(Exception):
    """Base class of every error that this collection raises on purpose.

    ``problem``: what is wrong, a clause without a period at its end. ``option``: the option or
    variable that is wrong, None if there is no such option. ``advice``: what to do, one or more
    sentences, or an empty string. ``kind``: a stable word for programs. ``str(error)`` joins
    option, problem and advice for people: ``option: problem. advice``. ``brief``: the text for a
    warning, in short sentences; by default the same.
    """

    kind = "error"

    def __init__(
        self,
        problem: str,
        *,
        option: str | None = None,
        advice: str = "",
        brief: str | None = None,
    ) -> None:
        self.problem = problem
        self.option = option
        self.advice = advice
        text = problem if option is None else f"{option}: {problem}"
        self.brief = brief or f"{text}. {advice}".rstrip()
        super().__init__(f"{text}. {advice}" if advice else text)

    def as_result(self) -> dict[str, Any]:
        """Return the ``error`` value of a task's result."""
        return {
            "kind": self.kind,
            "http_status": None,
            "code": None,
            "message": str(self),
            "request_id": None,
        }


class InvalidInput(CloudMonitorError):
    """What the user gave cannot be sent; nothing has been sent."""

    kind = "invalid_input"


class InvalidEvent(InvalidInput):
    """One event is wrong. ``index`` counts from 0 in ``events``, None for a single event."""

    kind = "invalid_event"

    def __init__(self, problem: str, field: str, index: int | None = None) -> None:
        where = field if index is None else f"events[{index}].{field}"
        super().__init__(problem, option=where, advice="No event was sent.")
        self.field = field
        self.index = index


class ConfigurationError(CloudMonitorError):
    """A connection option cannot be used: region, endpoint, timeout, ca_path and the like."""

    kind = "configuration"


class CredentialsError(ConfigurationError):
    """No usable AccessKey: none given, half of one given, or one that cannot be one."""

    kind = "credentials"


class ServiceError(CloudMonitorError):
    """A request did not succeed.

    ``kind``: a stable word for programs. ``outcome``: whether a later request can succeed.
    ``http_status``, ``code``, ``message`` and ``request_id``: the service's answer, as far as
    there was one. ``after``: the seconds that the service asked to wait, None if it did not.
    """

    def __init__(
        self,
        problem: str,
        kind: str,
        outcome: Outcome,
        *,
        advice: str = "",
        brief: str | None = None,
        http_status: int | None = None,
        code: str | None = None,
        message: str = "",
        request_id: str | None = None,
        after: float | None = None,
    ) -> None:
        super().__init__(
            problem, advice=advice, brief=brief or self._default_brief(kind, http_status)
        )
        self.kind = kind
        self.outcome = outcome
        self.http_status = http_status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.after = after

    @staticmethod
    def _default_brief(kind: str, http_status: int | None) -> str | None:
        """Return the text for a warning, None for problem and advice."""
        del kind, http_status
        return None

    def as_result(self) -> dict[str, Any]:
        """Return the ``error`` value of a task's result; ``message`` is the service's text."""
        return {
            "kind": self.kind,
            "http_status": self.http_status,
            "code": self.code,
            "message": self.message,
            "request_id": self.request_id,
        }


# By ``kind``: what happened in a delivery, and what to do unless it passes by itself.
_BRIEFS = {
    "connection": ("Cloud Monitor cannot be reached", ""),
    "timeout": ("Cloud Monitor did not answer in time", ""),
    "tls": ("The TLS connection failed", "Check ca_path."),
    "server_error": ("Cloud Monitor reported a server error", ""),
    "throttled": ("The account sends too many requests", ""),
    "redirect": ("The answer is a redirect", "Check endpoint."),
    "proxy": ("The proxy requires a password", ""),
    "not_the_service": ("Another server answered", "Check endpoint."),
    "bad_request": ("An event was refused as invalid", ""),
    "permission": ("No permission for PutCustomEvent", "Attach a policy."),
    "clock": ("The signature was refused", "Set this machine's clock."),
    "signature": ("The signature was refused", "Check the AccessKey."),
    "refused": ("The request was refused", "Check endpoint."),
    "outbox": ("The outbox cannot be read or written", ""),
}
# Of these, the HTTP status tells more than the kind.
_WITH_STATUS = ("server_error", "redirect", "not_the_service", "bad_request", "refused")


class DeliveryError(ServiceError):
    """The service did not accept the events. ``outcome``: what this means for them."""

    @staticmethod
    def _default_brief(kind: str, http_status: int | None) -> str:
        happened, hint = _BRIEFS.get(kind, ("The delivery failed unexpectedly", ""))
        status = f" (HTTP {http_status})" if kind in _WITH_STATUS and http_status else ""
        return f"{happened}{status}. {hint}".rstrip()

    @property
    def keep(self) -> bool:
        """Whether a later attempt can succeed, so that the events are worth keeping."""
        return self.outcome is not Outcome.REFUSED
