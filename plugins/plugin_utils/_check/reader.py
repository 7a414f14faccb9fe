# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the settings of the callback as Ansible finds them, with their origins and mistakes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.loader import callback_loader
from ansible.release import __version__ as core_version

from ...module_utils._api.errors import ConfigurationError
from ...module_utils._api.frozen import frozen
from .._config import (
    SECTION,
    check_boolean,
    configured_section,
    configured_sections,
)
from .._deployment.facts import RUN_ID_VARIABLE
from .._environment import default_outbox, without_empty_variables
from .._tasks.action import plain
from .findings import NOTE, WRONG, Finding
from .settings import (
    SECRETS,
    Setting,
    misspelled_extra_variables,
    shown_origin,
    similar_sections,
    unknown_keys,
    unknown_variables,
)

CALLBACK = "aliops.cloudmonitor.deployment_events"
# A callback reads extra variables from this version on (ansible-core's changelog).
_EXTRA_VARS_FROM = (2, 21)

Definitions = Mapping[str, Mapping[str, Any]]


@frozen
class CallbackSettings:
    """The settings of the callback, their defaults, and the mistakes in how they are written."""

    settings: Mapping[str, Setting]
    defaults: Mapping[str, Any]
    findings: tuple[Finding, ...]


def read_settings(
    environ: Mapping[str, str], extra: Mapping[str, Any], template: Callable[[Any], Any]
) -> CallbackSettings:
    """Return the settings of the callback.

    ``environ``: the environment variables; ``extra``: the extra variables (``-e``); ``template``
    evaluates the value of one and raises AnsibleError.
    """
    # Loading the class makes its options known, under the name that it has there.
    plugin = callback_loader.get(CALLBACK, class_only=True)._load_name
    definitions = C.config.get_configuration_definitions("callback", plugin)
    reads_extra = core_series() >= _EXTRA_VARS_FROM
    values, broken = _evaluate(definitions if reads_extra else {}, extra, template)
    settings: dict[str, Setting] = {}
    findings: list[Finding] = []
    for option, definition in definitions.items():
        undefined = next((one for one in _variables(definition) if one in broken), None)
        found: Setting | Finding
        if undefined is not None:
            found = _undefined(option, f"-e {undefined}")
        else:
            found = _read_option(plugin, option, definition, values)
        if isinstance(found, Finding):
            findings.append(found)
            origin = f"-e {undefined}" if undefined else _origin_of_wrong(definition, values)
            found = Setting(option, definition.get("default"), origin, usable=False)
        settings[option] = found
    if not settings["outbox"].value:
        settings["outbox"] = Setting("outbox", default_outbox())
    findings += _unknown_names(environ, definitions)
    findings += _misspelled(extra, definitions)
    if not reads_extra:
        findings += _ignored_extra_variables(extra, definitions)
    defaults = {name: definition.get("default") for name, definition in definitions.items()}
    return CallbackSettings(settings, defaults, tuple(findings))


def check_extra_variables(extra: Mapping[str, Any]) -> None:
    """Check that nobody misspelled an extra variable (``-e``) of one of the playbooks.

    It would silently have no effect. Raises ConfigurationError.
    """
    plugin = callback_loader.get(CALLBACK, class_only=True)._load_name
    for finding in _misspelled(extra, C.config.get_configuration_definitions("callback", plugin)):
        raise ConfigurationError(finding.text, advice=finding.fix or "")


def _misspelled(extra: Mapping[str, Any], definitions: Definitions) -> list[Finding]:
    variables = {option: _variables(definition) for option, definition in definitions.items()}
    return misspelled_extra_variables(extra, variables)


def core_series() -> tuple[int, ...]:
    """Return the series of ansible-core, for example (2, 21)."""
    return tuple(int(part) for part in re.findall(r"\d+", core_version)[:2])


def secrets_in_file() -> list[str]:
    """Return the secrets in ansible.cfg, where nothing reads them."""
    section = configured_section()
    return [section[name] for name in SECRETS if section.get(name)]


def _read_option(
    plugin: str, option: str, definition: Mapping[str, Any], variables: Mapping[str, Any]
) -> Setting | Finding:
    try:
        with without_empty_variables():
            value, origin = C.config.get_config_value_and_origin(
                option, plugin_type="callback", plugin_name=plugin, variables=dict(variables)
            )
        check_boolean(option, value, origin)
    except (AnsibleError, ConfigurationError):
        return _wrong_type(option, definition, _origin_of_wrong(definition, variables))
    return Setting(option, plain(value), shown_origin(origin))


def _evaluate(
    definitions: Definitions, extra: Mapping[str, Any], template: Callable[[Any], Any]
) -> tuple[dict[str, Any], set[str]]:
    """Return the extra variables that are options, and the names of those without a value."""
    values: dict[str, Any] = {}
    broken: set[str] = set()
    for name in {one for each in definitions.values() for one in _variables(each)}:
        if name in extra:
            try:
                values[name] = template(extra[name])
            except AnsibleError:
                broken.add(name)
    return values, broken


def _unknown_names(environ: Mapping[str, str], definitions: Definitions) -> list[Finding]:
    """Return errors for names that look like settings and that nothing reads."""
    variables = {
        option: [str(entry["name"]) for entry in reversed(definition.get("env") or ())]
        for option, definition in definitions.items()
    }
    path = str(C.config._config_file or "")
    return [
        *unknown_variables(environ, variables, {RUN_ID_VARIABLE}),
        *unknown_keys(list(configured_section()), set(definitions) - set(SECRETS), path),
        *similar_sections(configured_sections(), path),
    ]


def _ignored_extra_variables(extra: Mapping[str, Any], definitions: Definitions) -> list[Finding]:
    names = [name for name in extra if name.removeprefix("cloudmonitor_") in definitions]
    return [
        Finding(
            "settings",
            NOTE,
            f"-e {name} has no effect: a callback reads extra variables from ansible-core 2.21 on",
            f"Set {name.removeprefix('cloudmonitor_')} in the environment or in ansible.cfg.",
        )
        for name in names
    ]


def _variables(definition: Mapping[str, Any]) -> list[str]:
    """Return the names of the extra variables that an option may come from."""
    return [str(entry["name"]) for entry in definition.get("vars") or ()]


def _origin_of_wrong(definition: Mapping[str, Any], variables: Mapping[str, Any]) -> str:
    """Return the origin of a value that Ansible refused. Its error does not name it."""
    origins = [f"-e {name}" for name in _variables(definition) if name in variables]
    # Ansible uses the last variable that is set.
    names = [str(entry["name"]) for entry in reversed(definition.get("env") or ())]
    origins += [name for name in names if os.environ.get(name)]
    return (origins or [f"{C.config._config_file} [{SECTION}]"])[0]


def _wrong_type(option: str, definition: Mapping[str, Any], origin: str) -> Finding:
    """Return the finding of a value that Ansible refused. The value is not shown."""
    choices = definition.get("choices")
    wanted = "one of " + ", ".join(choices) if choices else f"of the type {definition['type']}"
    return Finding(
        "settings",
        WRONG,
        f"{option} from {origin} must be {wanted}",
        f"{option} comes from {origin}. Set a value that is {wanted}.",
    )


def _undefined(option: str, origin: str) -> Finding:
    """Return the finding of an extra variable whose template has no value. It is not shown."""
    return Finding(
        "settings",
        WRONG,
        f"{option} from {origin} cannot be evaluated",
        f"{option} comes from {origin}. Set a value without a template, or define the variables "
        "that the template names.",
    )
