# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client: fresh signatures, patient retries, an even pace, and an honest report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, field
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.batch import batches
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.client import (
    BACKOFF_FIRST,
    BACKOFF_MAX,
    MIN_INTERVAL,
    RETRY_AFTER_MAX,
    Client,
    SendSummary,
    backoff,
    classify_failure,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.endpoint import RESOURCE
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import Outcome
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import Response
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.signature import (
    sign,
    string_to_sign,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    TransportError,
)

ENDPOINT = "https://metrichub-cms-cn-hangzhou.aliyuncs.com"
SECRET = "a-secret-of-thirty-characters"
TOKEN = "tokenTOKEN" * 90
KEY = Credentials("an-id", SECRET, TOKEN)
START = 1508741079.25

OK = Response(200, {}, b'{"code":"200","msg":""}')
BUSY = Response(503, {}, b"")
WRONG = Response(400, {}, b'{"code":"400","msg":"syntax error","requestId":"7B1C"}')
BAD_SIGNATURE = Response(403, {}, b'{"code":"403","msg":"bad sign"}')
GONE = TransportError("connection", "Connection refused")

Reaction: TypeAlias = "Response | TransportError"


def come_true(outcome: Reaction) -> Response:
    if isinstance(outcome, TransportError):
        raise outcome
    return outcome


@dataclass
class World:
    """Time that passes only when somebody sleeps or sends, and a service with a script."""

    script: list[Reaction] = field(default_factory=list)
    seconds_per_request: float = 0.0
    now: float = 0.0
    sent_at: list[float] = field(default_factory=list)
    sent: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        self.sent_at.append(self.now)
        self.sent.append((headers, body))
        self.now += self.seconds_per_request
        return come_true(self.script.pop(0) if self.script else OK)

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds

    def client(
        self,
        retries: int = 3,
        chance: Callable[[], float] = lambda: 1.0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Client:
        return Client(
            Connection(ENDPOINT, retries=retries),
            KEY,
            self,
            "10.0.0.8",
            clock=lambda: START + self.now,
            monotonic=lambda: 1000 + self.now,
            sleep=self.sleep,
            chance=chance,
            progress=progress,
        )


def events_of(count: int) -> list[Event]:
    return [Event("n", str(number), 0, "20171023T064439.948+0000") for number in range(count)]


def send(world: World, count: int = 1, retries: int = 3) -> SendSummary:
    return world.client(retries).send(batches(events_of(count)))


def test_a_delivered_event_is_one_request() -> None:
    world = World()

    assert send(world) == SendSummary(delivered=1, requests=1)
    assert world.slept == []


def test_no_events_are_no_request() -> None:
    assert send(World(), 0) == SendSummary(0, 0)


def test_many_events_go_in_order_and_in_few_requests() -> None:
    world = World()

    report = send(world, 250)

    assert report == SendSummary(delivered=250, requests=3)
    bodies = [json.loads(body) for _headers, body in world.sent]
    assert [event["content"] for body in bodies for event in body] == [str(n) for n in range(250)]


def test_each_try_has_its_own_date_and_signature_and_the_same_body() -> None:
    world = World([BUSY, GONE, BUSY])

    assert send(world) == SendSummary(delivered=1, requests=4)

    headers = [sent for sent, _body in world.sent]
    assert len({body for _headers, body in world.sent}) == 1
    assert len({sent["Content-MD5"] for sent in headers}) == 1
    assert len({sent["Authorization"] for sent in headers}) == len({h["Date"] for h in headers}) > 1
    for sent, moment in zip(headers, world.sent_at, strict=True):
        assert parsedate_to_datetime(sent["Date"]).timestamp() == int(START + moment)
        text = string_to_sign(
            "POST", sent["Content-MD5"], sent["Content-Type"], sent["Date"], sent.items(), RESOURCE
        )
        assert sent["Authorization"] == "an-id:" + sign(SECRET, text)


@pytest.mark.parametrize(
    "outcome",
    [
        BUSY,
        GONE,
        TransportError("timeout", "no answer within 5 s"),
        TransportError("tls", "handshake interrupted"),
        Response(200, {}, b'{"code":"500","msg":"internal"}'),
        Response(403, {}, b'{"code":"403","msg":"rate limit"}'),
        Response(429, {}, b""),
        Response(200, {}, b'{"code":"2', complete=False),
    ],
    ids=repr,
)
def test_trouble_that_ends_within_the_retries_is_survived(outcome: Reaction) -> None:
    world = World([outcome] * 3)

    assert send(world, retries=3) == SendSummary(delivered=1, requests=4)


@pytest.mark.parametrize("retries", [0, 1, 3, 300])
def test_trouble_that_outlasts_the_retries_is_reported(retries: int) -> None:
    world = World([BUSY] * (retries + 1))

    report = send(world, 2, retries)

    assert report.requests == len(world.sent) == retries + 1
    assert report.delivered == 0
    assert report.undelivered == tuple(events_of(2))
    assert report.error is not None
    assert (report.error.kind, report.error.keep) == ("server_error", True)


@pytest.mark.parametrize(
    ("reaction", "kind", "outcome"),
    [
        (WRONG, "bad_request", Outcome.REFUSED),
        (BAD_SIGNATURE, "signature", Outcome.REFUSED_FOR_NOW),  # KEY is temporary
        (Response(200, {}, b"<html>"), "not_the_service", Outcome.OUTAGE),
        (Response(302, {}, b"Moved"), "redirect", Outcome.OUTAGE),
        (TransportError("tls", "CERTIFICATE_VERIFY_FAILED", permanent=True), "tls", Outcome.OUTAGE),
    ],
)
def test_a_refusal_is_reported_at_once(reaction: Reaction, kind: str, outcome: Outcome) -> None:
    world = World([reaction])

    report = send(world)

    assert (report.requests, world.slept) == (1, [])
    assert report.error is not None
    assert (report.error.kind, report.error.outcome) == (kind, outcome)


@pytest.mark.parametrize(
    ("credentials", "temporary"),
    [
        (Credentials("id", "secret", None, "options"), False),
        (Credentials("id", "secret", None, "environment"), False),
        (Credentials("id", "secret", "token", "options"), True),
        (Credentials("id", "secret", "token", "environment"), True),
        (Credentials("id", "secret", "token", "chain"), True),
        (Credentials("id", "secret", None, "chain"), True),
    ],
    ids=lambda value: getattr(value, "source", None),
)
def test_a_refused_signature_can_pass_only_with_temporary_credentials(
    credentials: Credentials, temporary: bool
) -> None:
    world = World([BAD_SIGNATURE])
    client = Client(Connection(ENDPOINT), credentials, world, "10.0.0.8", sleep=world.sleep)

    error = client.send(batches(events_of(1))).error

    assert error is not None
    assert error.outcome is (Outcome.REFUSED_FOR_NOW if temporary else Outcome.REFUSED)


def test_throttling_is_told_from_an_outage() -> None:
    for response, outcome in [
        (BUSY, Outcome.OUTAGE),
        (Response(429, {}, b""), Outcome.THROTTLED),
        (Response(403, {}, b'{"code":"403","msg":"rate limit"}'), Outcome.THROTTLED),
    ]:
        error = send(World([response]), retries=0).error
        assert error is not None
        assert error.outcome is outcome


def test_after_a_refusal_what_is_left_is_handed_back_in_order() -> None:
    world = World([OK, WRONG])

    report = send(world, 250)

    assert (report.delivered, report.requests) == (100, 2)
    assert report.undelivered == tuple(events_of(250)[100:])
    assert report.error is not None
    assert "accepted 100 of 250 events" in str(report.error)


def test_what_was_handed_back_completes_the_job_when_it_is_given_again() -> None:
    world = World([OK, WRONG])
    client = world.client()
    report = client.send(batches(events_of(250)))

    again = client.send(batches(report.undelivered))

    assert again == SendSummary(delivered=150, requests=2)


def test_each_batch_has_all_of_its_retries() -> None:
    world = World([BUSY, BUSY, OK, BUSY, BUSY, OK])

    assert send(world, 200, retries=2) == SendSummary(delivered=200, requests=6)


def test_the_error_says_what_where_and_what_to_do() -> None:
    report = send(World([WRONG]), 2)

    assert report.error is not None
    assert str(report.error) == (
        f"Cloud Monitor ({ENDPOINT}) accepted 0 of 2 events: the request was refused as wrong "
        "(HTTP 400, code 400, message 'syntax error'). Check the name, content and time of the "
        "events. If they are correct, report a bug."
    )
    assert report.error.as_result() == {
        "kind": "bad_request",
        "http_status": 400,
        "code": "400",
        "message": "syntax error",
        "request_id": "7B1C",
    }


def test_without_an_answer_the_message_is_why_there_was_none() -> None:
    report = send(World([GONE]), retries=0)

    assert report.error is not None
    assert report.error.message == "Connection refused"
    assert report.error.http_status is None


@pytest.mark.parametrize("secret", [SECRET, TOKEN], ids=["secret", "token"])
@pytest.mark.parametrize("before", [0, 490], ids=["at once", "where a message is cut"])
def test_no_secret_gets_into_the_error(secret: str, before: int) -> None:
    text = "." * before + secret + "."
    outcomes: Sequence[Reaction] = [
        Response(403, {}, json.dumps({"code": "403", "msg": text, "requestId": text}).encode()),
        Response(403, {}, json.dumps({"code": text, "msg": ""}).replace("/", "\\/").encode()),
        Response(404, {"content-type": text}, b""),
        TransportError("connection", text),
    ]
    for outcome in outcomes:
        report = send(World([outcome]), retries=0)

        assert report.error is not None
        shown = str(report.error) + json.dumps(report.error.as_result())
        assert secret[:10] not in shown


@pytest.mark.parametrize(
    ("after", "waits"),
    [(None, [BACKOFF_FIRST]), ("0", [BACKOFF_FIRST]), ("7", [7.0]), ("30", [30.0])],
)
def test_retry_after_is_waited_for(after: str | None, waits: list[float]) -> None:
    headers = {} if after is None else {"retry-after": after}
    world = World([Response(503, headers, b"")])

    assert send(world).delivered == 1
    assert world.slept == waits


@pytest.mark.parametrize(("after", "shown"), [("31", "31"), ("9" * 400, "1000000000")])
def test_a_wait_that_is_too_long_is_told_instead(after: str, shown: str) -> None:
    world = World([Response(429, {"retry-after": after}, b"")])

    report = send(world)

    assert (report.requests, world.slept) == (1, [])
    assert report.error is not None
    assert f"The service asked to wait {shown} s." in str(report.error)


def test_the_waits_grow() -> None:
    world = World([BUSY] * 6)

    send(world, retries=6)

    assert world.slept == [0.5, 1, 2, 4, 8, 8]


@given(retry=st.integers(0, 100), chance=st.floats(0, 1), after=st.none() | st.floats(0, 30))
def test_a_wait_has_bounds(retry: int, chance: float, after: float | None) -> None:
    wait = backoff(retry, chance, after)

    assert BACKOFF_FIRST / 2 <= wait <= max(BACKOFF_MAX, RETRY_AFTER_MAX)
    assert wait >= (after or 0)
    if after is None:
        assert wait <= min(BACKOFF_MAX, BACKOFF_FIRST * 2**retry)
    assert backoff(retry, chance) <= backoff(retry + 1, chance) * (1 + chance)


@given(
    count=st.integers(1, 4000),
    took=st.sampled_from([0.0, 0.001, 0.04, 0.06, 0.3]),
    chances=st.floats(0, 1),
    busy=st.lists(st.booleans(), max_size=30),
)
def test_no_second_ever_sees_more_than_twenty_requests(
    count: int, took: float, chances: float, busy: list[bool]
) -> None:
    world = World([BUSY if is_busy else OK for is_busy in busy], seconds_per_request=took)

    world.client(retries=3, chance=lambda: chances).send(batches(events_of(count)))

    for number, moment in enumerate(world.sent_at):
        window = [other for other in world.sent_at[number:] if other <= moment + 1.0]
        assert len(window) <= 20


def test_the_pace_holds_over_several_calls_of_one_client() -> None:
    world = World()
    client = world.client()

    for _unused in range(30):
        client.send(batches(events_of(1)))

    assert len([moment for moment in world.sent_at if moment <= 1.0]) <= 20


def test_ten_thousand_events_take_little_longer_than_the_limit_asks_for() -> None:
    world = World()

    assert send(world, 10_000) == SendSummary(delivered=10_000, requests=100)
    assert 4.95 <= world.now <= 5.2


def test_a_request_at_once_is_not_delayed_and_those_after_it_make_up_for_it() -> None:
    world = World()
    client = world.client()
    for at_once in (False, True, True, False, False):
        assert client.send(batches(events_of(1)), at_once=at_once).error is None

    assert world.sent_at == pytest.approx([0, 0, 0, 3 * MIN_INTERVAL, 4 * MIN_INTERVAL])


def test_only_the_first_of_several_requests_is_sent_at_once() -> None:
    world = World()
    world.client().send(batches(events_of(300)), at_once=True)

    assert world.sent_at == pytest.approx([0, MIN_INTERVAL, 2 * MIN_INTERVAL])


def test_a_service_as_slow_as_the_pace_is_not_waited_for() -> None:
    world = World(seconds_per_request=MIN_INTERVAL)

    assert send(world, 200) == SendSummary(delivered=200, requests=2)
    assert world.slept == []


def test_a_report_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(send(World()), "delivered", 2)  # noqa: B010


@given(
    outcomes=st.lists(st.sampled_from([OK, BUSY, GONE, WRONG]), max_size=12),
    count=st.integers(0, 450),
    retries=st.integers(0, 3),
)
def test_every_event_is_either_delivered_or_handed_back(
    outcomes: list[Reaction], count: int, retries: int
) -> None:
    world = World(list(outcomes))

    report = send(world, count, retries)

    assert report.requests == len(world.sent)
    assert events_of(count)[: report.delivered] + list(report.undelivered) == events_of(count)
    assert (report.error is None) == (report.undelivered == ())


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("timeout", "longer timeout. The events may have arrived."),
        ("tls", "ca_path"),
        ("connection", "firewall and the proxy variables"),
    ],
)
def test_every_way_of_getting_no_answer_has_its_advice(kind: str, advice: str) -> None:
    verdict: Any = classify_failure(TransportError(kind, "why"))

    assert (verdict.kind, verdict.problem) == (kind, "why")
    assert advice in verdict.advice


def test_progress_is_reported_after_each_request_and_once_a_second_during_waits() -> None:
    later = Response(503, {"retry-after": "7"}, b"")
    world, seen = World([OK, later]), list[tuple[float, int, int]]()
    client = world.client(progress=lambda done, total: seen.append((world.now, done, total)))

    assert client.send(batches(events_of(250))).delivered == 250
    assert [(done, total) for _at, done, total in seen[:2]] == [(100, 250), (100, 250)]
    assert [done for _at, done, _total in seen[-2:]] == [200, 250]
    times = [at for at, _done, _total in seen]
    assert max(later - at for at, later in pairwise(times)) <= 1.0
    assert sum(world.slept) == pytest.approx(7.0 + 2 * MIN_INTERVAL, abs=0.1)
