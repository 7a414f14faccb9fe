# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends events of the outbox, with credentials that are fresh. For the courier and flush_outbox."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...module_utils._api.batch import batches
from ...module_utils._api.client import Client
from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials, resolve_credentials
from ...module_utils._api.errors import (
    CloudMonitorError,
    ConfigurationError,
    DeliveryError,
    Outcome,
)
from ...module_utils._api.event import Event
from ...module_utils._api.transport import REQUESTS_IMPORT_ERROR, Transport, own_address

# The library that finds temporary keys renews them itself when it is asked again.
CREDENTIALS_SECONDS = 300.0


class Sender:
    """Sends events with credentials that are fresh."""

    def __init__(
        self,
        connection: Connection,
        credentials: Credentials | None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Raises ConfigurationError when a request is not possible at all."""
        self._connection = connection
        self._given = credentials
        self._environ = os.environ if environ is None else environ
        self._client: Client | None = None
        self._found: Credentials | None = credentials
        self._found_at = 0.0
        if REQUESTS_IMPORT_ERROR is not None:
            raise ConfigurationError(
                "The Python package requests cannot be imported where events are delivered; "
                "install it beside ansible-core."
            )
        self._transport = Transport(connection, self._environ)
        self._source_ip = connection.source_ip or own_address()

    def send(self, events: Sequence[Event]) -> DeliveryError | None:
        """Try once; return what went wrong."""
        try:
            return self._ready().send(batches(events)).error
        except DeliveryError as exc:
            return exc
        except CloudMonitorError as exc:
            return DeliveryError(str(exc), exc.kind, Outcome.OUTAGE)

    def hurried(self, timeout: float) -> Sender:
        """Return a sender of the same credentials that takes ``timeout`` seconds at most."""
        connection = replace(self._connection, timeout=min(timeout, self._connection.timeout))
        return Sender(connection, self._found, self._environ)

    def _ready(self) -> Client:
        """Return the client; it is one and the same as long as it can be, for it keeps the rate."""
        now = time.monotonic()
        fresh = self._given is not None or now - self._found_at <= CREDENTIALS_SECONDS
        if self._client is None or not fresh:
            self._found = self._given or resolve_credentials({}, {})
            self._found_at = now
            self._client = Client(self._connection, self._found, self._transport, self._source_ip)
        return self._client
