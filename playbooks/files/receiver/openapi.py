# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers calls of the OpenAPI 2019-01-01: contact groups, application groups, rules, events.

Where the documentation leaves something open, it does what is harder for a client: names of events
match from their beginning, the newest event comes first, and a query covers three days at most.
"""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Mapping, Sequence

from .types import CallRefused

Body = Dict[str, Any]

MAX_SPAN_MS = 3 * 24 * 3600 * 1000
MAX_PAGE_SIZE = 100
_NUMBER = re.compile(r"[0-9]{1,18}\Z")
_WIRE_TIME = re.compile(r"(\d{8}T\d{6})\.(\d{3})([+-])(\d{2})(\d{2})\Z")
_INTERVAL = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d\Z")
_LEVELS = ("CRITICAL", "WARN", "INFO")
_RULE = {  # the parameters of PutCustomEventRule, and whether they are required
    "GroupId": True,
    "RuleId": True,
    "RuleName": True,
    "EventName": True,
    "ContactGroups": True,
    "Threshold": True,
    "Level": True,
    "Period": False,
    "EffectiveInterval": False,
    "Webhook": False,
    "EmailSubject": False,
}


@dataclass(frozen=True)
class Objects:
    """What exists in the account, and how the service treats times.

    ``groups``: names of the application groups by their number. ``visible_after``: seconds until
    an accepted event can be read. ``end_inclusive``: whether a query includes its end.
    """

    contact_groups: Sequence[str] = ()
    groups: Mapping[int, str] | None = None
    visible_after: float = 0.0
    end_inclusive: bool = False


class OpenApi:
    """Answers calls. Rules are stored; events come from those that the receiver has accepted."""

    def __init__(self, objects: Objects, events: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        """``events`` returns the accepted events, as the ledger records them."""
        self._objects = objects
        self._events = events
        self._lock = threading.Lock()
        self._rules: dict[str, dict[str, str]] = {}
        self._nonces: set[str] = set()
        self._actions: dict[str, Callable[[Mapping[str, str], float], Body]] = {
            "DescribeCustomEventAttribute": self._describe_events,
            "PutCustomEventRule": self._put_rule,
            "DescribeContactGroupList": self._describe_contact_groups,
            "DescribeMonitorGroups": self._describe_groups,
        }

    @property
    def rules(self) -> dict[str, dict[str, str]]:
        """Return the rules by their id: the parameters of the last call that wrote each."""
        with self._lock:
            return {name: dict(rule) for name, rule in self._rules.items()}

    def use_nonce(self, nonce: str) -> None:
        """Raise CallRefused if a call has used ``nonce`` before."""
        with self._lock:
            if nonce in self._nonces:
                raise CallRefused(400, "SignatureNonceUsed", "the nonce was used before")
            self._nonces.add(nonce)

    def answer(self, action: str, parameters: Mapping[str, str], now: float) -> Body:
        """Return the members of the answer. Raises CallRefused."""
        perform = self._actions.get(action)
        if perform is None:
            raise CallRefused(404, "InvalidAction.NotFound", f"there is no action {action[:60]}")
        return perform(parameters, now)

    def _describe_events(self, parameters: Mapping[str, str], now: float) -> Body:
        _check_known(
            parameters,
            "Name EventId GroupId SearchKeywords StartTime EndTime PageNumber PageSize",
        )
        start = _integer(parameters, "StartTime", 0)
        end = _integer(parameters, "EndTime", int(now * 1000) + 1)
        if end < start:
            raise CallRefused(400, "InvalidParameter", "EndTime is before StartTime")
        if "StartTime" in parameters and end - start > MAX_SPAN_MS:
            raise CallRefused(400, "InvalidParameter", "a query covers three days at most")
        last = end if self._objects.end_inclusive else end - 1
        found = [
            event
            for event in self._visible(now)
            if start <= event["Time"] <= last and _matches(event, parameters)
        ]
        found.sort(key=lambda event: (-event["Time"], event["Id"]))
        page = _page(found, parameters, 10)
        return {**_OK, "Success": "true", "CustomEvents": {"CustomEvent": page}}

    def _visible(self, now: float) -> list[Body]:
        found = []
        for number, event in enumerate(self._events()):
            accepted_at = _iso_milliseconds(event["received_at"])
            if accepted_at + self._objects.visible_after * 1000 > now * 1000:
                continue
            found.append(
                {
                    "Id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"event-{number}")),
                    "Name": event["name"],
                    "GroupId": str(event["groupId"]),
                    "Time": _milliseconds(event["time"], accepted_at),
                    "Content": event["content"],
                }
            )
        return found

    def _put_rule(self, parameters: Mapping[str, str], now: float) -> Body:
        _check_known(parameters, " ".join(_RULE))
        for name, required in _RULE.items():
            if required and not parameters.get(name, "").strip():
                raise CallRefused(400, "Missing" + name, f"{name} is mandatory for this action.")
        _check_rule(parameters)
        group = _integer(parameters, "GroupId", 0)
        self._check_group(group)
        wanted = parameters["ContactGroups"].split(",")
        missing = sorted(set(wanted) - set(self._objects.contact_groups))
        if missing:
            raise CallRefused(
                404, "ResourceNotFound", "no such contact group: " + ", ".join(missing)
            )
        reported = {(event["Name"], event["GroupId"]) for event in self._visible(now)}
        if (parameters["EventName"], str(group)) not in reported:
            raise CallRefused(404, "ResourceNotFound", "the event was never reported")
        with self._lock:
            self._rules[parameters["RuleId"]] = dict(parameters)
        return {**_OK, "Success": True}

    def _check_group(self, group: int) -> None:
        if group and group not in (self._objects.groups or {}):
            raise CallRefused(404, "ResourceNotFound", f"there is no group {group}")

    def _describe_contact_groups(self, parameters: Mapping[str, str], _unused: float) -> Body:
        _check_known(parameters, "PageNumber PageSize")
        names = list(self._objects.contact_groups)
        page = _page(names, parameters, 10)
        details = [
            {"Name": name, "Contacts": {"Contact": []}, "Describe": "", "EnableSubscribed": False}
            for name in page
        ]
        return {
            **_OK,
            "Success": True,
            "Total": len(names),
            "ContactGroups": {"ContactGroup": page},
            "ContactGroupList": {"ContactGroup": details},
        }

    def _describe_groups(self, parameters: Mapping[str, str], _unused: float) -> Body:
        _check_known(parameters, "GroupId GroupName PageNumber PageSize")
        groups = [
            {"GroupId": number, "GroupName": name}
            for number, name in (self._objects.groups or {}).items()
            if parameters.get("GroupId", str(number)) == str(number)
            and parameters.get("GroupName", "") in name
        ]
        page = _page(groups, parameters, 30)
        number, size = _integer(parameters, "PageNumber", 1), _integer(parameters, "PageSize", 30)
        # The code of this answer is a number.
        return {
            **_OK,
            "Code": 200,
            "Success": True,
            "Total": len(groups),
            "PageNumber": number,
            "PageSize": size,
            "Resources": {"Resource": page},
        }


_OK = {"Code": "200", "Message": "success"}


def refusal_body(refusal: CallRefused) -> Body:
    """Return the members of the answer to a refused call."""
    return {"Code": refusal.code, "Message": refusal.msg, "HostId": "receiver"}


def _check_known(parameters: Mapping[str, str], names: str) -> None:
    unknown = sorted(set(parameters) - {*names.split(), "RegionId"})
    if unknown:
        raise CallRefused(400, "InvalidParameter", "unknown parameters: " + ", ".join(unknown))


def _integer(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name)
    if text is None:
        return default
    if not _NUMBER.match(text):
        raise CallRefused(400, "InvalidParameter", f"{name} is not a number")
    return int(text)


def _page(found: list[Any], parameters: Mapping[str, str], default_size: int) -> list[Any]:
    number = _integer(parameters, "PageNumber", 1)
    size = _integer(parameters, "PageSize", default_size)
    if number < 1 or not 1 <= size <= MAX_PAGE_SIZE:
        raise CallRefused(400, "InvalidParameter", "PageNumber or PageSize is out of range")
    return found[(number - 1) * size : number * size]


def _check_rule(parameters: Mapping[str, str]) -> None:
    period = _integer(parameters, "Period", 300)
    if period < 60 or period % 60:
        raise CallRefused(400, "InvalidParameter", "Period is not a multiple of 60")
    if _integer(parameters, "Threshold", 0) < 1:
        raise CallRefused(400, "InvalidParameter", "Threshold is not a number from 1 on")
    if parameters["Level"] not in _LEVELS:
        raise CallRefused(400, "InvalidParameter", "Level is not one of " + ", ".join(_LEVELS))
    if not _INTERVAL.match(parameters.get("EffectiveInterval", "00:00-23:59")):
        raise CallRefused(400, "InvalidParameter", "EffectiveInterval is not like 00:00-23:59")


def _matches(event: Body, parameters: Mapping[str, str]) -> bool:
    if not event["Name"].startswith(parameters.get("Name", "")):
        return False
    if parameters.get("EventId", event["Id"]) != event["Id"]:
        return False
    if parameters.get("GroupId", event["GroupId"]) != event["GroupId"]:
        return False
    return _has_keywords(event["Content"], parameters.get("SearchKeywords", ""))


def _has_keywords(content: str, keywords: str) -> bool:
    """Return whether a content has the words of a search: ``a``, ``a and b`` or ``a or b``."""
    words = {word for word in re.split(r"[^\w-]+", content.lower()) if word}
    return any(
        all(
            set(re.split(r"[^\w-]+", term.strip())) <= words | {""}
            for term in re.split(r"\s+and\s+", choice)
        )
        for choice in re.split(r"\s+or\s+", keywords.lower())
    )


def _iso_milliseconds(text: str) -> int:
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1000)


def _milliseconds(text: str | None, default: int) -> int:
    """Return the time of an event, which was checked when the event was accepted."""
    if text is None:
        return default
    parts = _WIRE_TIME.match(text)
    if parts is None:
        return int(text)
    clock, fraction, sign, hours, minutes = parts.groups()
    moment = datetime.strptime(clock, "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    moment -= offset if sign == "+" else -offset
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    return (moment - epoch) // timedelta(milliseconds=1) + int(fraction)
