# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which proxy a URL uses, from the ``*_proxy`` variables. Pure.

requests is not asked: on macOS it queries the system, which may crash in a forked process.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from importlib.util import find_spec
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Mapping
from urllib.parse import urlsplit

from .errors import ConfigurationError

_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PORT = re.compile(r"[0-9]{1,5}")


def has_socks() -> bool:
    """Return whether PySocks, which urllib3 needs for SOCKS proxies, is installed."""
    return find_spec("socks") is not None


def proxy_for(url: str, environ: Mapping[str, str], socks: bool | None = None) -> str | None:
    """Return the URL of the proxy for ``url``, None for none.

    Variables in lower case take precedence. ``socks``: whether SOCKS proxies can be used
    (default: if PySocks is installed). Raises ConfigurationError for a proxy that cannot be used.
    """
    parts = urlsplit(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    if is_exempt(parts.hostname or "", port, environ.get("no_proxy") or environ.get("NO_PROXY")):
        return None
    for scheme in (parts.scheme, "all"):
        variable = scheme + "_proxy"
        for name in (variable, variable.upper()):
            value = environ.get(name, "").strip()
            if value:
                return _proxy_url(name, value, socks)
    return None


def is_exempt(host: str, port: int | None, no_proxy: str | None) -> bool:
    """Return whether ``no_proxy`` exempts a host from the proxy. No name is resolved.

    ``no_proxy`` is a list with commas or spaces of: ``*`` for every host; host names, which also
    exempt their subdomains, as do ``.example.com`` and ``*.example.com``; other patterns with
    ``*``; IP addresses; and address blocks such as ``10.0.0.0/8``. An entry that ends with
    ``:port`` applies to that port only. An IPv6 address with a port needs brackets.
    """
    name = _canonical(host)
    return any(
        _matches(name, port, entry) for entry in re.split(r"[\s,;]+", no_proxy or "") if entry
    )


def _matches(host: str, port: int | None, entry: str) -> bool:
    pattern, colon, suffix = entry.rpartition(":")
    # One colon separates a port. More are an IPv6 address, whose port comes after a bracket.
    if colon and (":" not in pattern or pattern.endswith("]")):
        if not _PORT.fullmatch(suffix) or int(suffix) != port:
            return False
    else:
        pattern = entry
    if pattern == "*":
        return True
    address, network = _address(host), pattern.replace("[", "").replace("]", "")
    if address is not None:
        if "*" in pattern:
            return fnmatchcase(host, network.lower())
        try:
            return address in ip_network(_without_scope(network), strict=False)
        except (ValueError, TypeError):
            return False
    name = _canonical(pattern[1:] if pattern.startswith("*.") else pattern)
    if "*" in name:
        return fnmatchcase(host, name)
    return bool(name) and (host == name or host.endswith("." + name))


def _canonical(name: str) -> str:
    """Return a host name in lower case, in its ASCII form, without dots at its ends."""
    text = _without_scope(name.strip("[]")).strip(".").lower()
    try:
        return text if text.isascii() else text.encode("idna").decode("ascii")
    except UnicodeError:
        return text


def _without_scope(address: str) -> str:
    """Return an IPv6 address without the name of its interface, but with its prefix length."""
    return re.sub(r"%[^/]*", "", address) if ":" in address else address


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _proxy_url(variable: str, proxy: str, socks: bool | None) -> str:
    """Return the URL of a proxy. An unreadable value is not shown: it may hold a password."""
    url = proxy if "://" in proxy else "http://" + proxy
    try:
        parts = urlsplit(url)
        readable = bool(parts.hostname) and parts.port != 0 and "\\" not in url
    except ValueError:
        readable = False
    if not readable:
        raise ConfigurationError(
            "the address of the proxy cannot be read",
            option=variable,
            advice="Write the special characters of its user name and password percent-encoded.",
        )
    if parts.scheme not in _SCHEMES:
        raise ConfigurationError(
            f"a proxy cannot be used with the scheme {parts.scheme[:20]}://",
            option=variable,
            advice=f"Use one of: {', '.join(_SCHEMES)}.",
        )
    if parts.scheme.startswith("socks") and not (has_socks() if socks is None else socks):
        raise ConfigurationError(
            "a SOCKS proxy needs the Python package PySocks, which is not installed",
            option=variable,
            advice="Install it where the events are sent: pip install PySocks.",
        )
    return url
