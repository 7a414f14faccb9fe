# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends batches of events: signs each attempt, retries outages, and limits the rate.

All I/O is done by the transport.
"""

from __future__ import annotations

import random
import time
from typing import Callable, Mapping, Protocol, Sequence

from .batch import Batch
from .connection import Connection
from .credentials import Credentials
from .errors import DeliveryError, Outcome
from .event import Event
from .frozen import frozen
from .redact import Redactor
from .response import (
    Delivered,
    Refused,
    Response,
    Retry,
    SendResult,
    classify,
    error_fields,
)
from .signature import signed_headers
from .transport import TransportError

# The service takes 20 requests a second from an account (Cloud Monitor documentation). A
# little less leaves room for requests that arrive closer together than they were sent.
MIN_INTERVAL = 1 / 19.5

BACKOFF_FIRST = 0.5
BACKOFF_MAX = 8.0
# A task does not wait for a longer Retry-After. It gives up at once, and its error has the time.
RETRY_AFTER_MAX = 30.0
# How often a wait reports its progress.
_STEP_SECONDS = 1.0


class Poster(Protocol):
    """A transport, as far as the client uses it."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send one body; return the answer or raise TransportError."""


@frozen
class SendSummary:
    """The result of sending events. ``requests`` counts attempts.

    ``undelivered``: the events that were not accepted, in order. ``error`` is None if there are
    none. ``request_id``: the id that the service gave to the last accepted request.
    """

    delivered: int
    requests: int
    undelivered: tuple[Event, ...] = ()
    error: DeliveryError | None = None
    request_id: str | None = None


def is_temporary(credentials: Credentials) -> bool:
    """Return whether a later look-up may find other credentials than these.

    That is so for an STS token, and for a key that alibabacloud-credentials has found. A
    permanent key in an option or a variable stays what it is.
    """
    return credentials.security_token is not None or credentials.source not in (
        "options",
        "environment",
    )


def backoff(retry: int, chance: float, after: float | None = None) -> float:
    """Return the seconds to wait before the retry number ``retry`` (from 0).

    Exponential, half of it by ``chance`` (0 to 1), so that many clients do not return together.
    Never less than the service asked for (``after``).
    """
    full = min(BACKOFF_MAX, BACKOFF_FIRST * float(2 ** min(retry, 10)))
    return max(full / 2 + chance * full / 2, after or 0.0)


class Client:
    """Delivers batches to one endpoint. Clock, sleep, chance and transport are arguments."""

    def __init__(
        self,
        connection: Connection,
        credentials: Credentials,
        transport: Poster,
        source_ip: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """``progress`` is called often, also during waits: accepted events, all events."""
        self._connection = connection
        self._credentials = credentials
        self._transport = transport
        self._source_ip = source_ip
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance
        self._progress = progress
        self._delivered = 0
        self._total = 0
        self._redactor = Redactor(credentials.secrets)
        self._next_at = float("-inf")
        self._requests = 0

    def send(self, batches: Sequence[Batch], *, at_once: bool = False) -> SendSummary:
        """Deliver ``batches`` in order and stop at the first that is not accepted.

        With ``at_once``, the first attempt does not wait because of earlier requests. Requests
        after it wait longer instead, so the average rate stays below the limit.
        """
        self._requests = 0
        self._delivered = 0
        self._total = sum(len(batch.events) for batch in batches)
        request_id: str | None = None
        for number, batch in enumerate(batches):
            result = self._deliver(batch, at_once=at_once and number == 0)
            if not isinstance(result, Delivered):
                left = tuple(event for rest in batches[number:] for event in rest.events)
                error = self._error(result, self._delivered, self._total)
                return SendSummary(self._delivered, self._requests, left, error, request_id)
            request_id = result.answer.request_id
            self._delivered += len(batch.events)
            self._report_progress()
        return SendSummary(self._delivered, self._requests, request_id=request_id)

    def _deliver(self, batch: Batch, *, at_once: bool) -> SendResult:
        """Send one batch until it is delivered, refused, or out of retries."""
        retry = 0
        while True:
            result = self._attempt(batch, at_once=at_once and retry == 0)
            if not isinstance(result, Retry) or retry >= self._connection.retries:
                return result
            if result.after is not None and result.after > RETRY_AFTER_MAX:
                return result
            self._report_progress()
            self._wait(backoff(retry, self._chance(), result.after))
            retry += 1

    def _wait(self, seconds: float) -> None:
        """Wait in steps, so that a long wait reports its progress."""
        while self._progress is not None and seconds > _STEP_SECONDS:
            self._sleep(_STEP_SECONDS)
            seconds -= _STEP_SECONDS
            self._report_progress()
        self._sleep(seconds)

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(self._delivered, self._total)

    def _attempt(self, batch: Batch, *, at_once: bool) -> SendResult:
        wait = self._next_at - self._monotonic()
        if wait > 0 and not at_once:
            self._sleep(wait)
        self._next_at = max(self._next_at, self._monotonic()) + MIN_INTERVAL
        self._requests += 1
        now = self._clock()
        headers = signed_headers(
            batch.body,
            self._credentials.access_key_id,
            self._credentials.access_key_secret,
            self._credentials.security_token,
            self._source_ip,
            now,
        )
        try:
            response = self._transport.post(headers, batch.body)
        except TransportError as exc:
            return classify_failure(exc)
        return classify(response, now, self._redactor.text, is_temporary(self._credentials))

    def _error(self, result: Retry | Refused, delivered: int, total: int) -> DeliveryError:
        redact = self._redactor.text
        problem = (
            f"Cloud Monitor ({self._connection.endpoint}) accepted {delivered} of {total} events: "
            f"{result.problem}"
        )
        fields = error_fields(result, redact)
        return DeliveryError(redact(problem), result.kind, result.outcome, **fields)


_ADVICE = {
    "timeout": "Check the network and the endpoint, or set a longer timeout. The events may have "
    "arrived.",
    "tls": "Set ca_path to the certificate authority, and check that the certificate is for the "
    "host in endpoint.",
    "connection": "Check endpoint, region, network (a VPC endpoint answers inside the VPC only), "
    "the firewall and the proxy variables.",
}


def classify_failure(error: TransportError) -> Retry | Refused:
    """Return what an attempt without an answer means: Refused if another one cannot succeed."""
    advice = _ADVICE.get(error.kind, _ADVICE["connection"])
    if error.permanent:
        return Refused(error.kind, str(error), advice, outcome=Outcome.OUTAGE)
    return Retry(error.kind, str(error), advice)
