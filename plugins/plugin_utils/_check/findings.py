# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The findings of a check of the set-up, and the lines that show them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...module_utils._api.errors import CloudMonitorError, InvalidEvent
from ...module_utils._api.frozen import frozen
from ...module_utils._api.response import SKEW_SECONDS, Delivered, Retry, SendResult

OK, WRONG, SKIPPED, NOTE = "ok", "WRONG", "skipped", "note"

_NO_ANSWER = frozenset({"connection", "timeout", "tls"})
_NOT_THE_SERVICE = frozenset({"redirect", "not_the_service", "proxy"})


@frozen
class Finding:
    """One line of the check.

    ``state`` is ``ok``, ``WRONG``, ``skipped`` or ``note``. A note is worth knowing and does not
    count as a failure. ``fix`` tells what to do, None if there is nothing to do. ``option``: the
    option that an error names.
    """

    name: str
    state: str
    text: str
    fix: str | None = None
    option: str | None = None


@frozen
class Attempt:
    """One request: its result, and how many seconds our clock is ahead (None: not known).

    ``proxy``: the URL of the proxy, None without one. Without a signature (``signed`` is False),
    the request only tests whether the endpoint answers. ``event_id``: the id in the content of the
    test event, and ``sent_at`` its time in epoch seconds.
    """

    endpoint: str
    proxy: str | None
    verdict: SendResult
    skew: float | None
    signed: bool
    event: str = ""
    event_id: str = ""
    sent_at: float = 0.0


def error_finding(name: str, error: CloudMonitorError, origin: str | None = None) -> Finding:
    """Return the finding of an error of the collection.

    ``origin``: the variable or file that the wrong value comes from.
    """
    named = error.option not in (None, name)
    text = f"{error.option}: {error.problem}" if named else error.problem
    # That no event was sent needs no mention here.
    advice = "" if isinstance(error, InvalidEvent) else error.advice
    fix = advice or f"{text}."
    if origin is not None and error.option is not None:
        fix = f"{error.option} comes from {origin}. {fix}"
    return Finding(name, WRONG, text, fix, error.option)


def attempt_findings(attempt: Attempt) -> list[Finding]:
    """Return the findings of a request: endpoint, clock and, if there was one, test event."""
    return [_endpoint(attempt), _clock(attempt), *_event(attempt)]


def _endpoint(attempt: Attempt) -> Finding:
    verdict = attempt.verdict
    where = attempt.endpoint + (f" through the proxy {attempt.proxy}" if attempt.proxy else "")
    if isinstance(verdict, Delivered):
        return Finding("endpoint", OK, f"{where} answers")
    status = verdict.answer.http_status
    lies_between = verdict.kind in _NOT_THE_SERVICE
    if verdict.kind == "not_the_service" and not attempt.signed and status != 200:
        return Finding(
            "endpoint",
            NOTE,
            f"{where} answers (HTTP {status}), but not in the form of Cloud Monitor",
            "Run the check with the test event to find out whether this is Cloud Monitor.",
        )
    out_of_order = isinstance(verdict, Retry) and not attempt.signed
    if verdict.kind in _NO_ANSWER or lies_between or out_of_order:
        return Finding("endpoint", WRONG, f"{where}: {verdict.problem}", verdict.advice)
    return Finding("endpoint", OK, f"{where} answers")


def _clock(attempt: Attempt) -> Finding:
    verdict, skew = attempt.verdict, attempt.skew
    if not isinstance(verdict, Delivered):
        if verdict.kind in _NO_ANSWER:
            return Finding("clock", SKIPPED, "no answer to compare it with")
        if verdict.kind in _NOT_THE_SERVICE and attempt.signed:
            return Finding("clock", SKIPPED, "the answer was not Cloud Monitor's")
    if skew is None:
        return Finding("clock", SKIPPED, "the answer has no Date header to compare it with")
    if abs(skew) < SKEW_SECONDS:
        return Finding("clock", OK, f"{round(abs(skew))} s from that of the answer")
    direction = "ahead of" if skew > 0 else "behind"
    return Finding(
        "clock",
        WRONG,
        f"this machine's clock is {_span(abs(skew))} {direction} that of the answer",
        "Set the clock, for example with an NTP service. Signatures contain the time.",
    )


def _span(seconds: float) -> str:
    if seconds < 2 * 3600:
        return f"{round(seconds / 60)} minutes"
    if seconds < 2 * 86_400:
        return f"{round(seconds / 3600)} hours"
    return f"{round(seconds / 86400)} days"


def _event(attempt: Attempt) -> list[Finding]:
    if not attempt.signed:
        return []
    verdict = attempt.verdict
    if isinstance(verdict, Delivered):
        return [Finding("test event", OK, f"{attempt.event} was accepted")]
    if verdict.kind in _NO_ANSWER | _NOT_THE_SERVICE:
        return [Finding("test event", SKIPPED, "fix the endpoint first")]
    if verdict.kind == "clock":
        return [Finding("test event", SKIPPED, "refused, fix the clock first")]
    return [Finding("test event", WRONG, verdict.problem, verdict.advice)]


def table(findings: Iterable[Finding]) -> list[str]:
    """Return a line for each finding."""
    return [f"{one.state:8} {one.name:13} {one.text}" for one in findings]


def advice(findings: Sequence[Finding], state: str) -> list[str]:
    """Return what to do about the findings of that state, numbered, each advice once."""
    wanted: dict[str, list[str]] = {}
    for one in findings:
        if one.state == state and one.fix:
            names = wanted.setdefault(one.fix, [])
            if one.name not in names:
                names.append(one.name)
    return [
        f"{number}. {', '.join(names)}: {fix}"
        for number, (fix, names) in enumerate(wanted.items(), 1)
    ]


def verdict_line(findings: Sequence[Finding]) -> str:
    """Return the whole check in one sentence."""
    wrong = sum(1 for one in findings if one.state == WRONG)
    if wrong:
        return f"{wrong} of {len(findings)} checks failed. See What to fix."
    if any(one.state == OK and one.name == "test event" for one in findings):
        return "This machine is set up: a test event was signed, sent and accepted."
    return "No check failed, but no test event was sent."
