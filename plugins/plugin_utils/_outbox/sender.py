# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends events of the outbox with fresh credentials. Used by the courier and by flush_outbox."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from ...module_utils._api.batch import batches
from ...module_utils._api.client import Client
from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials, resolve_credentials
from ...module_utils._api.endpoint import shown_endpoint
from ...module_utils._api.errors import (
    CloudMonitorError,
    ConfigurationError,
    CredentialsError,
    DeliveryError,
    Outcome,
)
from ...module_utils._api.event import Event
from ...module_utils._api.names import shortened
from ...module_utils._api.redact import Redactor
from ...module_utils._api.transport import REQUESTS_IMPORT_ERROR, Transport, own_address
from .destination import Account, select, shown_destination
from .log import Attempt

# The library that finds temporary keys renews them itself when it is asked again.
CREDENTIALS_SECONDS = 300.0


def ask_chain(environ: Mapping[str, str]) -> tuple[Credentials, Account]:
    """Return the AccessKey that the default chain finds, and its account.

    ``environ``: the variables that the chain sees. Raises CredentialsError.
    """
    before = select(environ)
    found = resolve_credentials({}, {})
    after = select(environ)
    if before != after:  # so it is not certain which of them was found
        raise CredentialsError(
            "a profile changed while it was read",
            option="access_key_id",
            advice="The next attempt reads it again.",
        )
    return found, Account.of_chain(found, after)


class Sender:
    """Sends events, one attempt at a time, with credentials that are looked up again in time.

    Credentials of another account than before send nothing.
    """

    def __init__(
        self,
        connection: Connection,
        credentials: Credentials | None,
        environ: Mapping[str, str] | None = None,
        directory: str | None = None,
        destination: str | None = None,
        decide: Callable[[str], None] = lambda _destination: None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """``credentials``: None to find them with the default chain of alibabacloud-credentials.

        ``environ``: where the proxies are looked up. ``directory``: the working directory for the
        default chain, because its files may name others by relative paths; None for any.
        ``destination``: whose events these are, None for the first account that is found.
        ``decide`` is called with the destination when the chain has decided it, ``progress`` as
        the client calls it.
        """
        self._connection = connection
        self._given = credentials
        self._environ = os.environ if environ is None else environ
        self._directory = directory
        self._transport: Transport | None = None
        self._client: Client | None = None
        self._found: Credentials | None = credentials
        self._redactor = Redactor(credentials.secrets if credentials is not None else ())
        self._destination = destination
        self._decide = decide
        self._progress = progress
        # None until the default chain has answered.
        self.account: Account | None = None
        if credentials is not None and destination is not None:
            self.account = Account.of_given(destination)
        self._found_at = 0.0
        self.where = shown_endpoint(connection.endpoint)
        # For the log. None before the first attempt.
        self.last_attempt: Attempt | None = None

    def send(self, events: Sequence[Event], *, at_once: bool = False) -> DeliveryError | None:
        """Send events once; return the error if they were not accepted. Raises nothing else.

        With ``at_once``, they do not wait because of requests before them, see client.py.
        """
        begin = time.monotonic()
        error, request_id = self._send(events, at_once=at_once)
        if error is not None and error.outcome is Outcome.REFUSED_FOR_NOW:
            # They may have expired: the next attempt looks them up again.
            self._found_at = float("-inf")
        seconds = time.monotonic() - begin
        self.last_attempt = Attempt(len(events), self.where, seconds, request_id, error)
        return error

    def _send(
        self, events: Sequence[Event], *, at_once: bool
    ) -> tuple[DeliveryError | None, str | None]:
        """Send events once; return the error, None without one, and the id of the request."""
        try:
            client = self._ready_client()
            # Secrets that only the default chain knows are still in them.
            masked = [event.with_texts(self._redactor.text) for event in events]
            summary = client.send(batches(masked), at_once=at_once)
        except DeliveryError as exc:
            return exc, exc.request_id
        except CloudMonitorError as exc:
            text = self._redactor.text(str(exc))
            brief = self._redactor.text(exc.brief)
            return DeliveryError(text, exc.kind, Outcome.OUTAGE, brief=brief), None
        except Exception as exc:
            # The kind only: the text of an unforeseen error may hold a secret.
            problem = f"the attempt failed with {type(exc).__name__}"
            return DeliveryError(problem, "internal", Outcome.OUTAGE), None
        return summary.error, summary.error.request_id if summary.error else summary.request_id

    def credentials(self) -> Credentials:
        """Return the credentials to sign with.

        The default chain may find others than before: a profile was switched, or a service of
        its first choice cannot be reached. Raises CredentialsError then.
        """
        if self._given is not None:
            return self._given
        with _working_in(self._directory):
            found, account = ask_chain(self._environ)
        wanted = account.destination if self._destination is None else self._destination
        if wanted not in account.accepted:
            found_name, wanted_name = map(shown_destination, (account.destination, wanted))
            raise CredentialsError(
                f"alibabacloud-credentials found {found_name}, but these events are for "
                f"{wanted_name}",
                option="access_key_id",
                advice="They wait in the outbox for credentials of that account.",
                brief=f"{shortened(found_name, 30)} is of another account.",
            )
        if account.destination != self._destination:
            self._destination = account.destination
            self._decide(account.destination)
        self.account = account
        return found

    def with_timeout(self, timeout: float) -> Sender:
        """Return a sender of the same credentials that takes ``timeout`` seconds at most."""
        connection = replace(self._connection, timeout=min(timeout, self._connection.timeout))
        return Sender(
            connection,
            self._found,
            self._environ,
            self._directory,
            self._destination,
            self._decide,
        )

    def check(self) -> None:
        """See that requests can be sent at all. Raises ConfigurationError."""
        self._ready_transport()

    def _ready_transport(self) -> Transport:
        if REQUESTS_IMPORT_ERROR is not None:
            raise ConfigurationError(
                "urllib3 cannot be imported where events are delivered",
                advice="Install requests, which brings it, beside ansible-core.",
            )
        if self._transport is None:
            self._transport = Transport(self._connection, self._environ)
        return self._transport

    def _ready_client(self) -> Client:
        """Return the client. It is kept for as long as possible, because it limits the rate."""
        now = time.monotonic()
        fresh = self._given is not None or now - self._found_at <= CREDENTIALS_SECONDS
        if self._client is not None and fresh:
            return self._client
        transport = self._ready_transport()
        self._found = self.credentials()
        self._redactor = Redactor(self._found.secrets)
        self._found_at = now
        source_ip = self._connection.source_ip or own_address()
        self._client = Client(
            self._connection, self._found, transport, source_ip, progress=self._progress
        )
        return self._client


@contextlib.contextmanager
def _working_in(directory: str | None) -> Iterator[None]:
    """Work in another directory for a moment; a process in it would keep it from unmounting."""
    if directory is None:
        yield
        return
    with contextlib.suppress(OSError):  # it may have been deleted
        os.chdir(directory)
    try:
        yield
    finally:
        os.chdir("/")
