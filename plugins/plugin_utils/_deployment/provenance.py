# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provenance: which commit of the deployed software this is, and where to read about it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._api.errors import InvalidInput
from ...module_utils._api.frozen import frozen
from ...module_utils._api.redact import without_userinfo
from ...module_utils._api.timestamp import InvalidTime, parse_epoch

# From what git shortens a SHA-1 to by default, up to a SHA-256.
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_TEXT_LIMIT = 1024
OPTIONS = ("commit", "repository", "committed_at", "url")


@frozen
class Provenance:
    """Where the deployed software comes from; None means unknown.

    ``commit``: hexadecimal, in lower case. ``committed_at``: epoch seconds. ``repository`` and
    ``url`` have no user names and passwords.
    """

    commit: str | None = None
    repository: str | None = None
    committed_at: float | None = None
    url: str | None = None


def parse_provenance(options: Mapping[str, Any], prefix: str = "") -> Provenance:
    """Return the provenance in ``options``, whose names begin with ``prefix``.

    An empty value counts as unset. Raises InvalidInput, which names the option.
    """
    given = {name: options.get(prefix + name) for name in OPTIONS}
    present = {name: value for name, value in given.items() if str(value or "").strip()}
    commit, repository = present.get("commit"), present.get("repository")
    return Provenance(
        commit=None if commit is None else _parse_commit(commit, prefix + "commit"),
        repository=None if repository is None else _parse_text(repository, prefix + "repository"),
        committed_at=_parse_time(present.get("committed_at"), prefix + "committed_at"),
        url=_parse_url(present.get("url"), prefix + "url"),
    )


def _parse_commit(value: Any, option: str) -> str:
    text = str(value).strip()
    if not _COMMIT.fullmatch(text):
        raise InvalidInput(
            f"must be the id of a commit, 7 to 64 hexadecimal digits, and is {text[:80]!r}",
            option=option,
            advice="Quote it in YAML. Put a tag or branch into the version.",
        )
    return text.lower()


def _parse_text(value: Any, option: str) -> str:
    text = str(value).strip()
    if len(text) > _TEXT_LIMIT:
        raise InvalidInput(f"has {len(text)} characters, {_TEXT_LIMIT} are allowed", option=option)
    control = next((one for one in text if unicodedata.category(one) in ("Cc", "Cs")), None)
    if control is not None:
        raise InvalidInput(f"contains the character U+{ord(control):04X}", option=option)
    return without_userinfo(text)


def _parse_time(value: Any, option: str) -> float | None:
    if value is None:
        return None
    try:
        return parse_epoch(value)
    except InvalidTime as exc:
        raise InvalidInput(str(exc), option=option) from exc


def _parse_url(value: Any, option: str) -> str | None:
    if value is None:
        return None
    text = _parse_text(value, option)
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text
    except ValueError:  # for example an IPv6 address that is not closed
        sound = False
    if not sound:
        raise InvalidInput(
            f"must be a URL with http or https, and is {text[:80]!r}",
            option=option,
            advice="Pass the page of the change, for example https://git.example.com/shop/pull/7.",
        )
    return text
