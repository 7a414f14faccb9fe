# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that does HTTP: sends a signed body with requests and returns the answer."""

from __future__ import annotations

import http.client
import os
import re
import socket
import traceback
from typing import Any, Iterator, Mapping
from urllib.parse import urlsplit

from .._version import VERSION
from .connection import Connection
from .deadline import DeadlineExceeded, within
from .errors import ConfigurationError
from .response import Response
from .signature import RESOURCE

try:
    import requests
    import urllib3

    REQUESTS_IMPORT_ERROR: str | None = None
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

USER_AGENT = f"aliops.cloudmonitor/{VERSION} (Ansible collection)"

# The service answers with some fifty bytes; more than this is something else.
_BODY_LIMIT = 65_536
_LENGTH = re.compile(r"[0-9]{1,18}")


class TransportError(Exception):
    """No answer came. ``kind`` is ``timeout``, ``connection`` or ``tls``; the text says why.

    ``permanent`` is True when another try cannot end otherwise.
    """

    def __init__(self, kind: str, problem: str, permanent: bool = False) -> None:
        super().__init__(problem)
        self.kind = kind
        self.permanent = permanent


def proxies_for(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies of ``url`` in the form of requests, from the ``*_proxy`` variables.

    Lower-case names win. ``no_proxy`` is a list of host names, domain suffixes, or ``*``.
    It is read here and not by requests, which on macOS asks the system and may crash in a
    forked process. Raises ConfigurationError for a proxy that is no URL.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    exempt = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for entry in (item.strip().lower().lstrip(".") for item in exempt.split(",")):
        name = entry.rsplit(":", 1)[0] if entry.count(":") == 1 else entry
        if name and (name in ("*", host) or host.endswith("." + name)):
            return {}
    for scheme in (parts.scheme, "all"):
        variable = scheme + "_proxy"
        for name in (variable, variable.upper()):
            if environ.get(name):
                return {parts.scheme: _proxy_url(name, environ[name])}
    return {}


def _proxy_url(variable: str, proxy: str) -> str:
    """Return the URL of a proxy. What cannot be read is not shown: it may hold a password."""
    url = proxy if "://" in proxy else "http://" + proxy
    try:
        parts = urlsplit(url)
        readable = bool(parts.hostname) and parts.port != 0 and "\\" not in url
    except ValueError:
        readable = False
    if not readable:
        raise ConfigurationError(
            f"{variable}: the address of the proxy cannot be read. Write the special characters of"
            " its "
            "user name and password percent-encoded."
        )
    return url


def own_address() -> str:
    """Return the IP address that this host speaks to the world with, for ``x-cms-ip``.

    Connecting a UDP socket sends nothing; the kernel only chooses the source address.
    Falls back to IPv6, and to 127.0.0.1 on a host without a way out.
    """
    # Addresses that the RFCs 5737 and 3849 set aside for documentation.
    for family, target in ((socket.AF_INET, "203.0.113.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((target, 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return "127.0.0.1"


class Transport:
    """Posts bodies to one endpoint over one requests session."""

    def __init__(self, connection: Connection, environ: Mapping[str, str]) -> None:
        """Raises ConfigurationError when ``ca_path`` is not there or a proxy is no URL."""
        if connection.ca_path and not os.path.exists(connection.ca_path):
            raise ConfigurationError(
                f"ca_path: there is no file or directory {connection.ca_path}."
            )
        self._url = connection.endpoint + RESOURCE
        self._timeout = connection.timeout
        self._verify: Any = (connection.ca_path or True) if connection.validate_certs else False
        self._proxies = proxies_for(self._url, environ)
        self._session: Any = None

    def post(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send ``body`` once and return the answer, whatever it says.

        The connection's ``timeout`` bounds the whole try: name look-up, connect, TLS, sending
        and reading. Raises TransportError when no answer came.
        """
        try:
            return within(self._timeout, lambda: self._post(headers, body))
        except DeadlineExceeded as exc:
            # The connection is still in use by the thread that was left behind.
            self._session = None
            raise TransportError(
                "timeout", f"no complete answer within {self._timeout:g} s"
            ) from exc
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as exc:
            # urllib3's own: requests lets through what it says of an impossible host name.
            raise _transport_error(exc, self._timeout) from exc
        except OSError as exc:  # requests lets some through, such as an unreadable ca_path
            raise TransportError("connection", _reason(exc)) from exc

    def _post(self, headers: Mapping[str, str], body: bytes) -> Response:
        if self._session is None:
            self._session = self._new_session()
        with self._session.post(
            self._url,
            data=body,
            headers={**headers, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=(self._timeout, self._timeout),
            allow_redirects=False,
            stream=True,
        ) as answer:
            content, complete = _read(answer)
            received = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, received, content, complete)

    def _new_session(self) -> Any:
        session: Any = requests.Session()
        # Neither .netrc (it replaces Authorization) nor anything else from the surroundings.
        session.trust_env = False
        session.verify = self._verify
        session.proxies = dict(self._proxies)
        # Even when it does not follow a redirect, requests works out where it leads: it would
        # read the whole body, of any length, and fail on a Location that is not a URL.
        session.get_redirect_target = _no_target
        if self._verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return session


def _no_target(_answer: Any) -> None:
    return None


def _read(answer: Any) -> tuple[bytes, bool]:
    """Return the body, up to the limit, and whether all of it came."""
    content = b""
    try:
        while len(content) <= _BODY_LIMIT:
            part = answer.raw.read(8192, decode_content=False)
            if not part:
                break
            content += part
    except (urllib3.exceptions.HTTPError, OSError):
        return content, False
    announced = answer.headers.get("Content-Length", "")
    # urllib3 2 finds this out by itself; a header that is no number says nothing.
    cut = _LENGTH.fullmatch(announced) and len(content) < min(int(announced), _BODY_LIMIT)
    return content, not cut


def _transport_error(exc: Exception, timeout: float) -> TransportError:
    reason = _reason(exc)
    if isinstance(exc, requests.exceptions.Timeout):
        return TransportError("timeout", f"no answer within {timeout:g} s")
    if isinstance(exc, requests.exceptions.SSLError):
        permanent = "CERTIFICATE_VERIFY_FAILED" in reason or "WRONG_VERSION" in reason
        return TransportError("tls", reason, permanent)
    if isinstance(exc, requests.exceptions.ProxyError):
        return TransportError("connection", f"the proxy failed: {reason}")
    if isinstance(exc, requests.exceptions.ConnectionError):
        return TransportError("connection", reason)
    return TransportError("connection", reason, permanent=True)


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and all that caused it, however requests and urllib3 wrapped them."""
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
    if isinstance(last, UnicodeError):
        return "the host name is not a possible one: a part of it is empty or too long"
    text = " ".join(str(last).split()) or type(last).__name__
    if isinstance(last, http.client.BadStatusLine):
        return f"the answer is not HTTP ({text[:100]!r})"
    return re.sub(r"//\S*@", "//", text)[:300]  # a proxy's URL may hold a password
