# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings as a check of the set-up shows them: values, origins and mistakes. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ...module_utils._api.credentials import (
    FAMILIES,
    ID_VARIABLES,
    SECRET_VARIABLES,
    TOKEN_VARIABLES,
    Credentials,
    looks_like_id,
    shown_id,
    used_family,
)
from ...module_utils._api.errors import CloudMonitorError
from ...module_utils._api.frozen import frozen
from ...module_utils._api.names import nearest_name
from ...module_utils._options import CONNECTION_OPTIONS
from .._config import SECTION
from .findings import NOTE, WRONG, Finding, error_finding

DEFAULT = "default"
_PREFIX = "CLOUDMONITOR_"
_EXTRA_PREFIX = "cloudmonitor_"
# The extra variables of the collection's playbooks that are no options of the callback.
PLAYBOOK_VARIABLES = (
    "cloudmonitor_alerts_days",
    "cloudmonitor_alerts_failure_event",
    "cloudmonitor_alerts_group_id",
    "cloudmonitor_alerts_overdue_event",
    "cloudmonitor_alerts_wait",
    "cloudmonitor_alerts_webhook",
    "cloudmonitor_api_endpoint",
    "cloudmonitor_check_receipt",
    "cloudmonitor_check_send",
    "cloudmonitor_contact_groups",
    "cloudmonitor_report_format",
    "cloudmonitor_report_path",
    "cloudmonitor_report_since",
    "cloudmonitor_report_source",
)
# Shown even when nobody has changed them; of the others only what somebody has given.
_ALWAYS = ("region", "network", "endpoint", "group_id", "outbox")
_CREDENTIALS = {option.name for option in CONNECTION_OPTIONS if option.is_credential}
# Name, value and origin, each ready to be shown.
Row = tuple[str, str, str]
# The options whose values are secret; ansible.cfg is not read for them.
SECRETS = ("access_key_secret", "security_token")


@frozen
class Setting:
    """One setting: its value, and the variable or file that it comes from, or ``default``.

    If Ansible refused the value, ``usable`` is False and ``value`` is the default.
    """

    name: str
    value: Any
    origin: str = DEFAULT
    usable: bool = True

    @property
    def given(self) -> bool:
        """Whether it was set."""
        return self.origin != DEFAULT


def shown_origin(origin: str) -> str:
    """Return where Ansible found a setting, as people write it."""
    kind, colon, name = str(origin).partition(": ")
    if colon and kind == "env":
        return name
    if colon and kind == "var":
        return "-e " + name
    return DEFAULT if origin in (DEFAULT, None, "") else f"{origin} [{SECTION}]"


def shown_settings(settings: Mapping[str, Setting]) -> list[Row]:
    """Return the rows of the important and the changed settings, without the AccessKey."""
    names = [option.name for option in CONNECTION_OPTIONS if not option.is_credential]
    names += [name for name in settings if name not in names and name not in _CREDENTIALS]
    wanted = [settings[name] for name in names if settings[name].given or name in _ALWAYS]
    return [(one.name, _value(one), one.origin) for one in wanted]


def shown_credentials(
    found: Credentials | None, environ: Mapping[str, str], id_origin: str | None
) -> list[Row]:
    """Return the rows of the AccessKey. They never contain a secret.

    ``found``: None if no complete AccessKey was found; then the rows show which parts are given.
    ``id_origin``: where the id comes from if it is not a variable of the environment.
    """
    if found is not None and found.source == "chain":
        place = "alibabacloud-credentials"
        token = "given" if found.security_token else "not set"
        return [
            ("access_key_id", shown_id(found.access_key_id), place),
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
            value, variable = shown_id(found.access_key_id), variable or id_origin or ""
        rows.append((name, value, variable))
    return rows


def hidden_ids(environ: Mapping[str, str], *others: Any) -> list[str]:
    """Return the texts that are given as an id and do not look like one. They are not shown."""
    given = [environ.get(name) for name in ID_VARIABLES]
    return [str(one) for one in (*given, *others) if one and not looks_like_id(str(one))]


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
    defaults: Mapping[str, Any],
) -> list[Finding]:
    """Return a finding for each setting that ``rule`` refuses, not for the first one only.

    ``rule`` raises a CloudMonitorError whose ``option`` is the name of the setting. ``defaults``
    replace the wrong values, so that the others are checked also.
    """
    tried, found = dict(values), []
    for _round in range(len(settings) + 1):
        try:
            rule(tried)
        except CloudMonitorError as exc:
            setting = settings.get(exc.option or "")
            one = error_finding("settings", exc, setting.origin if setting else None)
            if one in found:
                break
            found.append(one)
            if setting is None or not setting.given:
                break
            tried[setting.name] = defaults.get(setting.name)
        else:
            break
    return found


def unknown_variables(
    environ: Mapping[str, str], variables: Mapping[str, Sequence[str]], others: Collection[str]
) -> list[Finding]:
    """Return an error for each variable CLOUDMONITOR_* that nothing reads.

    ``variables``: the variables of each option; ``others``: variables that are no option's.
    """
    known = {*others, *(name for names in variables.values() for name in names)}
    found = []
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or not environ[name] or name in known:
            continue
        option = name.removeprefix(_PREFIX).lower()
        if variables.get(option):  # the variables of this option have another prefix
            meant: str | None = variables[option][0]
        else:
            ours = {one.removeprefix(_PREFIX) for one in known if one.startswith(_PREFIX)}
            near = nearest_name(option, ours)
            meant = None if near is None else _PREFIX + near
        found.append(_unknown("the environment variable", name, meant))
    return found


def misspelled_extra_variables(
    given: Collection[str], variables: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """Return an error for each extra variable (``-e``) with a name like one of ours.

    ``given``: names of extra variables; ``variables``: the extra variables of each option. A name
    that is like no other one may be the user's own.
    """
    known = {*PLAYBOOK_VARIABLES, *(name for names in variables.values() for name in names)}
    ours = {name.removeprefix(_EXTRA_PREFIX) for name in known}
    found = []
    for name in sorted(given):
        rest = name.removeprefix(_EXTRA_PREFIX)
        if name in known or rest == name:
            continue
        if rest in SECRETS:
            fix = f"Remove -e {name}, and set the secret in the environment."
            found.append(Finding("settings", WRONG, f"nothing reads -e {name}", fix))
            continue
        meant = nearest_name(rest, ours)
        if meant is not None:
            found.append(_unknown("-e", name, _EXTRA_PREFIX + meant))
    return found


def unknown_keys(keys: Collection[str], known: Collection[str], path: str) -> list[Finding]:
    """Return an error for each key of the callback's section of ``ansible.cfg`` that nothing reads.

    ``path``: the file. Secrets are not read from it.
    """
    found = []
    for key in keys:
        if key in SECRETS:
            text = f"{key} in {path} is not read"
            variable = (SECRET_VARIABLES if key == "access_key_secret" else TOKEN_VARIABLES)[0]
            fix = f"Remove {key} from the file and set {variable} in the environment instead."
            found.append(Finding("settings", WRONG, text, fix))
        elif key not in known:
            meant = nearest_name(key, known)
            found.append(_unknown(f"the key in the section {SECTION} of {path},", key, meant))
    return found


def similar_sections(sections: Collection[str], path: str) -> list[Finding]:
    """Return an error for each section of ``ansible.cfg`` that is a misspelled one of ours."""
    return [
        _unknown(f"the section of {path},", f"[{name}]", f"[{SECTION}]")
        for name in sections
        if name != SECTION
        and ("deployment_event" in name or difflib.get_close_matches(name, [SECTION], 1, 0.8))
    ]


def _unknown(kind: str, name: str, meant: str | None) -> Finding:
    fix = f"Remove {name}." if meant is None else f"Did you mean {meant} instead of {name}?"
    return Finding("settings", WRONG, f"nothing reads {kind} {name}", fix)


def notes_on_use(
    settings: Mapping[str, Setting], found: Credentials | None, id_origin: str | None
) -> list[Finding]:
    """Return notes on settings that can be used but may not be what the user expects."""
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
                f"{', '.join(in_file)} in ansible.cfg appl{'ies' if len(in_file) == 1 else 'y'} to "
                "the callback and flush_outbox only",
                "For the other modules and the role, set options or environment variables.",
            )
        )
    if settings["validate_certs"].value is False:
        text = "validate_certs is false, so another server can pretend to be Cloud Monitor"
        notes.append(
            Finding(
                "settings",
                NOTE,
                text,
                "Set it to true, and set ca_path to the certificate authority.",
            )
        )
    if found is not None and not looks_like_id(found.access_key_id):
        text = "the AccessKey id has an unusual form. Are id and secret swapped?"
        fix = "An id begins with LTAI, or with STS. if it is temporary. Only very old ids differ."
        notes.append(Finding("AccessKey", NOTE, text, fix))
    elif found is not None and found.security_token and found.access_key_id[:4] != "STS.":
        text = "a security token is set, but the AccessKey id does not begin with STS."
        fix = "If the AccessKey is permanent, unset the token. Otherwise, its signature is refused."
        notes.append(Finding("AccessKey", NOTE, text, fix))
    return notes
