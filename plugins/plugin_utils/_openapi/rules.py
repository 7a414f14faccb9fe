# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert rules: checked options, ids, the objects that must exist, and writing. No other I/O.

Source of the parameters: the page of PutCustomEventRule in the Cloud Monitor documentation.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from ...module_utils._api.errors import InvalidInput, ServiceError
from ...module_utils._api.frozen import frozen
from ...module_utils._api.redact import MASK

ACTION = "PutCustomEventRule"
LEVELS = ("CRITICAL", "WARN", "INFO")
# Names that go into an id as they are. The characters that an id may have are not documented.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_INTERVAL = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]")
# An error shows so many names at most.
_SHOWN_NAMES = 50
# A shorter path of a webhook is no secret, and may be an ordinary word.
_SECRET_PATH = 16


class Api(Protocol):
    """A client of the OpenAPI, as far as it is used here."""

    def call(self, action: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one call and return the members of its answer."""

    def pages(self, action: str, parameters: Mapping[str, Any], *path: str) -> Iterator[list[Any]]:
        """Yield the entries of each page of a list."""


@frozen
class Rule:
    """An alert rule for one event name in one application group (0 for events without a group).

    ``threshold`` events within ``period`` seconds raise an alert.
    """

    rule_id: str
    rule_name: str
    event_name: str
    group_id: int
    contact_groups: tuple[str, ...]
    level: str
    threshold: int
    period: int
    effective_interval: str
    webhook: str | None = None
    email_subject: str | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the call that writes the rule."""
        return {
            "RuleId": self.rule_id,
            "RuleName": self.rule_name,
            "EventName": self.event_name,
            "GroupId": self.group_id,
            "ContactGroups": ",".join(self.contact_groups),
            "Level": self.level,
            "Threshold": self.threshold,
            "Period": self.period,
            "EffectiveInterval": self.effective_interval,
            "Webhook": self.webhook,
            "EmailSubject": self.email_subject,
        }

    def as_result(self) -> dict[str, Any]:
        """Return the rule for people, without what a webhook URL may hide."""
        shown = {**vars(self), "contact_groups": list(self.contact_groups)}
        if self.webhook is not None:
            parts = urlsplit(self.webhook)
            host = parts.netloc.rpartition("@")[2]
            shown["webhook"] = f"{parts.scheme}://{host}/{MASK}"
        return shown

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts of the webhook that must never be shown."""
        if self.webhook is None:
            return ()
        parts = urlsplit(self.webhook)
        if not (parts.path.strip("/") or parts.query or parts.fragment or parts.password):
            return ()
        raw = [part.partition("=")[2] for part in parts.query.split("&")]
        decoded = [value for _name, value in parse_qsl(parts.query)]
        path = parts.path if len(parts.path) >= _SECRET_PATH else ""
        found = (self.webhook, parts.password, parts.query, parts.fragment, path, *raw, *decoded)
        return tuple(text for text in found if text)


def default_rule_id(group_id: int, event_name: str) -> str:
    """Return the id of the rule for an event name in a group.

    Different pairs have different ids: the number of the group ends at the separator, and a name
    that cannot be in an id is replaced by its SHA-256 behind another separator.
    """
    if _PLAIN_NAME.fullmatch(event_name):
        return f"aliops-{group_id}-{event_name}"
    return f"aliops-{group_id}_{hashlib.sha256(event_name.encode('utf-8')).hexdigest()}"


def parse_rule(params: Mapping[str, Any]) -> Rule:
    """Return the rule of validated task options. Raises InvalidInput."""
    event_name, group_id = _text(params, "event_name"), params["group_id"]
    if event_name is None:
        raise InvalidInput("is empty", option="event_name", advice="Set the name of an event.")
    if group_id < 0:
        raise InvalidInput(
            f"must be the number of an application group (0 for none) and is {group_id}",
            option="group_id",
        )
    threshold, period = params["threshold"], params["period"]
    if threshold < 1:
        raise InvalidInput(f"must be 1 or more and is {threshold}", option="threshold")
    if period < 60 or period % 60:
        raise InvalidInput(
            f"must be 60 or a multiple of 60 seconds and is {period}", option="period"
        )
    interval = params["effective_interval"].strip()
    if not _INTERVAL.fullmatch(interval):
        raise InvalidInput(
            f"must be two times of day such as 00:00-23:59 and is {interval[:60]!r}",
            option="effective_interval",
        )
    return Rule(
        rule_id=_text(params, "rule_id") or default_rule_id(group_id, event_name),
        rule_name=_text(params, "rule_name") or event_name,
        event_name=event_name,
        group_id=group_id,
        contact_groups=_contact_groups(params["contact_groups"]),
        level=params["level"],
        threshold=threshold,
        period=period,
        effective_interval=interval,
        webhook=_webhook(_text(params, "webhook")),
        email_subject=_text(params, "email_subject"),
    )


def _text(params: Mapping[str, Any], option: str) -> str | None:
    """Return the text of an option, None if it is not set or blank."""
    value = params.get(option)
    return value if value is not None and value.strip() else None


def _contact_groups(names: list[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    if not found:
        raise InvalidInput(
            "is empty",
            option="contact_groups",
            advice="Name a contact group. Cloud Monitor requires one even with a webhook.",
        )
    if any("," in name for name in found):
        raise InvalidInput(
            "has a name with a comma, which Cloud Monitor uses as the separator",
            option="contact_groups",
        )
    return found


def _webhook(url: str | None) -> str | None:
    """Return a checked URL. It is never shown, because it may hold a token."""
    if url is None:
        return None
    try:
        parts = urlsplit(url.strip())
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
        _port = parts.port  # raises ValueError when it is not a port
    except ValueError:
        is_url = False
    if not is_url or any(character.isspace() for character in url.strip()):
        raise InvalidInput(
            "is not a URL that starts with http:// or https:// and has no spaces", option="webhook"
        )
    return url.strip()


def check_contact_groups(api: Api, wanted: tuple[str, ...]) -> None:
    """Check that the contact groups exist. Raises InvalidInput, which lists the existing ones."""
    entries = (
        entry
        for page in api.pages("DescribeContactGroupList", {}, "ContactGroups", "ContactGroup")
        for entry in page
    )
    known = {str(entry) for entry in entries}
    missing = [name for name in wanted if name not in known]
    if missing:
        raise InvalidInput(
            f"there is no contact group {', '.join(missing)}",
            option="contact_groups",
            advice=f"{_existing('contact groups', sorted(known))} Create contact groups in the "
            "console, under Alerts > Alert Contacts.",
        )


def check_group(api: Api, group_id: int) -> None:
    """Check that the application group exists. Raises InvalidInput, which lists the others."""
    if group_id == 0 or group_id in _groups(api, {"GroupId": group_id}):
        return
    known = [f"{number} ({name})" for number, name in sorted(_groups(api, {}).items())]
    raise InvalidInput(
        f"there is no application group {group_id}",
        option="group_id",
        advice=f"{_existing('application groups', known)} Use 0 for events without a group.",
    )


def _groups(api: Api, parameters: Mapping[str, Any]) -> dict[int, str]:
    """Return the names of the application groups by their number, which may come as a text."""
    entries = (
        entry
        for page in api.pages("DescribeMonitorGroups", parameters, "Resources", "Resource")
        for entry in page
    )
    return {
        int(entry["GroupId"]): str(entry.get("GroupName") or "")
        for entry in entries
        if isinstance(entry, Mapping) and str(entry.get("GroupId")).isdigit()
    }


def _existing(kind: str, names: list[str]) -> str:
    if not names:
        return f"This account has no {kind}."
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"Existing {kind}: {', '.join(names[:_SHOWN_NAMES])}{more}."


def write_rule(api: Api, rule: Rule) -> None:
    """Create the rule, or replace the rule with its id. Raises ServiceError."""
    try:
        api.call(ACTION, rule.parameters())
    except ServiceError as exc:
        if exc.kind not in ("bad_request", "refused"):
            raise
        raise ServiceError(
            exc.problem,
            exc.kind,
            exc.outcome,
            advice=f"A rule can be written only after its event was reported once. {exc.advice}",
            http_status=exc.http_status,
            code=exc.code,
            message=exc.message,
            request_id=exc.request_id,
        ) from exc
