# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls of Cloud Monitor's OpenAPI 2019-01-01: signs each attempt, retries, and reads all pages.

All I/O is done by the transport.
"""

from __future__ import annotations

import random
import time
import uuid
from typing import Any, Callable, Iterable, Iterator, Mapping, Protocol

from .acs3 import canonical_query, flatten, host_header, signed_call_headers
from .call_answer import CallResult, Success, classify_call
from .client import MIN_INTERVAL, RETRY_AFTER_MAX, backoff, classify_failure, is_temporary
from .connection import Connection
from .credentials import Credentials
from .errors import ServiceError
from .redact import Redactor
from .response import Refused, Response, Retry, error_fields
from .transport import TransportError

VERSION = "2019-01-01"
# The size in the example of the documentation. The largest one is not documented.
PAGE_SIZE = 50
# No list of an account has that many pages. It ends the reading if a service ignores the number.
_MOST_PAGES = 10_000


class CallPoster(Protocol):
    """A transport, as far as the client uses it."""

    def post(self, headers: Mapping[str, str], body: bytes, query: str = "") -> Response:
        """Send one request; return the answer or raise TransportError."""


class OpenApi:
    """Makes calls at one endpoint. Clock, sleep, chance, nonce and transport are arguments."""

    def __init__(
        self,
        connection: Connection,
        credentials: Credentials,
        transport: CallPoster,
        *,
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        nonce: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """``secrets``: further texts to mask in errors. ``requests`` counts the attempts so far."""
        self.requests = 0
        self._connection = connection
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._chance = chance
        self._nonce = nonce
        self._host = host_header(connection.endpoint)
        self._redactor = Redactor((*credentials.secrets, *secrets))
        self._next_at = float("-inf")

    def call(self, action: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer of ``action``; lists and mappings in ``parameters`` are flattened.

        Raises ServiceError if the call was refused, or is out of retries.
        """
        query = canonical_query(flatten(parameters))
        retry = 0
        while True:
            result = self._attempt(action, query)
            if isinstance(result, Success):
                return result.body
            if (
                not isinstance(result, Retry)
                or retry >= self._connection.retries
                or (result.after or 0.0) > RETRY_AFTER_MAX
            ):
                raise self._error(action, result)
            self._sleep(backoff(retry, self._chance(), result.after))
            retry += 1

    def pages(self, action: str, parameters: Mapping[str, Any], *path: str) -> Iterator[list[Any]]:
        """Yield the entries of each page of a list, which is at ``path`` in the answers.

        The reading ends with a page that is shorter than requested. If the answers have a
        ``Total``, it ends when so many entries were read, or with an empty page. Raises as call.
        """
        read = 0
        for number in range(1, _MOST_PAGES + 1):
            body = self.call(action, {**parameters, "PageNumber": number, "PageSize": PAGE_SIZE})
            entries = _entries(body, path)
            if entries:
                yield entries
            read += len(entries)
            total = _number(body.get("Total"))
            is_last = len(entries) < PAGE_SIZE if total is None else read >= total
            if is_last or not entries:
                return

    def _attempt(self, action: str, query: str) -> CallResult:
        wait = self._next_at - self._monotonic()
        if wait > 0:
            self._sleep(wait)
        self._next_at = self._monotonic() + MIN_INTERVAL
        self.requests += 1
        now = self._clock()
        key = self._credentials
        headers = signed_call_headers(
            action,
            VERSION,
            self._host,
            query,
            nonce=self._nonce(),
            epoch=now,
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            security_token=key.security_token,
        )
        try:
            response = self._transport.post(headers, b"", query)
        except TransportError as exc:
            return classify_failure(exc)
        return classify_call(response, action, now, self._redactor.text, is_temporary(key))

    def _error(self, action: str, result: Retry | Refused) -> ServiceError:
        redact = self._redactor.text
        problem = f"{action} failed at {self._connection.endpoint}: {result.problem}"
        is_answer = result.answer.http_status is not None
        fields = error_fields(result, redact, None if is_answer else _ADVICE.get(result.kind))
        return ServiceError(redact(problem), result.kind, result.outcome, **fields)


# Without an answer. The other kinds have the same advice as for events.
_ADVICE = {
    "timeout": "Check the network and api_endpoint, or set a longer timeout.",
    "connection": "Check api_endpoint, region, network, the firewall and the proxy variables.",
}


def _entries(body: Mapping[str, Any], path: tuple[str, ...]) -> list[Any]:
    """Return the list at ``path``. An empty list may be missing, or be an empty text."""
    value: Any = body
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, list) else []


def _number(value: Any) -> int | None:
    """Return a number of an answer, which may be a text; None if it is not one."""
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
