# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver itself: listens on loopback, one thread a connection, and answers each request."""

from __future__ import annotations

import ipaddress
import json
import selectors
import socket
import ssl
import threading
import time
import uuid
from contextlib import suppress
from email.utils import formatdate
from types import TracebackType
from typing import Any, Callable, Sequence

from .acs3 import check_call, is_call
from .faults import (
    RATE_LIMIT,
    SILENT,
    Fault,
    FaultError,
    FaultQueue,
    call_fault_verdict,
    fault_verdict,
)
from .ledger import Ledger, RateMeter, Record
from .openapi import Objects, OpenApi, refusal_body
from .types import CallRefused, Credential, RawRequest, Verdict
from .verify import verify
from .wire import Wire, deliver, render

_CONTROL = "/control/"
_STOP_SECONDS = 2.0
_THREAD = "cloudmonitor-receiver"
_NOTHING = Objects()


class Receiver:
    """A Cloud Monitor endpoint on loopback, also usable inside a test.

    ``with Receiver([Credential("id", "secret")]) as receiver:`` listens at ``receiver.url`` until
    the block ends; ``receiver.events`` and ``receiver.requests`` list what has come so far.
    """

    def __init__(
        self,
        credentials: Sequence[Credential],
        faults: Sequence[str] = (),
        rate: int | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        date_window: float = 900.0,
        clock: Callable[[], float] = time.time,
        clock_offset: float = 0.0,
        events_file: str | None = None,
        requests_file: str | None = None,
        tls_cert: str | None = None,
        tls_key: str | None = None,
        objects: Objects = _NOTHING,
        call_faults: Sequence[str] = (),
    ) -> None:
        """Prepare a receiver; nothing listens before :meth:`start`.

        :param credentials: the access keys whose signatures are accepted.
        :param faults: specifications for the queue of faults.
        :param rate: the number of requests allowed in any second; None means any number.
        :param host: the loopback address to listen on.
        :param port: the port, 0 for any free one.
        :param date_window: by how many seconds a Date header may differ from the receiver's time.
        :param clock: returns the seconds since the epoch.
        :param clock_offset: seconds to add to the clock.
        :param events_file: JSON lines of the accepted events are appended to it.
        :param requests_file: JSON lines of all requests are appended to it.
        :param tls_cert: certificate chain, to serve https; ``tls_key`` is its private key.
        :param objects: what calls of the OpenAPI find in the account.
        :param call_faults: specifications for the queue of faults of these calls.
        :raises ValueError: ``host`` is no loopback address, or (FaultError) a fault is wrong.
        :raises OSError: a file cannot be used.
        """
        self._address = (loopback_address(host), port)
        self._credentials = tuple(credentials)
        self._queue = FaultQueue(faults)
        self._call_queue = FaultQueue(call_faults)
        self._meter = RateMeter(rate)
        self._date_window = date_window
        self._clock = clock
        self._clock_offset = clock_offset
        self._tls = _tls_context(tls_cert, tls_key)
        self._ledger = Ledger(events_file, requests_file)
        self._calls = OpenApi(objects, self._ledger.events)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        self._connections = 0
        self._port = 0
        self._acceptor: threading.Thread | None = None
        self._wake: socket.socket | None = None

    def start(self) -> Receiver:
        """Listen and serve in threads; raises OSError or OverflowError when the port is no use."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
            listener.listen(128)
        except (OSError, OverflowError):
            listener.close()
            self._ledger.close()
            raise
        listener.setblocking(False)
        self._port = listener.getsockname()[1]
        woken, self._wake = socket.socketpair()
        self._acceptor = threading.Thread(
            target=self._accept, args=(listener, woken), name=_THREAD, daemon=True
        )
        self._acceptor.start()
        return self

    def stop(self) -> None:
        """Stop listening, cut every connection and end every thread, those that hang included."""
        self._stopping.set()
        end = time.monotonic() + _STOP_SECONDS
        if self._wake is not None and self._acceptor is not None:
            with suppress(OSError):
                self._wake.send(b"x")
            self._acceptor.join(_STOP_SECONDS)
            self._wake.close()
        with self._lock:
            open_now = dict(self._open)
        for sock in open_now.values():
            with suppress(OSError):
                # Not the method of a TLS socket: its state belongs to the thread that uses it.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in open_now:
            thread.join(max(0.0, end - time.monotonic()))
        self._ledger.close()

    def __enter__(self) -> Receiver:
        """Start, and return the receiver."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    @property
    def port(self) -> int:
        """Return the port; 0 before the start."""
        return self._port

    @property
    def url(self) -> str:
        """Return the base URL, without a slash at its end."""
        host = f"[{self._address[0]}]" if ":" in self._address[0] else self._address[0]
        return f"{'http' if self._tls is None else 'https'}://{host}:{self._port}"

    @property
    def events(self) -> list[Record]:
        """Return the accepted events: name, content, groupId, time, received_at, request."""
        return self._ledger.events()

    @property
    def requests(self) -> list[Record]:
        """Return all requests, the refused ones too."""
        return self._ledger.requests()

    @property
    def rules(self) -> dict[str, dict[str, str]]:
        """Return the alert rules by their id: the parameters that PutCustomEventRule wrote."""
        return self._calls.rules

    @property
    def faults(self) -> list[str]:
        """Return the specifications of the faults that are left."""
        return self._queue.remaining()

    def set_faults(self, specs: Sequence[str]) -> None:
        """Replace what is left in the queue; raises FaultError for a wrong specification."""
        self._queue.replace(specs)

    def set_call_faults(self, specs: Sequence[str]) -> None:
        """Replace the faults of the OpenAPI's calls; raises FaultError for a wrong one."""
        self._call_queue.replace(specs)

    def state(self) -> dict[str, Any]:
        """Return the counts and the faults that are left, as ``GET /control/state`` shows them."""
        requests = self.requests
        return {
            "requests": len(requests),
            "accepted": sum(1 for item in requests if item["events"]),
            "events": len(self.events),
            "faults": self.faults,
        }

    def wait_for(self, what: int | Callable[[Receiver], bool], deadline: float = 10.0) -> bool:
        """Wait for that many accepted events, or until ``what(self)`` holds after a request.

        :param deadline: for how many seconds to wait.
        :returns: True.
        :raises TimeoutError: it has not come true in time; the text has the counts.
        """
        count = what if isinstance(what, int) else 0
        done = (
            (lambda: len(self.events) >= count) if isinstance(what, int) else (lambda: what(self))
        )
        if not self._ledger.wait(done, deadline):
            raise TimeoutError(f"not reached in {deadline} s: {json.dumps(self.state())}")
        return True

    def _now(self) -> float:
        return self._clock() + self._clock_offset

    def _accept(self, listener: socket.socket, woken: socket.socket) -> None:
        with listener, woken, selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                selector.select()
                try:
                    sock, _unused = listener.accept()
                except BlockingIOError:
                    continue
                except OSError:
                    # Out of file descriptors, perhaps: do not spin.
                    self._stopping.wait(0.05)
                    continue
                self._serve_in_thread(sock)

    def _serve_in_thread(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._connections += 1
            thread = threading.Thread(
                target=self._serve, args=(sock, self._connections), name=_THREAD, daemon=True
            )
            self._open[thread] = sock
        thread.start()

    def _serve(self, sock: socket.socket, connection: int) -> None:
        try:
            with sock, suppress(OSError):
                wire = Wire(sock, self._stopping)
                if isinstance(sock, ssl.SSLSocket):
                    sock.do_handshake()
                while not self._stopping.is_set():
                    request = wire.read_request()
                    if request is None or not self._answer(wire, request, connection):
                        break
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)

    def _answer(self, wire: Wire, request: RawRequest, connection: int) -> bool:
        """Answer one request; return whether the connection can serve another."""
        fault: Fault | None = None
        if request.path.startswith(_CONTROL) and request.trouble is None:
            verdict = self._control(request)
        else:
            throttled = self._meter.over(wire.arrived)
            queue = self._call_queue if is_call(request) else self._queue
            fault = queue.take() if request.trouble is None else None
            decide = self._decide_call if is_call(request) else self._decide
            verdict = decide(request, fault, throttled)
            self._record(request, verdict, fault, wire.arrived, connection)
        headers = list(verdict.headers)
        if verdict.status == 405:
            headers.append(("Allow", "POST"))
        close = request.trouble is not None or _wants_close(request)
        head, body = render(
            verdict.status,
            headers,
            verdict.body(str(uuid.uuid4()).upper()),
            formatdate(self._now(), usegmt=True),
            close,
        )
        if not deliver(wire, fault, head, body):
            return False
        if close:
            wire.finish()
        return not close

    def _decide(self, request: RawRequest, fault: Fault | None, throttled: bool) -> Verdict:
        if fault is not None and not fault.accepts:
            return fault_verdict(fault)
        if throttled:
            return Verdict(403, "403", RATE_LIMIT)
        return verify(request, self._credentials, self._now(), self._date_window)

    def _decide_call(self, request: RawRequest, fault: Fault | None, throttled: bool) -> Verdict:
        if fault is not None and not fault.accepts:
            return call_fault_verdict(fault)
        if throttled:
            return call_fault_verdict(Fault("throttle"))
        now = self._now()
        try:
            parameters = check_call(request, self._credentials, now, self._date_window)
            self._calls.use_nonce(request.text("x-acs-signature-nonce") or "")
            body = self._calls.answer(request.text("x-acs-action") or "", parameters, now)
        except CallRefused as refusal:
            return Verdict(refusal.status, refusal.code, refusal.msg, call=refusal_body(refusal))
        return Verdict(200, str(body["Code"]), body["Message"], call=body)

    def _record(
        self,
        request: RawRequest,
        verdict: Verdict,
        fault: Fault | None,
        arrived: float,
        connection: int,
    ) -> None:
        now = self._now()
        answered = fault is None or fault.name not in SILENT
        record: Record = {
            "method": request.method,
            "target": request.target,
            "status": verdict.status if answered else None,
            "code": verdict.code if answered else None,
            "msg": verdict.msg if answered else None,
            "events": len(verdict.events),
            "bytes": len(request.body),
            "arrived_at": round(now - (time.monotonic() - arrived), 6),
            "arrived_monotonic": round(arrived, 6),
            "fault": fault.text if fault else None,
            "action": request.text("x-acs-action"),
            "access_key_id": _access_key_id(request),
            "date": request.text("date"),
            "source_ip": request.text("x-cms-ip"),
            "user_agent": request.text("user-agent"),
            "connection": connection,
        }
        self._ledger.record(record, verdict.events, now)

    def _control(self, request: RawRequest) -> Verdict:
        if (request.method, request.path) == ("GET", _CONTROL + "state"):
            return _json_page(200, self.state())
        if (request.method, request.path) == ("POST", _CONTROL + "faults"):
            try:
                specs = json.loads(request.body.decode("utf-8"))
                if not isinstance(specs, list) or not all(isinstance(x, str) for x in specs):
                    raise FaultError("the body is not a JSON list of fault specifications")
                self.set_faults(specs)
            except ValueError as error:
                return Verdict(400, "400", str(error))
            return _json_page(200, self.state())
        return Verdict(404, "404", "there are GET /control/state and POST /control/faults")


def _access_key_id(request: RawRequest) -> str | None:
    text = request.text("authorization") or ""
    if is_call(request):
        return text.partition("Credential=")[2].partition(",")[0] or None
    return text.partition(":")[0] or None


def loopback_address(host: str) -> str:
    """Return a host as an address; raises ValueError unless it is one of the loopback interface."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        is_loopback = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(f"{host} is not a loopback address like 127.0.0.1 or ::1")
    return address


def _tls_context(cert: str | None, key: str | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def _json_page(status: int, value: dict[str, Any]) -> Verdict:
    page = ("application/json", json.dumps(value).encode("ascii"))
    return Verdict(status, "", "", page=page)


def _wants_close(request: RawRequest) -> bool:
    wish = (request.text("connection") or "").lower()
    return wish == "close" if request.version == "HTTP/1.1" else wish != "keep-alive"
