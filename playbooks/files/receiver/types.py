# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes that the parts of the local receiver hand to each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping

#: One event as it stood in the JSON of a request.
Event = Dict[str, Any]


class Refused(Exception):
    """A request that the endpoint does not accept.

    ``status`` is the HTTP status, which is also the ``code`` of the body; the text is the ``msg``.
    It says what is wrong and never holds a secret, a token or the expected signature.
    """

    def __init__(self, status: int, msg: str) -> None:
        """Keep the status and the text."""
        super().__init__(msg)
        self.status = status
        self.msg = msg


class CallRefused(Exception):
    """A call of the OpenAPI that is not accepted: HTTP status, code and text of the answer."""

    def __init__(self, status: int, code: str, msg: str) -> None:
        """Keep the status, the code and the text."""
        super().__init__(msg)
        self.status = status
        self.code = code
        self.msg = msg


@dataclass(frozen=True)
class Credential:
    """An access key that the receiver knows; ``token`` makes it a temporary (STS) one."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RawRequest:
    """A request as it was on the wire.

    ``header_lines`` are the bytes of each line without its line end. ``trouble`` says why the
    request could not be read to its end; it is refused and its connection closed.
    """

    method: str
    target: str
    header_lines: tuple[bytes, ...]
    body: bytes = b""
    version: str = "HTTP/1.1"
    trouble: str | None = None

    def values(self, name: str) -> tuple[bytes, ...]:
        """Return the values of every header line called ``name`` (lower case), in order."""
        return tuple(value for key, value in self.headers() if key == name.encode("ascii"))

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return all headers as (lower-cased name, value), without the spaces around them."""
        split = (line.partition(b":") for line in self.header_lines)
        return tuple(
            (name.strip(b" \t").lower(), value.strip(b" \t")) for name, _unused, value in split
        )

    def text(self, name: str) -> str | None:
        """Return the first value of a header for a record, or None when there is none."""
        found = self.values(name)
        return found[0].decode("utf-8", "replace") if found else None

    @property
    def path(self) -> str:
        """Return the path of the target without its query.

        A proxy's client sends a whole URL as the target; a server has to take that form too.
        """
        return self.path_and_query[0]

    @property
    def path_and_query(self) -> tuple[str, str]:
        """Return the target as its path and its query, of which the query may be empty."""
        target = self.target
        for scheme in ("http://", "https://"):
            if target.startswith(scheme):
                target = "/" + target[len(scheme) :].partition("/")[2]
        path, _unused, query = target.partition("?")
        return path, query


@dataclass(frozen=True)
class Verdict:
    """What the endpoint decides about a request: its answer, and what it accepted."""

    status: int
    code: str
    msg: str
    events: tuple[Event, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    #: Bytes to send instead of the service's JSON, with their content type.
    page: tuple[str, bytes] | None = None
    #: The members of an answer of the OpenAPI, which gets its RequestId with them.
    call: Mapping[str, Any] | None = None

    def body(self, request_id: str) -> tuple[str, bytes]:
        """Return content type and bytes of the answer, the service's JSON unless a page is set."""
        if self.page is not None:
            return self.page
        if self.call is not None:
            text = json.dumps({**self.call, "RequestId": request_id}, ensure_ascii=False)
            return "application/json", text.encode("utf-8")
        members = {"code": self.code, "msg": self.msg, "requestId": request_id}
        return "application/json", json.dumps(members).encode("ascii")
