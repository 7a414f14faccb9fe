# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mask secrets in texts and results, and remove user information from URLs. Pure."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any, Iterable, Mapping
from urllib.parse import quote, quote_plus

MASK = "********"

# A shorter "secret" would also match ordinary words. Real ones have 30 characters.
_SHORTEST = 4
# The base64 form of a shorter secret would match by chance.
_SHORTEST_IN_BASE64 = 12


class Redactor:
    """Replaces every known secret by ``********``, in texts and in nested values.

    A secret is recognized as it is, escaped for JSON, percent-encoded, and in base64, also as a
    part of a longer text such as ``id:secret``.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {
            form
            for secret in secrets
            if len(secret) >= _SHORTEST
            for form in (secret, *_escaped(secret), *_in_base64(secret))
        }
        # Longest first, so that a secret that contains another one is masked completely.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        return text

    def value(self, value: Any) -> Any:
        """Return a copy of a JSON-like value without the secrets, in keys and in values."""
        if not self._forms:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


def _escaped(secret: str) -> set[str]:
    """Return the secret as it is written in JSON, in JSON inside JSON, and in a URL."""
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    forms = quoted | {re.sub("%..", lambda code: code.group().lower(), form) for form in quoted}
    for ensure_ascii in (False, True):
        once = json.dumps(secret, ensure_ascii=ensure_ascii)[1:-1]
        forms |= {once, once.replace("/", "\\/"), json.dumps(once, ensure_ascii=ensure_ascii)[1:-1]}
    return forms


def _in_base64(secret: str) -> set[str]:
    """Return the characters that the secret has in base64, whatever surrounds it.

    Three bytes make four characters, so the text depends on where the secret begins. The first
    and the last character are left out where they also depend on the neighbors.
    """
    raw = secret.encode("utf-8", "surrogatepass")
    if len(raw) < _SHORTEST_IN_BASE64:
        return set()
    forms = set()
    for before in range(3):
        size = (before + len(raw)) * 8
        first, end = -(-before * 8 // 6), size // 6
        for encode in (b64encode, urlsafe_b64encode):
            forms.add(encode(b"\0" * before + raw)[first:end].decode("ascii"))
    return forms


_SEPARATOR = "://"
# A new URL begins here, and not the password of the URL before.
_SCHEME_AT_END = re.compile(r"(?:^|[^A-Za-z0-9+.:-])[A-Za-z][A-Za-z0-9+.-]*\Z")
_URL_REST = re.compile(r"[^\s\"'<>`]*")
_AUTHORITY = re.compile(r"[^/?#\\]*")
_HOST_AND_PORT = re.compile(r"(\[[^\]@]*\]?|[^:\[\]@]*)(:[0-9]*)?[^\w\[\]]*\Z")
_QUALIFIED_HOST = re.compile(r"(?:[^\s/?#\\:@]+\.[^\s/?#\\:@]+|localhost|\[[^\]]*\])(?![^/?#\\:])")
# Without a scheme: bot:password@host, but not git@host:path and not image:tag@sha256:digest.
_BARE = re.compile(r"(?!mailto:)([^\s/?#\\@:]+):\S*@(?!sha[0-9]+:)\S*")


def without_userinfo(text: str) -> str:
    """Return ``text`` with the user name and the password removed from every URL in it.

    ``https://bot:pw@host/x`` becomes ``https://host/x``. The password may contain ``@``, ``/``,
    ``?``, ``#`` and spaces that are not encoded. If the end of such a password is ambiguous, the
    path is lost rather than the password shown. ``git@host:path`` (scp's form) stays as it is.
    """
    if _SEPARATOR not in text:
        if text.startswith("//"):
            return "//" + _after_userinfo(text[2:])
        bare = _BARE.fullmatch(text)
        if bare and not ("." in bare[1] and "/" in text.rpartition("@")[0]):
            return text.rpartition("@")[2]
        return text
    head, *others = text.split(_SEPARATOR)
    urls: list[str] = []
    for other in others:
        if urls and not _SCHEME_AT_END.search(urls[-1]):
            urls[-1] += _SEPARATOR + other
        else:
            urls.append(other)
    return _SEPARATOR.join([head, *(_after_userinfo(url) for url in urls)])


def _after_userinfo(url: str) -> str:
    """Return what follows the user information of ``url``, which begins after its scheme."""
    while True:
        end = _userinfo_end(url)
        if not end:
            return url
        url = url[end:]


def _userinfo_end(url: str) -> int:
    """Return the length of the user information of ``url`` including its ``@``, 0 without one."""
    rest = _URL_REST.match(url)
    whole = rest.group() if rest else ""
    found = _AUTHORITY.match(whole)
    authority = found.group() if found else ""
    last = whole.rfind("@") + 1
    if "@" in authority:
        return last
    host = _HOST_AND_PORT.match(authority)
    if host is None:
        # It is not host:port, so it is the beginning of a password with a special character.
        return url.partition("\n")[0].rfind("@") + 1
    if not last or _QUALIFIED_HOST.match(host[1]):
        return 0
    # "bot:12" is a host with a port, or the beginning of the password "12/34".
    return last if host[2] or _QUALIFIED_HOST.match(whole[last:]) else 0
