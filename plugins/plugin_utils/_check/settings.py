# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings as a check of the set-up shows them: values, where each is from, mistakes. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._api.credentials import (
    FAMILIES,
    ID_VARIABLES,
    SECRET_VARIABLES,
    TOKEN_VARIABLES,
    Credentials,
    used_family,
)
from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._options import CONNECTION_OPTIONS
from .._config import SECTION
from .findings import NOTE, Finding, of_error

DEFAULT = "default"
# Shown even when nobody has changed them; of the others only what somebody has given.
_ALWAYS = ("region", "network", "endpoint", "group_id", "outbox")
_CREDENTIALS = {option.name for option in CONNECTION_OPTIONS if option.is_credential}
# Name, value and origin, each ready to be shown.
Row = tuple[str, str, str]
# The options whose values are secret; ansible.cfg is not read for them.
SECRETS = ("access_key_secret", "security_token")
# What Alibaba Cloud's ids begin with: lasting ones, and temporary ones.
_ID_BEGINS = ("LTAI", "STS.")


@dataclass(frozen=True)
class Setting:
    """One setting: its value, and the variable or file that it comes from, or ``default``.

    What is not ``usable`` has been refused, and ``value`` is the default in its place.
    """

    name: str
    value: Any
    origin: str = DEFAULT
    usable: bool = True

    @property
    def given(self) -> bool:
        """Whether somebody has set it."""
        return self.origin != DEFAULT


def origin_of(origin: str) -> str:
    """Return where Ansible has found a setting, as people write it."""
    kind, colon, name = str(origin).partition(": ")
    if colon and kind == "env":
        return name
    if colon and kind == "var":
        return "-e " + name
    return DEFAULT if origin in (DEFAULT, None, "") else f"{origin} [{SECTION}]"


def shown_settings(settings: Mapping[str, Setting]) -> list[Row]:
    """Return the rows of the settings that count, the connection's first, without the AccessKey."""
    names = [option.name for option in CONNECTION_OPTIONS if not option.is_credential]
    names += [name for name in settings if name not in names and name not in _CREDENTIALS]
    wanted = [settings[name] for name in names if settings[name].given or name in _ALWAYS]
    return [(one.name, _value(one), one.origin) for one in wanted]


def shown_credentials(
    found: Credentials | None, environ: Mapping[str, str], id_origin: str
) -> list[Row]:
    """Return the rows of the AccessKey. A secret is never among what they tell.

    ``found`` is None when there is none; then the rows tell what of it is given.
    ``id_origin``: where the id comes from when it is not a variable of the environment.
    """
    if found is not None and found.source == "chain":
        place = "alibabacloud-credentials"
        token = "given" if found.security_token else "not set"
        return [
            ("access_key_id", shortened(found.access_key_id), place),
            ("access_key_secret", "given", place),
            ("security_token", token, place),
        ]
    family = used_family(environ) or FAMILIES[0]
    rows = []
    for name, variables in (
        ("access_key_id", family.ids),
        ("access_key_secret", family.secrets),
        ("security_token", family.tokens),
    ):
        variable = next((one for one in variables if environ.get(one)), "")
        value = "given" if variable else "not set"
        if found is not None and name == "access_key_id":
            value, variable = shortened(found.access_key_id), variable or id_origin
        rows.append((name, value, variable))
    return rows


def like_an_id(key_id: str) -> bool:
    """Return whether it looks like an AccessKey id. What does not may be the secret."""
    return key_id.startswith(_ID_BEGINS)


def hidden_ids(environ: Mapping[str, str], *others: Any) -> list[str]:
    """Return what is given as an id and does not look like one, so that nobody is shown it."""
    given = [environ.get(name) for name in ID_VARIABLES]
    return [str(one) for one in (*given, *others) if one and not like_an_id(str(one))]


def shortened(key_id: str) -> str:
    """Return enough of an AccessKey id to tell it from another one, and no part of a secret."""
    if not like_an_id(key_id):
        return "given"
    if len(key_id) < 12:
        return key_id[:2] + "..."
    return f"{key_id[:6]}...{key_id[-3:]}"


def aligned(rows: Sequence[Row]) -> list[str]:
    """Return a line for each row, in columns."""
    width = max((len(value) for _name, value, _origin in rows), default=0)
    lines = [f"{name:22} {value:{width}} {origin}" for name, value, origin in rows]
    return [line.rstrip() for line in lines]


def _value(setting: Setting) -> str:
    value = setting.value
    if not setting.usable:
        return "cannot be used"
    if value in (None, "", []):
        return "not set" if not setting.given else "empty"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value)
    if setting.name == "endpoint":
        return without_password(str(value))
    return str(value)


def without_password(url: str) -> str:
    """Return a URL without user name, password and query."""
    scheme, colon, rest = url.partition("://")
    shown = rest if colon else url
    named = "@" in shown  # looked at first: an unencoded password may hold anything
    shown = shown.rpartition("@")[2].partition("?")[0] + (" (with a user name)" if named else "")
    return scheme + colon + shown if colon else shown


def wrong_values(
    values: Mapping[str, Any],
    settings: Mapping[str, Setting],
    rule: Callable[[Mapping[str, Any]], Any],
) -> list[Finding]:
    """Return a finding for each setting that ``rule`` refuses, not for the first one only.

    ``rule`` raises a CloudMonitorError whose text begins with the setting's name.
    """
    tried, found = dict(values), []
    for _round in range(len(settings) + 1):
        try:
            rule(tried)
        except CloudMonitorError as exc:
            name = str(exc).partition(":")[0]
            setting = settings.get(name)
            hint = "" if setting is None else f"{name} comes from {setting.origin}"
            one = of_error("settings", str(exc), hint)
            if one in found:
                break
            found.append(one)
            if setting is None or not setting.given or name not in _HARMLESS:
                break
            tried[name] = _HARMLESS[name]
        else:
            break
    return found


# What takes the place of a wrong value, so that the others are looked at, too.
_HARMLESS: dict[str, Any] = {
    **{option.name: option.default for option in CONNECTION_OPTIONS},
    "flush_timeout": 5.0,
    "linger": 60.0,
    "outbox_ttl": 168.0,
    "start_event": "deployment-start",
    "finish_event": "deployment-finish",
    "group_id": 0,
}


def stray_variables(environ: Mapping[str, str], known: Collection[str]) -> list[Finding]:
    """Return notes on variables that look like ours and that nothing reads."""
    return [
        Finding(
            "settings",
            NOTE,
            f"nothing reads the environment variable {name}",
            f"Look at how {name} is written{_meant(name, known)}.",
        )
        for name in sorted(environ)
        if name.startswith("CLOUDMONITOR_") and environ[name] and name not in known
    ]


def stray_keys(keys: Collection[str], known: Collection[str], path: str) -> list[Finding]:
    """Return notes on keys of the callback's section of ``ansible.cfg`` that nothing reads."""
    notes = []
    for key in keys:
        if key in SECRETS:
            text = f"{key} in {path} is not read"
            variable = (SECRET_VARIABLES if key == "access_key_secret" else TOKEN_VARIABLES)[0]
            fix = f"Remove {key} from the file and set {variable} in the environment instead."
            notes.append(Finding("settings", NOTE, text, fix))
        elif key not in known:
            text = f"nothing reads {key} in the section {SECTION} of {path}"
            fix = f"Look at how {key} is written{_meant(key, known)}."
            notes.append(Finding("settings", NOTE, text, fix))
    return notes


def _meant(name: str, known: Collection[str]) -> str:
    if name == "CLOUDMONITOR_REGION":
        return "; the region's variable is ALIBABA_CLOUD_REGION_ID"
    near = difflib.get_close_matches(name, list(known), 1, 0.75)
    return f"; {near[0]} is there" if near else ""


def notes_on_use(
    settings: Mapping[str, Setting], found: Credentials | None, id_origin: str
) -> list[Finding]:
    """Return what is worth knowing of settings that are right as they are."""
    notes = []
    in_file = [
        option.name
        for option in CONNECTION_OPTIONS
        if not option.is_credential and settings[option.name].origin.endswith(f"[{SECTION}]")
    ]
    if id_origin:
        in_file.insert(0, "access_key_id")
    if in_file:
        notes.append(
            Finding(
                "settings",
                NOTE,
                f"{', '.join(in_file)} in ansible.cfg count{'s' if len(in_file) == 1 else ''} for "
                "the callback and flush_outbox only",
                "Give the other modules and the role the same as options or in the environment.",
            )
        )
    if settings["validate_certs"].value is False:
        text = "validate_certs is false, so anybody on the way can pretend to be Cloud Monitor"
        notes.append(
            Finding("settings", NOTE, text, "Turn it on, with the authority's file as ca_path.")
        )
    if found is not None and not like_an_id(found.access_key_id):
        text = "the AccessKey id does not look like one: are id and secret swapped?"
        fix = (
            "See that access_key_id is the one that begins with LTAI, or with STS. for a temporary "
            "AccessKey. Only very old ones begin otherwise."
        )
        notes.append(Finding("AccessKey", NOTE, text, fix))
    elif found is not None and found.security_token and found.access_key_id[:4] != "STS.":
        text = "there is a security token, but the AccessKey id does not begin with STS."
        fix = "Take the token away when the AccessKey is a lasting one: its signature is refused."
        notes.append(Finding("AccessKey", NOTE, text, fix))
    return notes
