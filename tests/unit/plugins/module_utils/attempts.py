# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One attempt over HTTP, and the usual scripts of the server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.response import Response
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    Transport,
    TransportError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    OK,
    PATIENCE,
    Script,
    Talk,
)

HEADERS = {"Authorization": "an-id:SIGNATURE", "x-cms-ip": "10.0.0.8"}
BODY = '[{"name":"部署"}]'.encode()


def post(
    endpoint: str,
    timeout: float = PATIENCE,
    environ: Mapping[str, str] | None = None,
    **connection: Any,
) -> Response:
    options = Connection(endpoint, timeout=timeout, **connection)
    return Transport(options, environ or {}).post(HEADERS, BODY)


def failed_post(endpoint: str, timeout: float = PATIENCE, **more: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        post(endpoint, timeout, **more)
    return caught.value


def answering(answer: bytes) -> Script:
    def script(talk: Talk) -> None:
        talk.receive()
        talk.send(answer)

    return script


def recording(heard: list[bytes], answer: bytes = OK) -> Script:
    def script(talk: Talk) -> None:
        while request := talk.receive():
            heard.append(request)
            talk.send(answer)

    return script
