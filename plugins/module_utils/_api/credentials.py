# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the AccessKey: options, then environment, then alibabacloud-credentials' chain.

The id, the secret and the token always come from one source, and in the environment from one
family of names. An incomplete pair is an error and is never completed from the next source:
the mix would sign with somebody else's secret.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional

from .deadline import DeadlineExceeded, within
from .errors import CredentialsError
from .frozen import frozen
from .names import shortened


@frozen
class Family:
    """The environment variables of one family of names. The first non-empty one is used.

    ``ids``, ``secrets`` and ``tokens`` list the spellings for each part of an AccessKey. Ids and
    secrets at the same position belong together.
    """

    ids: tuple[str, ...]
    secrets: tuple[str, ...]
    tokens: tuple[str, ...]


# In the order in which they are looked at. The first one that has an id or a secret is used.
FAMILIES = (
    Family(
        ("ALIBABA_CLOUD_ACCESS_KEY_ID",),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET",),
        ("ALIBABA_CLOUD_SECURITY_TOKEN",),
    ),
    Family(
        ("ALICLOUD_ACCESS_KEY", "ALICLOUD_ACCESS_KEY_ID"),
        ("ALICLOUD_SECRET_KEY", "ALICLOUD_SECRET_ACCESS_KEY"),
        ("ALICLOUD_SECURITY_TOKEN",),
    ),
)
ID_VARIABLES = tuple(name for family in FAMILIES for name in family.ids)
SECRET_VARIABLES = tuple(name for family in FAMILIES for name in family.secrets)
TOKEN_VARIABLES = tuple(name for family in FAMILIES for name in family.tokens)

# Alibaba Cloud's ids begin so: those of permanent keys, and those of temporary credentials.
_ID_PREFIXES = ("LTAI", "STS.")

# The chain may ask an ECS metadata service that is not there; its own time-outs add up.
_CHAIN_SECONDS = 10.0

# Of what the chain reports: it lists every place that it has looked at.
_REASON_LIMIT = 500

_SET_BOTH = "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
_BRIEF = f"access_key_id: no AccessKey was found. Set {_SET_BOTH}."
_WAYS = f"Set access_key_id and access_key_secret in the task, or the variables {_SET_BOTH}"
_INSTALL_CHAIN = (
    "For profile files, ECS RAM roles and OIDC, install the Python package "
    "alibabacloud-credentials on the controller."
)


@dataclass(frozen=True)
class Credentials:
    """An AccessKey; ``source`` is ``options``, ``environment`` or ``chain``.

    ``provider``: for ``chain``, the provider that found it, as alibabacloud-credentials names
    it, for example ``default/cli_profile/static_ak``. Empty if it is not known.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    source: str = "options"
    provider: str = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that must never be shown."""
        return tuple(text for text in (self.access_key_secret, self.security_token) if text)


Chain = Callable[[], Optional[Credentials]]


def first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the value of the first variable that is not empty; empty means unset."""
    return next((environ[name] for name in names if environ.get(name)), None)


def secrets_in_environment(environ: Mapping[str, str]) -> list[str]:
    """Return all secrets and tokens in the environment variables, also of unused families."""
    return [environ[name] for name in (*SECRET_VARIABLES, *TOKEN_VARIABLES) if environ.get(name)]


def used_family(environ: Mapping[str, str]) -> Family | None:
    """Return the family of variables that is used: the first one with an id or a secret.

    A token alone is no AccessKey, so a family that has only a token is ignored.
    """
    return next(
        (one for one in FAMILIES if first_set(environ, (*one.ids, *one.secrets)) is not None), None
    )


def with_id(environ: Mapping[str, str], key_id: str | None) -> Mapping[str, str]:
    """Return the environment with the id of a configuration file, if it has only the secret.

    An id is no secret and may be set in a file. It never replaces an id of the same family.
    ``key_id`` is ignored if it is the id of the other family: Ansible reads an option of the
    callback from the variables of both.
    """
    family = used_family(environ)
    if key_id in _set_values(environ, ID_VARIABLES):
        return environ
    if key_id and family is not None and first_set(environ, family.ids) is None:
        return {**environ, family.ids[0]: key_id}
    return environ


def resolve_credentials(
    options: Mapping[str, Any], environ: Mapping[str, str], chain: Chain | None = None
) -> Credentials:
    """Return the AccessKey to sign with.

    ``options`` holds access_key_id, access_key_secret and security_token as far as the user
    gave them; ``environ`` the environment variables; ``chain`` the last resort (default: the
    default chain of alibabacloud-credentials if that is installed).
    Raises CredentialsError.
    """
    found = given_credentials(options, environ) or (chain or default_chain)()
    if found is None:
        raise CredentialsError(
            "no AccessKey was found",
            option="access_key_id",
            advice=f"{_WAYS}. {_INSTALL_CHAIN}",
            brief=_BRIEF,
        )
    return _checked(found)


def given_credentials(options: Mapping[str, Any], environ: Mapping[str, str]) -> Credentials | None:
    """Return the AccessKey of the options or the environment, None when neither has one.

    Raises CredentialsError for an incomplete pair, or for text that cannot be an AccessKey.
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
                f"contains a space, a line break or a non-ASCII character (from {found.source})",
                option=option,
                advice="Copy it again.",
            )
    if ":" in found.access_key_id:
        raise CredentialsError(
            f"contains a colon, so it is not an id (from {found.source})",
            option="access_key_id",
            advice="Copy the id without the secret.",
        )
    return found


def _from_options(options: Mapping[str, Any]) -> Credentials | None:
    key_id, secret = options.get("access_key_id"), options.get("access_key_secret")
    token = options.get("security_token")
    if not (key_id or secret or token):
        return None
    if not (key_id and secret):
        missing = "access_key_secret" if key_id else "access_key_id"
        given = "access_key_id" if key_id else "access_key_secret" if secret else "security_token"
        raise CredentialsError(
            f"is missing, but {given} is set",
            option=missing,
            advice=(
                "Set access_key_id and access_key_secret together, or neither of them to use the "
                "environment."
            ),
        )
    return Credentials(str(key_id), str(secret), str(token) if token else None, "options")


def _from_environment(environ: Mapping[str, str]) -> Credentials | None:
    family = used_family(environ)
    if family is None:
        return None
    key_id, secret = first_set(environ, family.ids), first_set(environ, family.secrets)
    if not (key_id and secret):
        raise _incomplete(family, environ)
    return Credentials(key_id, secret, first_set(environ, family.tokens), "environment")


def _incomplete(family: Family, environ: Mapping[str, str]) -> CredentialsError:
    """Return the error of a family that has an id without a secret, or the reverse."""
    given = _set_names(environ, (*family.ids, *family.secrets))
    pairs = dict(zip((*family.ids, *family.secrets), (*family.secrets, *family.ids)))
    missing = pairs[given[0]]
    # A complete family behind it was probably meant, and must not be chosen silently.
    ignored = [
        f"{_set_names(environ, other.ids)[0]} and {_set_names(environ, other.secrets)[0]}"
        for other in FAMILIES
        if other is not family
        and first_set(environ, other.ids) is not None
        and first_set(environ, other.secrets) is not None
    ]
    instead = f" to use {ignored[0]}" if ignored else ""
    return CredentialsError(
        f"is missing, but {given[0]} is set",
        option=missing,
        advice=f"Set {missing}, or unset {' and '.join(given)}{instead}.",
        brief=f"{missing}: is missing, but {given[0]} is set. Set both or neither.",
    )


def _set_values(environ: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    return [environ[name] for name in _set_names(environ, names)]


def _set_names(environ: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if environ.get(name)]


def looks_like_id(key_id: str) -> bool:
    """Return whether a text looks like an AccessKey id. Any other text may be the secret."""
    return key_id.startswith(_ID_PREFIXES)


def shown_id(key_id: str) -> str:
    """Return enough of an AccessKey id to recognise it: its first and last four characters.

    A text that does not look like an id may be the secret, and is not shown.
    """
    if not looks_like_id(key_id):
        return "given"
    return f"{key_id[:4]}...{key_id[-4:]}" if len(key_id) >= 12 else f"{key_id[:2]}..."


def default_chain() -> Credentials | None:
    """Return what alibabacloud-credentials' default chain finds; None without the package.

    The package looks for profile files, OIDC, an ECS RAM role and a credentials URI (its
    documentation, "default credential provider chain"). It starts threads, so this is never
    called in Ansible's controller process.
    """
    try:
        # Only here: importing it takes half a second, and most users give a key.
        from alibabacloud_credentials.provider import DefaultCredentialsProvider
    except ImportError:
        return None
    for name in ("credentials", "alibabacloud_credentials"):
        # It prints a traceback for every place without a key; the error needs one line.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        found = within(_CHAIN_SECONDS, lambda: DefaultCredentialsProvider().get_credentials())
    except DeadlineExceeded as exc:
        raise CredentialsError(
            f"alibabacloud-credentials found no AccessKey within {_CHAIN_SECONDS:g} s",
            option="access_key_id",
            advice=f"{_WAYS}.",
            brief=_BRIEF,
        ) from exc
    except Exception as exc:  # the package raises many kinds, and they all mean the same here
        raise CredentialsError(
            "no AccessKey was found; alibabacloud-credentials reports: "
            f"{shortened(str(exc), _REASON_LIMIT).rstrip('.')}",
            option="access_key_id",
            advice=f"Fix that. Alternatively: {_WAYS}.",
            brief=_BRIEF,
        ) from exc
    key_id, secret = found.get_access_key_id(), found.get_access_key_secret()
    if not (key_id and secret):
        raise CredentialsError(
            "alibabacloud-credentials returned an incomplete AccessKey",
            option="access_key_id",
            advice=f"{_WAYS}.",
            brief=_BRIEF,
        )
    # Versions that do not name the provider exist.
    provider = getattr(found, "get_provider_name", str)()
    return Credentials(
        key_id, secret, found.get_security_token() or None, "chain", str(provider or "")
    )
