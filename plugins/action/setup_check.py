# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of the playbook ``check``; private to it."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812  # as all of Ansible calls it
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import callback_loader
from ansible.release import __version__ as core_version
from ansible.utils.vars import load_extra_vars

from ..module_utils._api.connection import Connection, parse_connection
from ..module_utils._api.credentials import Credentials, resolve_credentials, with_id
from ..module_utils._api.errors import CloudMonitorError, ConfigurationError
from ..module_utils._api.redact import Redactor
from ..module_utils._event_task import known_secrets
from ..module_utils._options import CONNECTION_OPTIONS
from ..module_utils._version import VERSION
from ..plugin_utils._action import plain
from ..plugin_utils._callback.reporter import check_seconds
from ..plugin_utils._check.findings import (
    NOTE,
    OK,
    SKIPPED,
    WRONG,
    Finding,
    advice,
    of_attempt,
    of_error,
    table,
    verdict_line,
)
from ..plugin_utils._check.settings import (
    SECRETS,
    Setting,
    aligned,
    hidden_ids,
    notes_on_use,
    origin_of,
    shown_credentials,
    shown_settings,
    stray_keys,
    stray_variables,
    wrong_values,
)
from ..plugin_utils._check.steps import attempt, check_library, check_outbox, check_signature
from ..plugin_utils._config import (
    SECTION,
    check_boolean,
    configured_section,
    default_outbox,
    without_empty_variables,
)
from ..plugin_utils._deployment.content import Deployment
from ..plugin_utils._deployment.events import Naming
from ..plugin_utils._deployment.facts import RUN_ID_VARIABLE
from ..plugin_utils._outbox.records import events_record

CALLBACK = "aliops.cloudmonitor.deployment_events"
# From here on extra variables count for a callback (ansible-core's changelog).
_EXTRA_VARS_FROM = (2, 21)
# What events are made of. While one of these is wrong, no event is sent.
_OF_EVENTS = ("group_id", "start_event", "finish_event", "failure_event", "deployment_name")


class ActionModule(ActionBase):
    """Looks at everything, and fails at nothing: the playbook shows it all and fails then."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Check the set-up; return the lines to show and whether something is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, args = self.validate_argument_spec(
            argument_spec={"send": {"type": "bool", "default": True}}
        )
        environ = dict(os.environ)
        self._extra = {
            name: value
            for name, value in load_extra_vars(self._loader).items()
            if str(name).startswith("cloudmonitor_")
        }
        settings, findings = self._settings()
        findings += self._stray(environ)
        secrets = known_secrets({}, environ) + _secrets_in(configured_section())
        checked = _Checked(settings, environ, secrets)
        checked.findings += [_versions(), check_signature(), check_library(), *findings]
        checked.look_at_values()
        checked.look_at_key()
        enabled = _enabled(checked)
        checked.findings += check_outbox(
            Path(str(settings["outbox"].value)), enabled and not self._task.check_mode, enabled
        )
        checked.look_at_service(self._why_not(args["send"]))
        result.update(checked.result())
        return result

    def _why_not(self, send: bool) -> str:
        if self._task.check_mode:
            return "check mode sends none"
        return "" if send else "left out, as cloudmonitor_check_send says"

    def _settings(self) -> tuple[dict[str, Setting], list[Finding]]:
        """Return the callback's settings, and what is wrong with the type of one."""
        # Loading the class makes its options known, under the name that it has there.
        name = callback_loader.get(CALLBACK, class_only=True)._load_name
        definitions = C.config.get_configuration_definitions("callback", name)
        counts = _core() >= _EXTRA_VARS_FROM
        variables, broken = self._extra_of(definitions if counts else {})
        settings, wrong = {}, []
        for option, definition in definitions.items():
            name_of_broken = next((one for one in _variables_of(definition) if one in broken), "")
            if name_of_broken:
                origin = f"-e {name_of_broken}"
                settings[option] = Setting(option, definition.get("default"), origin, False)
                wrong.append(_undefined(option, origin))
                continue
            try:
                with without_empty_variables():
                    value, origin = C.config.get_config_value_and_origin(
                        option, plugin_type="callback", plugin_name=name, variables=variables
                    )
                check_boolean(option, value, origin)
                settings[option] = Setting(option, plain(value), origin_of(origin))
            except (AnsibleError, ConfigurationError):
                origin = _origin_of_wrong(definition, variables)
                settings[option] = Setting(option, definition.get("default"), origin, False)
                wrong.append(_wrong_type(option, definition, origin))
        if not settings["outbox"].value:
            settings["outbox"] = Setting("outbox", default_outbox())
        self._known = set(settings)
        self._variables = {
            entry["name"]
            for definition in definitions.values()
            for entry in definition.get("env") or ()
        }
        return settings, wrong

    def _extra_of(
        self, definitions: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, Any], set[str]]:
        """Return the extra variables that count, and the names of those that have no value."""
        values: dict[str, Any] = {}
        broken: set[str] = set()
        for name in {one for each in definitions.values() for one in _variables_of(each)}:
            if name in self._extra:
                try:
                    values[name] = self._templar.template(self._extra[name])
                except AnsibleError:
                    broken.add(name)
        return values, broken

    def _stray(self, environ: Mapping[str, str]) -> list[Finding]:
        """Return notes on what looks like a setting and is none."""
        found = stray_variables(environ, {*self._variables, RUN_ID_VARIABLE})
        path = str(C.config._config_file or "")
        found += stray_keys(list(configured_section()), self._known - set(SECRETS), path)
        if _core() < _EXTRA_VARS_FROM:
            ignored = [
                key for key in self._extra if key.removeprefix("cloudmonitor_") in self._known
            ]
            found += [
                Finding(
                    "settings",
                    NOTE,
                    f"-e {key} does not count: a callback reads extra variables from ansible-core "
                    "2.21 on",
                    f"Give {key.removeprefix('cloudmonitor_')} in the environment or in "
                    "ansible.cfg.",
                )
                for key in ignored
            ]
        return found


class _Checked:
    """What is known so far, and what has been found."""

    def __init__(
        self, settings: Mapping[str, Setting], environ: Mapping[str, str], secrets: list[str]
    ) -> None:
        self.findings: list[Finding] = []
        self._settings = settings
        self._values = {name: setting.value for name, setting in settings.items()}
        self._environ = environ
        self._secrets = secrets
        self._connection: Connection | None = None
        self._credentials: Credentials | None = None
        self._id_origin = ""
        self._event_is_right = True

    def look_at_values(self) -> None:
        """Hold the settings against the rules that a run holds them to."""
        refused = {one.name for one in self._settings.values() if not one.usable}
        of_connection, of_times, of_events = (
            wrong_values(self._values, self._settings, rule)
            for rule in (parse_connection, check_seconds, _check_names)
        )
        self.findings += [*of_connection, *of_times, *of_events]
        if not of_connection and refused.isdisjoint(option.name for option in CONNECTION_OPTIONS):
            self._connection = parse_connection(self._values)
        self._event_is_right = not of_events and refused.isdisjoint(_OF_EVENTS)
        if not any((one.name, one.state) == ("settings", WRONG) for one in self.findings):
            given = sum(1 for setting in self._settings.values() if setting.given)
            self.findings.append(Finding("settings", OK, f"{given} given, the others by default"))

    def look_at_key(self) -> None:
        """Find the AccessKey, wherever it is."""
        configured = self._settings["access_key_id"]
        self._secrets += hidden_ids(self._environ, configured.value)
        environ = with_id(self._environ, configured.value)
        if environ is not self._environ:
            self._id_origin = configured.origin
        try:
            self._credentials = resolve_credentials({}, environ)
        except CloudMonitorError as exc:
            self.findings.append(of_error("AccessKey", str(exc)))
        else:
            self._secrets += self._credentials.secrets
            self._secrets += hidden_ids({}, self._credentials.access_key_id)
            kind = "temporary" if self._credentials.security_token else "lasting"
            self.findings.append(Finding("AccessKey", OK, f"a {kind} one is given"))
        self.findings += notes_on_use(self._settings, self._credentials, self._id_origin)

    def look_at_service(self, why_not: str) -> None:
        """Reach the endpoint, compare the clocks, and send a test event unless there is a why."""
        if any((one.name, one.state) == ("requests", WRONG) for one in self.findings):
            return self._skip("requests has to be there first")
        if self._connection is None:
            return self._skip("the settings have to be right first")
        if not why_not and not self._event_is_right:
            why_not = "the settings have to be right first"
        if not why_not and self._credentials is None:
            why_not = "the AccessKey has to be right first"
        try:
            found = of_attempt(
                attempt(
                    self._connection,
                    None if why_not else self._credentials,
                    self._values["group_id"],
                    self._environ,
                    Redactor(self._secrets).text,
                )
            )
        except CloudMonitorError as exc:
            self.findings.append(of_error("settings", str(exc)))
            return self._skip("the settings have to be right first")
        if why_not:
            found.append(Finding("test event", SKIPPED, why_not))
        self.findings += found
        return None

    def _skip(self, why: str) -> None:
        self.findings += [
            Finding(name, SKIPPED, why) for name in ("endpoint", "clock", "test event")
        ]

    def result(self) -> dict[str, Any]:
        """Return what the playbook shows. No secret is in it."""
        shown = {
            "settings": aligned(
                [
                    *shown_settings(self._settings),
                    *shown_credentials(self._credentials, self._environ, self._id_origin),
                ]
            ),
            "checks": table(self.findings),
            "to_fix": advice(self.findings, WRONG),
            "to_know": advice(self.findings, NOTE),
            "verdict": verdict_line(self.findings),
            "healthy": all(one.state != WRONG for one in self.findings),
        }
        return {"changed": False, **Redactor(self._secrets).value(shown)}


def _core() -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", core_version)[:2])


def _versions() -> Finding:
    text = (
        f"aliops.cloudmonitor {VERSION}, ansible-core {core_version}, Python "
        f"{platform.python_version()} ({sys.executable})"
    )
    return Finding("versions", OK, text)


def _enabled(checked: _Checked) -> bool:
    """Return whether the callback is enabled; a note says how to do it."""
    if CALLBACK in [str(name) for name in C.config.get_config_value("CALLBACKS_ENABLED")]:
        checked.findings.append(Finding("callback", OK, "enabled: every run is reported"))
        return True
    path = C.config._config_file or "an ansible.cfg beside your playbooks"
    checked.findings.append(
        Finding(
            "callback",
            NOTE,
            "not enabled: only tasks and the role report",
            f"To have every run reported, put callbacks_enabled = {CALLBACK} into the section "
            "defaults of "
            f"{path}, or set ANSIBLE_CALLBACKS_ENABLED.",
        )
    )
    return False


def _variables_of(definition: Mapping[str, Any]) -> list[str]:
    """Return the names of the extra variables that an option may come from."""
    return [str(entry["name"]) for entry in definition.get("vars") or ()]


def _origin_of_wrong(definition: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    """Return where a value comes from that Ansible does not take: it does not say so itself."""
    origins = [f"-e {name}" for name in _variables_of(definition) if name in variables]
    # Ansible takes the last that is set.
    names = [str(entry["name"]) for entry in reversed(definition.get("env") or ())]
    origins += [name for name in names if os.environ.get(name)]
    return (origins or [f"{C.config._config_file} [{SECTION}]"])[0]


def _wrong_type(option: str, definition: Mapping[str, Any], origin: str) -> Finding:
    """Return the finding of a value that Ansible does not take. The value is not shown."""
    choices = definition.get("choices")
    wanted = "one of " + ", ".join(choices) if choices else f"of the type {definition['type']}"
    return Finding(
        "settings",
        WRONG,
        f"{option} from {origin} must be {wanted}",
        f"{option} comes from {origin}. Give a value that is {wanted}.",
    )


def _undefined(option: str, origin: str) -> Finding:
    """Return the finding of an extra variable whose template has no value. It is not shown."""
    return Finding(
        "settings",
        WRONG,
        f"{option} from {origin} cannot be evaluated",
        f"{option} comes from {origin}. Give it a value without a template, or define what the "
        "template names.",
    )


def _check_names(values: Mapping[str, Any]) -> None:
    """See that events can be made of the settings. Raises InvalidInput."""
    naming = Naming.from_options(values)
    name = values["deployment_name"] or "check"
    started = Deployment(id="check", name=name, started_at=0.0)
    for deployment in (started, replace(started, status="failed", finished_at=1.0)):
        events_record(deployment, naming, time.time())


def _secrets_in(section: Mapping[str, str]) -> list[str]:
    """Return the secrets that stand in ansible.cfg, where nothing reads them."""
    return [section[name] for name in SECRETS if section.get(name)]
