# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session of a task that calls Cloud Monitor's OpenAPI, always from the controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ...module_utils._api.acs3 import PATH
from ...module_utils._api.connection import Connection, parse_api_connection
from ...module_utils._api.credentials import Credentials, resolve_credentials, with_id
from ...module_utils._api.errors import InvalidInput
from ...module_utils._api.openapi import OpenApi
from ...module_utils._api.redact import Redactor
from ...module_utils._api.transport import REQUESTS_IMPORT_ERROR, Transport
from ...module_utils._event_task import MissingLibrary, known_secrets
from ...module_utils._options import CONNECTION_OPTIONS, from_environment

# A page of 50 events, each of which fills a request for events.
_ANSWER_LIMIT = 32_000_000


class ApiSession:
    """The client of one task, and the redactor of its result."""

    def __init__(
        self, params: Mapping[str, Any], environ: Mapping[str, str], secrets: Sequence[str] = ()
    ) -> None:
        """``params``: validated connection options. ``secrets``: further texts to mask.

        Raises CloudMonitorError.
        """
        connection = parse_api_connection(params)
        if REQUESTS_IMPORT_ERROR is not None:
            raise MissingLibrary(missing_required_lib("requests"))
        credentials = resolve_credentials(params, environ)
        self.endpoint = connection.endpoint
        self.api = make_client(connection, credentials, environ, secrets)
        self._redactor = Redactor((*known_secrets(params, environ), *credentials.secrets, *secrets))

    def result(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of the task, with the endpoint and without the secrets."""
        complete = {**members, "endpoint": self.endpoint, "requests": self.api.requests}
        return dict(self._redactor.value(complete))


def configured_session(configured: Mapping[str, Any], environ: Mapping[str, str]) -> ApiSession:
    """Return a session with the connection of the environment and of ``ansible.cfg``.

    ``configured``: the connection options that ``ansible.cfg`` sets. Raises CloudMonitorError.
    """
    given = {**configured, **from_environment({}, environ)}
    key_id = given.pop("access_key_id", None)
    spec = {
        option.name: {name: value for name, value in option.spec().items() if name != "fallback"}
        for option in CONNECTION_OPTIONS
    }
    known = {name: value for name, value in given.items() if name in spec}
    checked = ArgumentSpecValidator(spec).validate(known)
    if checked.error_messages:
        raise InvalidInput(str(checked.errors.msg))
    return ApiSession(checked.validated_parameters, with_id(environ, key_id))


def make_client(
    connection: Connection,
    credentials: Credentials,
    environ: Mapping[str, str],
    secrets: Sequence[str] = (),
) -> OpenApi:
    """Return a client for a connection of the OpenAPI. Raises ConfigurationError."""
    transport = Transport(connection, environ, resource=PATH, answer_limit=_ANSWER_LIMIT)
    return OpenApi(connection, credentials, transport, secrets=secrets)
