# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition of the connection options, for modules, actions and the role.

The documentation fragment repeats it for people. A test compares the two.
"""

from __future__ import annotations

import os
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleFallbackNotFound

from ._api.credentials import ID_VARIABLES, SECRET_VARIABLES, TOKEN_VARIABLES, first_set
from ._api.endpoint import DEFAULT_REGION, NETWORKS
from ._api.frozen import frozen


@frozen
class ConnectionOption:
    """One option as Ansible's argument specification and the environment know it."""

    name: str
    type: str = "str"
    default: Any = None
    env: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    no_log: bool | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)

    @property
    def is_credential(self) -> bool:
        """True for the parts of an AccessKey, which all come from the same source."""
        return self.name in ("access_key_id", "access_key_secret", "security_token")

    def spec(self) -> dict[str, Any]:
        """Return the option's entry of an argument specification."""
        spec: dict[str, Any] = {"type": self.type}
        if self.default is not None:
            spec["default"] = self.default
        if self.aliases:
            spec["aliases"] = list(self.aliases)
        if self.choices:
            spec["choices"] = list(self.choices)
        if self.no_log is not None:
            spec["no_log"] = self.no_log
        if not self.is_credential:
            spec["fallback"] = (_environment_fallback, list(self.env))
        return spec


CONNECTION_OPTIONS = (
    ConnectionOption(
        "access_key_id", env=ID_VARIABLES, aliases=("alicloud_access_key",), no_log=False
    ),
    ConnectionOption(
        "access_key_secret", env=SECRET_VARIABLES, aliases=("alicloud_secret_key",), no_log=True
    ),
    ConnectionOption(
        "security_token", env=TOKEN_VARIABLES, aliases=("alicloud_security_token",), no_log=True
    ),
    ConnectionOption(
        "region",
        default=DEFAULT_REGION,
        env=("ALIBABA_CLOUD_REGION_ID", "ALICLOUD_REGION", "ALICLOUD_REGION_ID"),
        aliases=("alicloud_region",),
    ),
    ConnectionOption("network", default="public", env=("CLOUDMONITOR_NETWORK",), choices=NETWORKS),
    ConnectionOption("endpoint", env=("CLOUDMONITOR_ENDPOINT",)),
    ConnectionOption("api_endpoint", env=("CLOUDMONITOR_API_ENDPOINT",)),
    ConnectionOption("source_ip", env=("CLOUDMONITOR_SOURCE_IP",)),
    ConnectionOption("timeout", "float", 5.0, ("CLOUDMONITOR_TIMEOUT",)),
    ConnectionOption("retries", "int", 3, ("CLOUDMONITOR_RETRIES",)),
    ConnectionOption("validate_certs", "bool", True, ("CLOUDMONITOR_VALIDATE_CERTS",)),
    ConnectionOption("ca_path", "path", None, ("CLOUDMONITOR_CA_PATH",)),
)
CONNECTION_NAMES = frozenset(name for option in CONNECTION_OPTIONS for name in option.names)


def _environment_fallback(*names: str) -> str:
    # Here, an empty variable counts as unset. For ansible-core's env_fallback, it is a value.
    value = first_set(os.environ, names)
    if value is None:
        raise AnsibleFallbackNotFound
    return value


def connection_argument_spec() -> dict[str, dict[str, Any]]:
    """Return the connection options as an argument specification of Ansible."""
    return {option.name: option.spec() for option in CONNECTION_OPTIONS}


def without_empty(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``params`` without empty connection options, because empty means unset."""
    return {
        name: value
        for name, value in params.items()
        if name not in CONNECTION_NAMES or value not in ("", None)
    }


def override_options(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below``, overridden by the options of ``above``; an alias overrides its option.

    The parts of an AccessKey are not mixed: if ``above`` has one, those of ``below`` are ignored.
    """
    given = without_empty(above)
    there = [option for option in CONNECTION_OPTIONS if given.keys() & set(option.names)]
    if any(option.is_credential for option in there):
        there += [option for option in CONNECTION_OPTIONS if option.is_credential]
    replaced = {*given, *(name for option in there for name in option.names)}
    return {**{name: below[name] for name in below if name not in replaced}, **given}


def from_environment(params: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the option values that ``environ`` supplies for options that ``params`` lacks.

    Credentials are not included, because their parts must come from the same source.
    """
    found = {}
    for option in CONNECTION_OPTIONS:
        if option.is_credential or any(name in params for name in option.names):
            continue
        value = first_set(environ, option.env)
        if value is not None:
            found[option.name] = value
    return found


def supplying_variable(name: str, environ: Mapping[str, str]) -> str:
    """Return the environment variable that supplies the option ``name``."""
    option = next(option for option in CONNECTION_OPTIONS if option.name == name)
    return next(variable for variable in option.env if environ.get(variable))
