# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What answers mean for a set-up, and how findings are told."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CloudMonitorError,
    ConfigurationError,
    InvalidEvent,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import (
    Answer,
    Delivered,
    Refused,
    Retry,
    SendResult,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.findings import (
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

DELIVERED = Delivered(Answer(200, "200"))


def refused(kind: str, status: int | None = 403) -> Refused:
    return Refused(kind, "the problem", "do this", Answer(status))


def states(verdict: SendResult, skew: float | None = 0.0, signed: bool = True) -> list[str]:
    """The states of endpoint, clock and, when there was one, test event."""
    found = attempt_findings(Attempt("https://e", None, verdict, skew, signed, "an event"))
    assert [one.name for one in found] == ["endpoint", "clock", "test event"][: len(found)]
    assert all(one.fix for one in found if one.state in (WRONG, NOTE))
    return [one.state for one in found]


def test_an_event_that_arrives_says_that_all_is_well() -> None:
    assert states(DELIVERED) == [OK, OK, OK]


@pytest.mark.parametrize("kind", ["connection", "timeout", "tls"])
def test_without_an_answer_nothing_can_be_told_of_clock_and_event(kind: str) -> None:
    assert states(refused(kind, None), None) == [WRONG, SKIPPED, SKIPPED]
    assert states(Retry(kind, "the problem", "do this"), None) == [WRONG, SKIPPED, SKIPPED]
    assert states(refused(kind, None), None, signed=False) == [WRONG, SKIPPED]


@pytest.mark.parametrize("kind", ["redirect", "not_the_service", "proxy"])
def test_an_answer_of_something_else_says_nothing_of_the_clock(kind: str) -> None:
    assert states(refused(kind), 9999.0) == [WRONG, SKIPPED, SKIPPED]


@pytest.mark.parametrize("kind", ["signature", "permission", "bad_request", "refused"])
def test_a_refusal_by_the_service_shows_that_it_was_reached(kind: str) -> None:
    assert states(refused(kind)) == [OK, OK, WRONG]
    assert states(refused(kind), signed=False) == [OK, OK]


def test_trouble_of_the_service_is_the_events_or_without_one_the_endpoints() -> None:
    trouble = Retry("server_error", "the problem", "do this", Answer(500))

    assert states(trouble) == [OK, OK, WRONG]
    assert states(trouble, signed=False) == [WRONG, OK]


def test_what_answers_an_unsigned_request_oddly_may_be_the_service() -> None:
    assert states(refused("not_the_service", 404), signed=False) == [NOTE, OK]
    assert states(refused("not_the_service", 200), signed=False) == [WRONG, OK]


@pytest.mark.parametrize(
    ("skew", "state"),
    [(0.4, OK), (-119.9, OK), (120.0, WRONG), (-120.0, WRONG), (None, SKIPPED)],
)
def test_clocks_may_differ_by_less_than_two_minutes(skew: float | None, state: str) -> None:
    assert states(DELIVERED, skew) == [OK, state, OK]


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (-120.0, "2 minutes behind"),
        (3600.0, "60 minutes ahead of"),
        (7200.0, "2 hours ahead of"),
        (-3 * 86_400.0, "3 days behind"),
    ],
)
def test_the_difference_of_clocks_is_told_in_words(skew: float, said: str) -> None:
    _endpoint, clock, _event = attempt_findings(
        Attempt("https://e", None, DELIVERED, skew, True, "e")
    )

    assert "clock is " + said in clock.text


def test_a_clock_that_is_refused_is_one_problem_and_not_two() -> None:
    assert states(refused("clock"), 3600.0) == [OK, WRONG, SKIPPED]


def test_the_proxy_on_the_way_is_named() -> None:
    endpoint, *_rest = attempt_findings(
        Attempt("https://e", "http://p:1", DELIVERED, 0.0, True, "e")
    )

    assert endpoint.text == "https://e through the proxy http://p:1 answers"


@pytest.mark.parametrize(
    ("error", "text", "fix"),
    [
        (
            ConfigurationError("is wrong. Really", option="a", advice="Do this. And that."),
            "a: is wrong. Really",
            "Do this. And that.",
        ),
        (ConfigurationError("must be 1", option="a"), "a: must be 1", "a: must be 1."),
        (ConfigurationError("it: is: off", advice="Fix it."), "it: is: off", "Fix it."),
        (InvalidEvent("is blank", "a"), "a: is blank", "a: is blank."),
        (ConfigurationError("is a link", option="settings"), "is a link", "is a link."),
    ],
)
def test_an_error_is_shown_as_problem_and_advice(
    error: CloudMonitorError, text: str, fix: str
) -> None:
    found = error_finding("settings", error)
    with_origin = error_finding("settings", error, "B")

    assert found == Finding("settings", WRONG, text, fix, error.option)
    assert with_origin.fix == (f"{error.option} comes from B. {fix}" if error.option else fix)


def test_each_advice_is_told_once_with_all_that_it_is_for() -> None:
    findings = [
        Finding("one", WRONG, "x", "Do this."),
        Finding("two", WRONG, "y", "Do that."),
        Finding("three", WRONG, "z", "Do this."),
        Finding("three", WRONG, "z", "Do this."),
        Finding("four", NOTE, "z", "Know this."),
        Finding("five", OK, "z"),
    ]

    assert advice(findings, WRONG) == ["1. one, three: Do this.", "2. two: Do that."]
    assert advice(findings, NOTE) == ["1. four: Know this."]
    assert verdict_line(findings) == "4 of 6 checks failed. See What to fix."
    assert table(findings)[1] == "WRONG    two           y"


def test_nothing_is_called_proven_that_was_not_tried() -> None:
    sent, skipped = Finding("test event", OK, "x"), Finding("test event", SKIPPED, "x")

    assert "This machine is set up" in verdict_line([sent])
    assert "no test event was sent" in verdict_line([skipped])
