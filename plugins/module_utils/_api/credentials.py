# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the AccessKey: options, then environment, then alibabacloud-credentials' chain.

Id, secret and token always come from one source. A half-given pair is an error and never
completed from the next source: the mix would sign with somebody else's secret.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

from .deadline import DeadlineExceeded, within
from .errors import CredentialsError

ID_VARIABLES = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY", "ALICLOUD_ACCESS_KEY_ID")
SECRET_VARIABLES = (
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALICLOUD_SECRET_KEY",
    "ALICLOUD_SECRET_ACCESS_KEY",
)
TOKEN_VARIABLES = ("ALIBABA_CLOUD_SECURITY_TOKEN", "ALICLOUD_SECURITY_TOKEN")

# The chain may ask an ECS metadata service that is not there; its own time-outs add up.
_CHAIN_SECONDS = 10.0

_WAYS = (
    "give access_key_id and access_key_secret to the task, or set "
    "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
)
_ONE_MORE_WAY = (
    "install the Python package alibabacloud-credentials on the controller for profile files, ECS "
    "RAM roles and OIDC"
)


@dataclass(frozen=True)
class Credentials:
    """An AccessKey; ``source`` is ``options``, ``environment`` or ``chain``."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    source: str = "options"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown."""
        return tuple(text for text in (self.access_key_secret, self.security_token) if text)


Chain = Callable[[], Optional[Credentials]]


def first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the value of the leftmost variable that is set; empty means unset."""
    return next((environ[name] for name in names if environ.get(name)), None)


def with_id(environ: Mapping[str, str], key_id: str | None) -> Mapping[str, str]:
    """Return the environment with the id of a configuration file, if it has only the secret.

    An id is no secret and may stand in a file; it is never put before another one.
    """
    if key_id and first_set(environ, SECRET_VARIABLES) and not first_set(environ, ID_VARIABLES):
        return {**environ, ID_VARIABLES[0]: key_id}
    return environ


def resolve_credentials(
    options: Mapping[str, Any], environ: Mapping[str, str], chain: Chain | None = None
) -> Credentials:
    """Return the AccessKey to sign with.

    ``options`` holds access_key_id, access_key_secret and security_token as far as the user
    gave them; ``environ`` the environment variables; ``chain`` the last resort (default: the
    default chain of alibabacloud-credentials when that is installed).
    Raises CredentialsError.
    """
    found = given_credentials(options, environ) or (chain or default_chain)()
    if found is None:
        raise CredentialsError(
            f"access_key_id: no AccessKey was found: {_WAYS}, or {_ONE_MORE_WAY}."
        )
    return _checked(found)


def given_credentials(options: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials | None:
    """Return the AccessKey of the options or the environment, None when neither holds one.

    Raises CredentialsError for half of a pair, or for one that cannot be one.
    """
    found = _from_options(options) or _from_environment(environ)
    return None if found is None else _checked(found)


def _checked(found: Credentials) -> Credentials:
    for option, value in (
        ("access_key_id", found.access_key_id),
        ("access_key_secret", found.access_key_secret),
        ("security_token", found.security_token or ""),
    ):
        # They go into HTTP headers; requests would show the value in its own error.
        if any(not "!" <= character <= "~" for character in value):
            raise CredentialsError(
                f"{option} (from {found.source}): holds a space, a line break or a character "
                "outside ASCII, so it "
                "cannot be right; copy it again."
            )
    if ":" in found.access_key_id:
        raise CredentialsError(
            f"access_key_id (from {found.source}): holds a colon, so it is not an id."
        )
    return found


def _from_options(options: Mapping[str, Any]) -> Credentials | None:
    key_id, secret = options.get("access_key_id"), options.get("access_key_secret")
    token = options.get("security_token")
    if not (key_id or secret or token):
        return None
    if not (key_id and secret):
        raise CredentialsError(
            f"{'access_key_secret' if key_id else 'access_key_id'}: is missing beside "
            f"{'access_key_id' if key_id else 'access_key_secret' if secret else 'security_token'}."
            " An AccessKey is taken from one source as a whole; give access_key_id and "
            "access_key_secret together, or neither to take both from the environment."
        )
    return Credentials(str(key_id), str(secret), str(token) if token else None, "options")


def _from_environment(environ: Mapping[str, str]) -> Credentials | None:
    key_id = first_set(environ, ID_VARIABLES)
    secret = first_set(environ, SECRET_VARIABLES)
    if not (key_id or secret):
        return None
    if not (key_id and secret):
        raise CredentialsError(
            "environment: there is an AccessKey %s without its %s; set %s too, or unset both."
            % (
                ("id", "secret", SECRET_VARIABLES[0])
                if key_id
                else ("secret", "id", ID_VARIABLES[0])
            )
        )
    return Credentials(key_id, secret, first_set(environ, TOKEN_VARIABLES), "environment")


def default_chain() -> Credentials | None:
    """Return what alibabacloud-credentials' default chain finds; None without the package.

    The package looks for profile files, OIDC, an ECS RAM role and a credentials URI (its
    documentation, "default credential provider chain"). It starts threads of its own, so
    this is never called in Ansible's controller process.
    """
    try:
        # Only here: importing it takes half a second, and most users give a key.
        from alibabacloud_credentials.provider import DefaultCredentialsProvider
    except ImportError:
        return None
    for name in ("credentials", "alibabacloud_credentials"):
        # It prints a traceback for every place without a key; the error says it in one line.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        found = within(_CHAIN_SECONDS, lambda: DefaultCredentialsProvider().get_credentials())
    except DeadlineExceeded as exc:
        raise CredentialsError(
            "access_key_id: alibabacloud-credentials found no AccessKey within "
            f"{_CHAIN_SECONDS:g} s; {_WAYS}."
        ) from exc
    except Exception as exc:  # the package raises many kinds, and they all mean the same here
        raise CredentialsError(
            "access_key_id: no AccessKey was found; alibabacloud-credentials says: "
            f"{_shortened(str(exc))}. "
            f"Mend that, or {_WAYS}."
        ) from exc
    return Credentials(
        found.get_access_key_id(),
        found.get_access_key_secret(),
        found.get_security_token() or None,
        "chain",
    )


def _shortened(text: str) -> str:
    """Return the first 500 characters of a text: it tells of every place that was looked at."""
    return text if len(text) <= 500 else text[:499] + "…"
