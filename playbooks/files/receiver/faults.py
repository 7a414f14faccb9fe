# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults that the local receiver can be told to show, and the queue that hands them out."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

from .types import Verdict
from .verify import NO_PERMISSION

RATE_LIMIT = "the request was denied: rate limit exceeded"


class FaultError(ValueError):
    """A fault's specification that cannot be understood; the text says what is wrong with it."""


@dataclass(frozen=True)
class Fault:
    """What one request, or several in a row, will meet."""

    name: str
    arg: str | None = None

    @property
    def text(self) -> str:
        """Return the specification without its count."""
        return self.name if self.arg is None else f"{self.name}={self.arg}"

    @property
    def seconds(self) -> float:
        """Return the argument as a number of seconds."""
        return float(self.arg or "nan")

    @property
    def accepts(self) -> bool:
        """Return whether the request is verified, and its events accepted, all the same."""
        return KINDS[self.name].accepts


@dataclass(frozen=True)
class Kind:
    """One kind of fault: the form of its argument, its default, and what it does."""

    help: str
    #: A pattern that the whole argument has to match; None when there is no argument.
    pattern: str | None = None
    #: Used when no argument is given; None makes the argument required.
    default: str | None = None
    accepts: bool = False
    meta: str = ""


_SECONDS = r"[0-9]{1,6}(\.[0-9]{1,6})?"
#: 200 would be a success that nothing was accepted for; 1xx are no answers.
_STATUS = r"(?!200)[2-5][0-9]{2}"
_PRINTABLE = r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?"

KINDS: Mapping[str, Kind] = {
    "ok": Kind("behave", accepts=True),
    "status": Kind("HTTP status NNN with the service's JSON", _STATUS, meta="NNN"),
    "429": Kind("HTTP 429"),
    "retry-after": Kind("HTTP 429 with this Retry-After", _PRINTABLE, meta="SECONDS"),
    "throttle": Kind("HTTP 403, rate limit"),
    "throttle-200": Kind("HTTP 200 with code 403, rate limit"),
    "code": Kind("HTTP 200 with this code in the body", r"(?!200)[0-9]{3}", meta="NNN"),
    "signature": Kind("HTTP 403, the signature does not match"),
    "permission": Kind("HTTP 403, the permission is missing"),
    "bad-request": Kind("HTTP 400, syntax error"),
    "html": Kind(
        "a captive portal's page, with HTTP 200 or STATUS", r"[2-5][0-9]{2}", "200", meta="STATUS"
    ),
    "garbage": Kind("HTTP 200 with random bytes"),
    "empty": Kind("HTTP 200 without a body"),
    "redirect": Kind(
        "HTTP 302 to LOCATION, by default a path here", _PRINTABLE, "/redirected", meta="LOCATION"
    ),
    "slow": Kind("accept, answer correctly after SECONDS", _SECONDS, accepts=True, meta="SECONDS"),
    "hang": Kind("read the request, never answer"),
    "drip": Kind(
        "accept, answer correctly, the body byte by byte, one in SECONDS",
        _SECONDS,
        accepts=True,
        meta="SECONDS",
    ),
    "drip-head": Kind(
        "the same with the status line (default: one byte a second)",
        _SECONDS,
        "1",
        accepts=True,
        meta="SECONDS",
    ),
    "reset": Kind("reset the connection"),
    "close": Kind("close the connection without an answer"),
    "truncate": Kind("accept, then close in the middle of the answer's body", accepts=True),
    "accept-then-close": Kind("accept, then close without an answer", accepts=True),
    "huge": Kind("HTTP 200 with a body that does not end before 50 MB"),
}

#: Recorded as the answer: these send none (or, for huge, nothing that means anything).
SILENT = ("hang", "reset", "close", "accept-then-close", "huge")

_SPEC = re.compile(
    r"(?P<name>[a-z0-9-]+)(=(?P<arg>[^\x00-\x1f]*?))?(\*(?P<count>[0-9]{1,9}|inf))?\Z"
)
_PORTAL = (
    b"<!DOCTYPE html><html><head><title>Log in</title></head><body>Please log in.</body></html>"
)


def parse_fault(spec: str) -> Turn:
    """Return the fault of a specification ``NAME[=ARG][*COUNT]`` and its count.

    :raises FaultError: the name is not known, or the argument or the count is of a wrong form.
    """
    parts = _SPEC.match(spec)
    kind = KINDS.get(parts.group("name")) if parts else None
    if parts is None or kind is None:
        raise FaultError(f"unknown fault {spec!r}; there are: {', '.join(KINDS)}")
    arg, count = parts.group("arg"), parts.group("count")
    if kind.pattern is None:
        if arg is not None:
            raise FaultError(f"the fault {spec!r} takes no argument")
    else:
        arg = kind.default if arg is None else arg
        if arg is None or not re.match(f"(?:{kind.pattern})\\Z", arg):
            raise FaultError(
                f"the fault {spec!r} needs an argument: {parts.group('name')}={kind.meta}"
            )
    if count == "inf":
        return Turn(Fault(parts.group("name"), arg), None)
    if count is not None and int(count) == 0:
        raise FaultError(f"the count of the fault {spec!r} is 0")
    return Turn(Fault(parts.group("name"), arg), int(count or 1))


@dataclass
class Turn:
    """A fault in the queue; ``left`` says for how many more requests, None for ever."""

    fault: Fault
    left: int | None

    @property
    def text(self) -> str:
        """Return the specification of what is left."""
        if self.left == 1:
            return self.fault.text
        return f"{self.fault.text}*{'inf' if self.left is None else self.left}"


class FaultQueue:
    """Hands out faults, one to each request, in the order in which they were given."""

    def __init__(self, specs: Sequence[str] = ()) -> None:
        """Fill the queue; raises FaultError when a specification is wrong."""
        self._lock = threading.Lock()
        self._turns: list[Turn] = []
        self.replace(specs)

    def replace(self, specs: Sequence[str]) -> None:
        """Queue these instead of what is left; raise FaultError, and keep it, for a wrong one."""
        turns = [parse_fault(spec) for spec in specs]
        with self._lock:
            self._turns = turns

    def take(self) -> Fault | None:
        """Return the fault of the next request, or None when it is to be treated well."""
        with self._lock:
            if not self._turns:
                return None
            turn = self._turns[0]
            if turn.left is not None:
                turn.left -= 1
                if turn.left == 0:
                    del self._turns[0]
        return None if turn.fault.name == "ok" else turn.fault

    def remaining(self) -> list[str]:
        """Return the specifications of what is left."""
        with self._lock:
            return [turn.text for turn in self._turns]


def fault_verdict(fault: Fault) -> Verdict:
    """Return the answer of a fault that does not verify the request."""
    maker = _VERDICTS.get(fault.name)
    return maker(fault) if maker else Verdict(200, "200", "")


def _same(status: int, msg: str) -> Callable[[Fault], Verdict]:
    return lambda _unused: Verdict(status, str(status), msg)


def _page(status: int, content_type: str, content: bytes) -> Verdict:
    return Verdict(status, "", "", page=(content_type, content))


def _retry_after(fault: Fault) -> Verdict:
    return Verdict(429, "429", "too many requests", headers=(("Retry-After", fault.arg or ""),))


def _redirect(fault: Fault) -> Verdict:
    return Verdict(
        302, "", "", headers=(("Location", fault.arg or ""),), page=("text/html", b"moved")
    )


def _status(fault: Fault) -> Verdict:
    status = int(fault.arg or 0)
    return Verdict(status, str(status), f"the receiver was told to answer {status}")


_VERDICTS: dict[str, Callable[[Fault], Verdict]] = {
    "status": _status,
    "429": _same(429, "too many requests"),
    "retry-after": _retry_after,
    "throttle": _same(403, RATE_LIMIT),
    "throttle-200": lambda _unused: Verdict(200, "403", RATE_LIMIT),
    "code": lambda fault: Verdict(200, fault.arg or "", "the receiver was told to answer so"),
    "signature": _same(403, "the signature does not match"),
    "permission": _same(403, NO_PERMISSION),
    "bad-request": _same(400, "syntax error: the receiver was told to say so"),
    "html": lambda fault: _page(int(fault.arg or 200), "text/html; charset=utf-8", _PORTAL),
    "garbage": lambda _unused: _page(200, "application/octet-stream", os.urandom(256)),
    "empty": lambda _unused: _page(200, "application/json", b""),
    "redirect": _redirect,
}


def call_fault_verdict(fault: Fault) -> Verdict:
    """Return the answer to a call of the OpenAPI, as fault_verdict does for events."""
    if fault.name == "status":
        number = int(fault.arg or 0)
        return _failed_call(number, "ServiceUnavailable" if number >= 500 else "InvalidParameter")
    if fault.name == "code":
        return _failed_call(200, fault.arg or "")
    known = _CALL_FAILURES.get(fault.name)
    return _failed_call(*known) if known else fault_verdict(fault)


def _failed_call(status: int, code: str) -> Verdict:
    throttled = code.startswith("Throttling")
    msg = _FLOW_CONTROL if throttled else "the receiver was told to answer so"
    return Verdict(status, code, msg, call={"Code": code, "Message": msg, "Success": False})


_FLOW_CONTROL = "Request was denied due to user flow control."
_CALL_FAILURES = {
    "429": (429, "Throttling.User"),
    "throttle": (400, "Throttling.User"),
    "throttle-200": (200, "Throttling.User"),
    "signature": (400, "SignatureDoesNotMatch"),
    "permission": (403, "NoPermission"),
    "bad-request": (400, "InvalidParameter"),
}


def fault_help() -> str:
    """Return one line for each kind of fault, for people."""
    lines = []
    for name, kind in KINDS.items():
        meta = "" if not kind.meta else ("[=%s]" if kind.default else "=%s") % kind.meta
        lines.append(f"  {name + meta:21} {kind.help}")
    return "\n".join(lines)
