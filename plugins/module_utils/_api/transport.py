# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that does HTTP: sends a signed request with urllib3 and returns the answer.

requests is the package to install, and urllib3 comes with it. Its sessions would only add what must
not be used here (redirects, cookies, .netrc), and take as long to import as urllib3.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import threading
import time
import traceback
from contextlib import suppress
from typing import Any, Callable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from .._version import VERSION
from .connection import Connection, check_ca_path
from .deadline import DeadlineExceeded, within
from .endpoint import RESOURCE
from .proxy import proxy_for
from .redact import without_userinfo
from .response import Response
from .sockets import ANSWER_LIMIT, SocketWatch

try:
    import urllib3

    REQUESTS_IMPORT_ERROR: str | None = None
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

USER_AGENT = f"aliops.cloudmonitor/{VERSION} (Ansible collection)"

# A connection that was idle for this long is not used again.
IDLE_SECONDS = 2.0

# The service answers with some fifty bytes; more than this is something else.
_BODY_LIMIT = 65_536
_LENGTH = re.compile(r"[0-9]{1,18}")
# http.client also sends a value that continues on a second line.
_HEADER_VALUE = re.compile(r"(?:\S[^\r\n]*)?")


class TransportError(Exception):
    """No answer came. ``kind`` is ``timeout``, ``connection`` or ``tls``; the text says why.

    ``permanent`` is True when another try cannot end otherwise.
    """

    def __init__(self, kind: str, problem: str, permanent: bool = False) -> None:
        super().__init__(problem)
        self.kind = kind
        self.permanent = permanent


def own_address() -> str:
    """Return the IP address from which this host sends, for ``x-cms-ip``.

    Connecting a UDP socket sends nothing. The kernel only chooses the source address.
    Falls back to IPv6, and to 127.0.0.1 on a host without a route.
    """
    # Addresses that the RFCs 5737 and 3849 set aside for documentation.
    for family, target in ((socket.AF_INET, "203.0.113.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                return str(probe.getsockname()[0]).partition("%")[0]
        except OSError:
            continue
    return "127.0.0.1"


class Transport:
    """Posts bodies to one endpoint.

    It keeps the connection open between attempts that follow each other closely. A connection
    that was idle for IDLE_SECONDS is not used again, because firewalls and load balancers drop
    idle connections, some of them without notice.
    """

    def __init__(
        self,
        connection: Connection,
        environ: Mapping[str, str],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        resource: str = RESOURCE,
        answer_limit: int = _BODY_LIMIT,
    ) -> None:
        """``resource``: the path of the requests. ``answer_limit``: the bytes of an answer.

        Raises ConfigurationError if ``ca_path`` does not exist or a proxy cannot be used.
        """
        check_ca_path(connection.ca_path)
        self._url = connection.endpoint + resource
        self._answer_limit = answer_limit
        self._timeout = connection.timeout
        self._tls = _tls_options(connection)
        self._proxy = proxy_for(self._url, environ)
        self._monotonic = monotonic
        self._pool: _WatchedPool | None = None
        self._idle_since = 0.0
        # The thread of an earlier attempt that still waits for a name look-up.
        self._abandoned: threading.Thread | None = None

    def post(self, headers: Mapping[str, str], body: bytes, query: str = "") -> Response:
        """Send ``body`` once and return the answer, whatever it is.

        ``query``: a percent-encoded query, without its question mark.
        The connection's ``timeout`` bounds the whole attempt: name look-up, connect, TLS, sending
        and reading. Raises TransportError, and nothing else, when no answer came.
        """
        url = f"{self._url}?{query}" if query else self._url
        seconds = self._timeout - self._wait_for_abandoned()
        try:
            pool = self._ready_pool()
        except Exception as exc:  # a proxy may have a name or a password that cannot be sent
            raise _transport_error(exc, self._timeout) from exc
        try:
            return within(seconds, lambda: self._post(pool, url, headers, body), pool.watch.expire)
        except DeadlineExceeded as exc:
            self._pool = None
            if pool.watch.resolving:
                self._abandoned = exc.thread
                raise TransportError(
                    "timeout", f"the host name was not resolved within {self._timeout:g} s"
                ) from exc
            raise TransportError(
                "timeout", f"no complete answer within {self._timeout:g} s"
            ) from exc
        except Exception as exc:  # urllib3 and http.client raise many kinds
            raise _transport_error(exc, self._timeout) from exc
        finally:
            self._idle_since = self._monotonic()

    def _wait_for_abandoned(self) -> float:
        """Return the seconds spent waiting for the name look-up of an earlier attempt.

        A look-up cannot be interrupted. Waiting for it keeps their number at one.
        """
        if self._abandoned is None:
            return 0.0
        began = self._monotonic()
        self._abandoned.join(self._timeout)
        if self._abandoned.is_alive():
            raise TransportError(
                "timeout", f"the host name was not resolved within {self._timeout:g} s"
            )
        self._abandoned = None
        return min(self._monotonic() - began, self._timeout)

    def _ready_pool(self) -> _WatchedPool:
        if self._pool is None:
            self._pool = _WatchedPool(self._tls, self._proxy, self._answer_limit)
        elif self._monotonic() - self._idle_since >= IDLE_SECONDS:
            self._pool.drop_connections()
        return self._pool

    def _post(
        self, pool: _WatchedPool, url: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        """Send once, on a new connection if the one that was kept open has ended."""
        watch = pool.watch
        watch.begin()
        failed = True
        sent = {**headers, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        try:
            try:
                response = pool.post(url, sent, body, self._timeout)
            except Exception as exc:
                if watch.opened or watch.received or watch.expired or not _has_ended(exc):
                    raise
                pool.drop_connections()
                response = pool.post(url, sent, body, self._timeout)
            failed = False
            return response
        finally:
            watch.end(failed)


class _WatchedPool:
    """The connections to one endpoint, whose sockets are watched."""

    def __init__(self, tls: Mapping[str, Any], proxy: str | None, answer_limit: int) -> None:
        self.watch = SocketWatch(max(ANSWER_LIMIT, answer_limit + _BODY_LIMIT))
        self._answer_limit = answer_limit
        self._manager = _pool_manager(proxy, tls)
        _watch_pools(self._manager, self.watch)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Response:
        """Send once. Raises ValueError, and what urllib3 and everything below it raises."""
        for name, value in headers.items():
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"the value of the header {name} cannot be sent")
        answer = self._manager.request(
            "POST",
            url,
            body=body,
            headers=dict(headers),
            timeout=timeout,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        try:
            content, complete = _read(answer, self._answer_limit)
            # By the names, which gives all values of a header that comes twice.
            received = {name.lower(): answer.headers[name] for name in answer.headers}
            return Response(answer.status, received, content, complete)
        finally:
            answer.close()

    def drop_connections(self) -> None:
        """Close the connections that were kept open."""
        self._manager.clear()


def _tls_options(connection: Connection) -> dict[str, Any]:
    """Return the options of urllib3 for TLS: the authorities of ``ca_path``, else of certifi.

    The requests of some Linux distributions does not bring certifi, and trusts the authorities of
    the system, as urllib3 then does.
    """
    if not connection.validate_certs:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return {"cert_reqs": "CERT_NONE"}
    options = {"cert_reqs": "CERT_REQUIRED"}
    path = connection.ca_path
    if path:
        options["ca_cert_dir" if os.path.isdir(path) else "ca_certs"] = path
        return options
    with suppress(ImportError):
        from certifi import where

        options["ca_certs"] = where()
    return options


def _pool_manager(proxy: str | None, tls: Mapping[str, Any]) -> Any:
    """Return what urllib3 opens connections with. ``proxy``: the URL of a proxy."""
    if proxy is None:
        return urllib3.PoolManager(**tls)
    parts = urlsplit(proxy)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy, user or None, password or None, **tls)
    headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **tls)


def _watch_pools(manager: Any, watch: SocketWatch) -> None:
    """Make the pool manager of urllib3 create connections that ``watch`` knows."""
    manager.pool_classes_by_scheme = {
        scheme: type(
            pool.__name__,
            (pool,),
            {"ConnectionCls": _watched_connection(pool.ConnectionCls, watch)},
        )
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _watched_connection(base: Any, watch: SocketWatch) -> Any:
    """Return a subclass of a connection class of urllib3 (1.26 or 2)."""

    class WatchedResponse(http.client.HTTPResponse):
        def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            self.fp: Any = watch.reader(self.fp.detach())

    def connect(connection: Any) -> Any:
        watch.close_on_failure(connection)
        if hasattr(connection, "_socks_options"):  # PySocks connects
            watch.opened = True
            sock = base._new_conn(connection)
            watch.add(sock)
            return sock
        try:
            return watch.connect(
                connection._dns_host,
                connection.port,
                connection.timeout,
                connection.socket_options or (),
            )
        except socket.timeout as exc:
            raise urllib3.exceptions.ConnectTimeoutError(connection, str(exc)) from exc
        except OSError as exc:
            raise urllib3.exceptions.NewConnectionError(connection, str(exc)) from exc

    def open_tunnel(connection: Any) -> None:
        base._tunnel(connection)
        watch.check()  # an answer that ends at the deadline is not a tunnel

    def put_request(connection: Any, *args: Any, **kwargs: Any) -> None:
        if connection.sock is not None:  # a connection that was kept open
            watch.add(connection.sock)
        base.putrequest(connection, *args, **kwargs)

    members = {
        "response_class": WatchedResponse,
        "_new_conn": connect,
        "_tunnel": open_tunnel,
        "putrequest": put_request,
    }
    return type(base.__name__, (base,), members)


def _read(answer: Any, limit: int) -> tuple[bytes, bool]:
    """Return the body, up to the limit, and whether all of it came."""
    content = bytearray()
    try:
        while len(content) <= limit:
            part = answer.read(8192, decode_content=False)
            if not part:
                break
            content += part
    except (urllib3.exceptions.HTTPError, OSError):
        return bytes(content), False
    announced = answer.headers.get("Content-Length", "")
    # urllib3 2 finds this out by itself; a header that is no number says nothing.
    cut = _LENGTH.fullmatch(announced) and len(content) < min(int(announced), limit)
    return bytes(content), not cut


def _transport_error(exc: Exception, timeout: float) -> TransportError:
    reason, errors = _reason(exc), urllib3.exceptions
    # In urllib3 1.26, a failed connection is a subclass of a connection that took too long.
    if isinstance(exc, errors.TimeoutError) and not isinstance(exc, errors.NewConnectionError):
        return TransportError("timeout", f"no answer within {timeout:g} s")
    if isinstance(exc, errors.SSLError):
        permanent = "CERTIFICATE_VERIFY_FAILED" in reason or "WRONG_VERSION" in reason
        return TransportError("tls", reason, permanent)
    if isinstance(exc, errors.ProxyError):
        return TransportError("connection", f"the proxy failed: {reason}")
    if _has_timed_out(exc):  # while sending, which urllib3 reports as a broken connection
        return TransportError("timeout", f"no answer within {timeout:g} s")
    # Anything else is about the request itself, and would be the same the next time.
    can_pass = isinstance(exc, (OSError, errors.HTTPError))
    is_invalid = isinstance(exc, (errors.LocationValueError, errors.InvalidHeader))
    return TransportError("connection", reason, permanent=is_invalid or not can_pass)


def _has_timed_out(exc: BaseException) -> bool:
    """Return whether the time limit of a socket has passed; one of the kernel has an errno."""
    return any(
        isinstance(cause, (socket.timeout, TimeoutError)) and cause.errno is None
        for cause in _chain(exc)
    )


def _has_ended(exc: BaseException) -> bool:
    """Return whether the network or the other side has ended the connection."""
    chain = list(_chain(exc))
    return any(isinstance(cause, OSError) for cause in chain) and not any(
        isinstance(cause, (socket.timeout, TimeoutError, urllib3.exceptions.TimeoutError))
        for cause in chain
    )


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and all that caused it, however urllib3 wrapped them."""
    pending: list[BaseException | None] = [exc]
    seen = set()
    while pending:
        current = pending.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [getattr(current, "reason", None), *current.args, current.__cause__]
        pending += [item for item in inner if isinstance(item, BaseException)]
        if not current.__suppress_context__:
            pending.append(current.__context__)


def _reason(exc: BaseException) -> str:
    """Return the innermost cause in a few words, without object addresses and URLs."""
    chain = list(_chain(exc))
    for cause in chain:
        if isinstance(cause, socket.gaierror):
            return "the host name cannot be resolved (%s)" % (cause.strerror or cause)
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return str(cause.strerror)[:300]
    last = chain[-1]
    if isinstance(last, UnicodeEncodeError) and last.encoding in ("ascii", "latin-1"):
        return "the URL or a header contains a character that cannot be sent"
    if isinstance(last, UnicodeError):
        return "the host name is not a possible one: a part of it is empty or too long"
    if any(isinstance(cause, http.client.RemoteDisconnected) for cause in chain):
        return "the connection was closed without an answer"
    text = " ".join(str(last).split()) or type(last).__name__
    if isinstance(last, http.client.BadStatusLine):
        return f"the answer is not HTTP ({text[:100]!r})"
    return without_userinfo(text)[:300]  # a proxy's URL may hold a password
