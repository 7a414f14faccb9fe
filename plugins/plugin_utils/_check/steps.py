# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a check of the set-up that touch something: the library, the disk, the network."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pwd
import re
import socket
import stat
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ...module_utils._api.batch import batches
from ...module_utils._api.client import Client, classify_failure
from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials, shown_id
from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._api.event import parse_event
from ...module_utils._api.proxy import proxy_for
from ...module_utils._api.response import Response, SendResult, classify, clock_skew
from ...module_utils._api.signature import CONTENT_TYPE, http_date, signed_headers
from ...module_utils._api.transport import (
    REQUESTS_IMPORT_ERROR,
    Transport,
    TransportError,
    own_address,
)
from .._outbox.flush import count
from .._outbox.probe import ProbeResult
from .._outbox.storage import Outbox, OutboxError
from .findings import NOTE, OK, SKIPPED, WRONG, Attempt, Finding, error_finding
from .settings import without_password

EVENT = "deployment-check"
OLDEST_REQUESTS = (2, 27)

# A request that Alibaba Cloud's own Java SDK 0.1.8 has put on the wire, signed with "testsecret"
# for "testkey" at 2026-11-21 20:49:58 UTC.
VECTOR_BODY = (
    b'[{"content":"123,abc","groupId":100,"name":"Event_0","regionId":"N/A","status":"INFO",'
    b'"time":"20261121T204957.314+0000","trace":"700174e0-c8e0-44df-a82a-5b5dab4c302f",'
    b'"ver":"1.0"}]'
)
VECTOR_EPOCH = 1795294198
VECTOR_ADDRESS = "10.0.0.8"
VECTOR_MD5 = "24000DEB49FA8EE725A121BF66F39442"
VECTOR_AUTHORIZATION = "testkey:7B5AA300706F6143A7C78B1346F77B8FA117CCBC"


def check_signature() -> Finding:
    """Sign a request whose signature is known."""
    try:
        headers = signed_headers(
            VECTOR_BODY, "testkey", "testsecret", None, VECTOR_ADDRESS, VECTOR_EPOCH
        )
    except ValueError as exc:  # OpenSSL may be told to refuse SHA-1
        return Finding(
            "signature",
            WRONG,
            f"this Python cannot sign ({exc})",
            "Run Ansible with a Python whose hashlib offers MD5 and SHA-1. Cloud Monitor requires "
            "both.",
        )
    right = (headers["Content-MD5"], headers["Authorization"]) == (VECTOR_MD5, VECTOR_AUTHORIZATION)
    if right:
        return Finding("signature", OK, "a known request is signed correctly")
    return Finding(
        "signature",
        WRONG,
        "a known request is signed incorrectly",
        "Install the collection again. Its files have changed since the release.",
    )


def check_library(import_error: str | None = REQUESTS_IMPORT_ERROR) -> Finding:
    """Find requests with what it brings, and its version.

    ``import_error``: the traceback of the import of urllib3, if any.
    """
    install = (
        f"Install it for the Python that runs Ansible: {sys.executable} -m pip install requests"
    )
    if import_error is not None:
        reason = import_error.strip().splitlines()[-1]
        text = f"its urllib3 cannot be imported ({reason[:150]})"
        return Finding("requests", WRONG, text, install)
    try:
        version = importlib.metadata.version("requests")
    except importlib.metadata.PackageNotFoundError:
        return Finding("requests", OK, "installed, unknown version")
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_REQUESTS:
        text = f"{version} is older than {'.'.join(map(str, OLDEST_REQUESTS))}"
        return Finding("requests", WRONG, text, install + " --upgrade")
    return Finding("requests", OK, version)


def check_outbox(path: Path, make: bool, needed: bool) -> list[Finding]:
    """Check that the outbox can be created and written, and show its owner and content.

    ``make``: it may be made and put right; ``needed``: the callback is enabled, so that an outbox
    that cannot be used is a failure.
    """
    outbox, before = Outbox(path), 0o700
    if not make and not os.path.lexists(path):
        why = "the callback is not enabled" if not needed else "this is check mode"
        return [Finding("outbox", SKIPPED, f"{path} does not exist yet, and {why}")]
    try:
        if os.path.lexists(path):
            before = outbox.mode()
        if make:
            outbox.prepare()
        if make or not before & 0o022:  # where others write, they may have put a link in the way
            outbox.present()
        counted = count(outbox)
        text = f"{path}, {_owner_and_mode(path)}"
    except (OutboxError, OSError) as exc:
        if not isinstance(exc, OutboxError):
            exc = OutboxError(
                f"{path} cannot be used ({exc.strerror or type(exc).__name__})",
                option="outbox",
                advice="Make it writable, or name another directory as outbox.",
            )
        found = error_finding("outbox", exc)
        return [found if needed else replace(found, state=NOTE)]
    if before & 0o077 and make:
        text += f" (was {before:04o}, open to other users)"
    waiting = f"{counted.pending} event{'' if counted.pending == 1 else 's'} waiting"
    findings = [Finding("outbox", OK, f"{text}, {waiting}")]
    if before & 0o077 and not make:
        findings.append(
            Finding(
                "outbox",
                NOTE,
                f"{path} is open to other users (mode {before:04o})",
                "Run chmod 700 on it. The next reported run also does this.",
            )
        )
    if counted.dead_count:
        reason = " ".join(str(counted.dead[0]["reason"]).split())[:300]
        findings.append(
            Finding(
                "outbox",
                NOTE,
                f"{counted.dead_count} dead letter{'' if counted.dead_count == 1 else 's'} in"
                f" {outbox.dead}. Reason of the first one: {reason}",
                "Run aliops.cloudmonitor.flush_outbox with dead: retry to send them, or with "
                "dead: drop to delete them.",
            )
        )
    return findings


def _owner_and_mode(path: Path) -> str:
    found = path.stat()
    owner = str(found.st_uid)
    with suppress(KeyError):
        owner = pwd.getpwuid(found.st_uid).pw_name
    return f"mode {stat.S_IMODE(found.st_mode):04o}, owner {owner}"


def courier_findings(result: ProbeResult, key: Credentials) -> list[Finding]:
    """Return the finding of a courier that has tested itself.

    ``key``: the AccessKey that Ansible has found. The courier must find the same.
    """
    if result.problem is not None:
        error = CloudMonitorError(result.problem, option=result.option, advice=result.advice)
        return [error_finding("courier", error)]
    # Temporary credentials may be new ones each time.
    if key.security_token is None and result.access_key_id != key.access_key_id:
        text = (
            f"finds the AccessKey {shown_id(result.access_key_id or '')}, but Ansible finds "
            f"{shown_id(key.access_key_id)}"
        )
        fix = "Set the AccessKey in the environment, or name one profile in ALIBABA_CLOUD_PROFILE."
        return [Finding("courier", WRONG, text, fix)]
    text = f"starts in {result.seconds:.1f} s, imports its packages and finds the AccessKey"
    return [Finding("courier", OK, text)]


class RecordingTransport:
    """A transport that records its last attempt."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._clock = clock
        self._sent_at = 0.0
        self._answer: Response | None = None
        self._error = TransportError("connection", "nothing was sent")

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send, and remember when, and what came of it. Raises TransportError."""
        self._sent_at, self._answer = self._clock(), None
        try:
            self._answer = self._transport.post(headers, body)
        except TransportError as exc:
            self._error = exc
            raise
        return self._answer

    def verdict(self, redact: Callable[[str], str]) -> SendResult:
        """Return what the last try means."""
        if self._answer is None:
            return classify_failure(self._error)
        return classify(self._answer, self._sent_at, redact)

    @property
    def skew(self) -> float | None:
        """How many seconds our clock is ahead of the last answer's, None when it is not known."""
        return None if self._answer is None else clock_skew(self._answer, self._sent_at)


def attempt(
    connection: Connection,
    credentials: Credentials | None,
    group_id: int,
    environ: Mapping[str, str],
    redact: Callable[[str], str],
) -> Attempt:
    """Send one test event, or without credentials a request without signature and event.

    A failure that can pass is tried twice at most. Raises ConfigurationError for a ``ca_path``
    that does not exist, and InvalidInput for an invalid ``group_id``.
    """
    recording = RecordingTransport(Transport(connection, environ))
    described, event_id, now = "", uuid.uuid4().hex, time.time()
    if credentials is None:
        headers = {"Content-Type": CONTENT_TYPE, "Date": http_date(time.time())}
        with suppress(TransportError):
            recording.post(headers, b"[]")
    else:
        content = {
            "message": "This machine can report to Cloud Monitor. Nothing was deployed.",
            "controller": socket.gethostname(),
            "check": event_id,
        }
        raw = {"name": EVENT, "content": json.dumps(content), "group_id": group_id}
        event = parse_event(raw, now)
        described = f"{event.name} in group {event.group_id}"
        patient = replace(connection, retries=min(connection.retries, 1))
        address = connection.source_ip or own_address()
        Client(patient, credentials, recording, address).send(batches([event]))
    proxy = proxy_for(connection.endpoint, environ)
    return Attempt(
        endpoint=connection.endpoint,
        proxy=without_password(proxy) if proxy else None,
        verdict=recording.verdict(redact),
        skew=recording.skew,
        signed=credentials is not None,
        event=described,
        event_id=event_id,
        sent_at=now,
    )
