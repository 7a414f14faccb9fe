# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names the account that events are for, so that no other account ever gets them.

A destination is a text in the outbox, and only equal texts are delivered together:

``key:<id>``
    A permanent key, whatever its source is.
``source:environment``, ``source:options``
    Temporary credentials of this source, with the role or profile that the environment names.
``<provider>:<role or profile>``
    Temporary credentials of the default chain. The provider has the name that
    alibabacloud-credentials gives it.
``chain:<provider>:<role or profile>``
    The default chain has to be asked: the variables and files do not tell which credentials it
    finds. The courier of the run replaces this text with one of the above.

The callback must not ask the chain, which starts threads and uses the network. It reads the
variables and files that the chain reads, in the chain's order (the source code of
alibabacloud-credentials 1.0: ``provider/default.py``, ``cli_profile.py``, ``profile.py``).
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ...module_utils._api.credentials import Credentials, shown_id
from ...module_utils._api.frozen import frozen
from .launch import absolute, working_directory

# Written by a version that did not tell the accounts of the chain apart.
OLD_CHAIN = "source:chain"
_ASK = "chain:"
_KEY = "key:"
_MAX_BYTES = 1_048_576
# What a JSON or ini file that is no configuration can raise.
_UNUSABLE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)

# Returns the text of a regular file, None when there is no such file. Raises ValueError when
# the file is too long to be read.
Read = Callable[[str], "str | None"]


@frozen
class Choice:
    """A provider of the chain that is configured, and the destination of its credentials.

    ``certain`` is False when the provider may not be there, or may find a permanent key whose id
    is not known.
    """

    provider: str
    destination: str
    certain: bool = True


@frozen
class Selection:
    """The choice of the default chain, judged from variables and files.

    ``expected`` is the destination of a run whose credentials the chain has to find;
    ``choices`` are the configured providers in the order of the chain.
    """

    expected: str
    choices: tuple[Choice, ...]


def read_config(path: str) -> str | None:
    """Return the text of a configuration file without ever blocking, None when there is none.

    Raises ValueError for more than 1 MiB, which the chain might read nevertheless.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            data = file.read(_MAX_BYTES + 1)
    except OSError:
        return None
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{path} has more than {_MAX_BYTES} bytes")
    return data.decode("utf-8", "replace")


def select(environ: Mapping[str, str], read: Read = read_config) -> Selection:
    """Return the choice of the default chain. ``environ``: the variables that it sees.

    The first provider that is certain to be configured is the intended one, even if the chain
    would go on to the next one because a service cannot be reached.
    """
    choices = tuple(_choices(environ, read))
    if choices and choices[0].certain:
        return Selection(choices[0].destination, choices)
    return Selection(_ASK + " ".join(one.destination for one in choices), choices)


@frozen
class Account:
    """The account of an AccessKey: its destination, and all destinations that it may deliver."""

    destination: str
    accepted: frozenset[str]

    @staticmethod
    def of_given(destination: str) -> Account:
        """Return the account of an AccessKey that was given in options or the environment."""
        return Account(destination, frozenset({destination}))

    @staticmethod
    def of_chain(credentials: Credentials, selection: Selection) -> Account:
        """Return the account of an AccessKey that the chain has found.

        Events of a run that ended before its chain had answered are accepted if the choice is
        the same.
        """
        destination = resolved_destination(credentials, selection)
        undecided = {selection.expected} if is_undecided(selection.expected) else set()
        return Account(destination, frozenset({destination, OLD_CHAIN, *undecided}))


def given_destination(credentials: Credentials, environ: Mapping[str, str]) -> str:
    """Return the destination of an AccessKey that was given in options or the environment.

    The ids of temporary credentials change and their tokens cannot be read, so they are known
    by their source and by the role or profile that the environment names.
    """
    if not credentials.security_token:
        return _KEY + credentials.access_key_id
    variables = {"role": "ALIBABA_CLOUD_ROLE_ARN", "profile": "ALIBABA_CLOUD_PROFILE"}
    named = [f"{word}={environ[name]}" for word, name in variables.items() if environ.get(name)]
    return ":".join([f"source:{credentials.source}", *named])


def resolved_destination(credentials: Credentials, selection: Selection) -> str:
    """Return the destination of an AccessKey that the default chain has found."""
    if not credentials.security_token:
        return _KEY + credentials.access_key_id
    # "default/cli_profile/static_sts": the chain, its provider, and the one inside that.
    provider = credentials.provider.removeprefix("default/").partition("/")[0]
    for choice in selection.choices:
        # A version that does not name its providers uses the first one.
        if provider in ("", choice.provider) and not choice.destination.startswith(_KEY):
            return choice.destination
    return f"{provider or 'unknown'}:"


def is_undecided(destination: str) -> bool:
    """Return whether only the answer of the chain can tell the account."""
    return destination.startswith(_ASK) or destination == OLD_CHAIN


def shown_destination(destination: str) -> str:
    """Return a destination for people, with a shortened id."""
    if destination.startswith(_KEY):
        return f"AccessKey {shown_id(destination.removeprefix(_KEY))}"
    return destination.removeprefix(_ASK)


def _choices(environ: Mapping[str, str], read: Read) -> Iterator[Choice]:
    """Yield the configured providers in the order of the chain."""
    role = environ.get("ALIBABA_CLOUD_ROLE_ARN", "")
    others = ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE")
    if role and all(environ.get(name) for name in others):
        yield Choice("oidc_role_arn", f"oidc_role_arn:{role}")
    home = environ.get("HOME") or environ.get("HOMEPATH") or os.path.expanduser("~")
    if not _is_true(environ, "ALIBABA_CLOUD_CLI_PROFILE_DISABLED"):
        path = absolute(os.path.join(home, ".aliyun", "config.json"), working_directory())
        yield from _from_file("cli_profile", _cli_profile, path, environ, read)
    path = os.path.join(home, ".alibabacloud", "credentials.ini")
    path = absolute(environ.get("ALIBABA_CLOUD_CREDENTIALS_FILE") or path, working_directory())
    yield from _from_file("profile", _ini_profile, path, environ, read)
    if not _is_true(environ, "ALIBABA_CLOUD_ECS_METADATA_DISABLED"):
        # Every machine may have a RAM role, or none.
        name = environ.get("ALIBABA_CLOUD_ECS_METADATA", "")
        yield Choice("ecs_ram_role", f"ecs_ram_role:{name}", certain=False)
    uri = environ.get("ALIBABA_CLOUD_CREDENTIALS_URI", "")
    if uri:
        yield Choice("credential_uri", f"credential_uri:{_without_secrets(uri)}")


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").lower() == "true"


def _without_secrets(uri: str) -> str:
    """Return host, port and path of an address. User information and query may be secret."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return ""
    return parts.netloc.rpartition("@")[2] + parts.path


Parse = Callable[[str, str, Mapping[str, str]], "Choice | None"]


def _from_file(
    provider: str, parse: Parse, path: str, environ: Mapping[str, str], read: Read
) -> Iterator[Choice]:
    """Yield the choice of a file, nothing when the chain would pass over it."""
    try:
        text = read(path)
    except ValueError:
        yield Choice(provider, f"{provider}:{path}", certain=False)
        return
    choice = None
    if text is not None:
        try:
            choice = parse(text, path, environ)
        except _UNUSABLE:
            return
    if choice is not None:
        yield choice


def _cli_profile(text: str, path: str, environ: Mapping[str, str]) -> Choice | None:
    """Return the choice of ``~/.aliyun/config.json``, the file of Alibaba Cloud's command line."""
    config = json.loads(text)
    name = environ.get("ALIBABA_CLOUD_PROFILE") or config.get("current")
    if not name:
        return None
    profile = next((one for one in config["profiles"] if one.get("name") == name), None)
    if profile is None:
        return None
    mode, place = profile.get("mode"), f"cli_profile:{path}#{name}"
    if mode == "AK":
        return _permanent("cli_profile", profile)
    if mode in ("RamRoleArn", "ChainableRamRoleArn", "OIDC"):
        role = profile.get("ram_role_arn") or environ.get("ALIBABA_CLOUD_ROLE_ARN")
        return Choice("cli_profile", f"cli_profile:{role}") if role else None
    if mode == "CloudSSO":
        place += ":{cloud_sso_account_id}/{cloud_sso_access_config}".format(**profile)
    elif mode == "EcsRamRole":
        place += f":{profile.get('ram_role_name') or ''}"
    # A program ("External") may return permanent keys, and later versions may know other modes.
    certain = mode in ("StsToken", "EcsRamRole", "CloudSSO", "OAuth")
    return Choice("cli_profile", place, certain) if mode else None


def _ini_profile(text: str, path: str, environ: Mapping[str, str]) -> Choice | None:
    """Return the choice of ``credentials.ini``."""
    from configparser import ConfigParser, Error  # few runs need it

    parser = ConfigParser()
    try:
        parser.read_string(text)
        # The chain reads all sections, and passes over the file if one of them is unusable.
        sections = {
            name: {key: value.partition("#")[0].strip() for key, value in parser.items(name)}
            for name in parser.sections()
        }
    except Error as exc:
        raise ValueError(f"{path} is no configuration") from exc
    name = environ.get("ALIBABA_CLOUD_PROFILE", "default")
    profile = sections[name]
    kind, place = profile.get("type"), f"profile:{path}#{name}"
    if kind == "access_key":
        return _permanent("profile", profile)
    if kind in ("ram_role_arn", "oidc_role_arn"):
        role = profile.get("role_arn") or environ.get("ALIBABA_CLOUD_ROLE_ARN")
        return Choice("profile", f"profile:{role}") if role else None
    if kind == "ecs_ram_role":
        place += f":{profile.get('role_name') or ''}"
    elif kind == "rsa_key_pair":
        place += f":{profile.get('public_key_id') or ''}"
    certain = kind in ("ecs_ram_role", "rsa_key_pair")
    return Choice("profile", place, certain) if kind else None


def _permanent(provider: str, profile: Mapping[str, Any]) -> Choice | None:
    """Return the choice of a profile with a permanent key, None when half of it is missing."""
    key_id, secret = profile.get("access_key_id"), profile.get("access_key_secret")
    return Choice(provider, _KEY + key_id) if key_id and secret else None
