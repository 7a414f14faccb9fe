# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the options of the callback: its section of ansible.cfg and its variables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, Error
from contextlib import suppress
from typing import Any

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE
from ansible.plugins.loader import callback_loader

from ..module_utils._api.errors import ConfigurationError
from ..module_utils._api.paths import check_home
from ..module_utils._options import CONNECTION_OPTIONS
from ._environment import default_outbox, without_empty_variables

CALLBACK = "aliops.cloudmonitor.deployment_events"
SECTION = "callback_deployment_events"
OUTBOX_VARIABLE = "CLOUDMONITOR_OUTBOX"
# The callback's options that flush_outbox shares.
OUTBOX_OPTIONS = ("outbox", *(option.name for option in CONNECTION_OPTIONS))
HISTORY_VARIABLE = "CLOUDMONITOR_HISTORY_KEEP"
_DEFAULT_HISTORY_DAYS = 400.0
_LONGEST_DAYS = 1_000_000


def check_options(plugin: str, options: Mapping[str, Any]) -> None:
    """Check the options of the callback for mistakes that Ansible accepts.

    ``plugin``: the name that Ansible knows the options by; ``options``: their values. Raises
    ConfigurationError.
    """
    definitions = C.config.get_configuration_definitions("callback", plugin)
    for name, definition in definitions.items():
        if definition.get("type") == "bool":
            with without_empty_variables():
                found = C.config.get_config_value_and_origin(
                    name, plugin_type="callback", plugin_name=plugin
                )
            check_boolean(name, *found)
    check_paths(options)


def check_boolean(name: str, value: Any, origin: Any) -> None:
    """Check that an option of the callback that is false was meant to be false.

    Ansible reads any unknown word as false when it configures a plugin, so "ture" would disable
    validate_certs. ``value`` and ``origin`` are those of Ansible's configuration. Raises
    ConfigurationError.
    """
    text = _written(name, str(origin)) if value is False else None
    if text is not None and text.strip().strip("\"'").lower() not in BOOLEANS_FALSE:
        raise ConfigurationError(f"must be true or false and is {text!r}", option=name)


def check_paths(options: Mapping[str, Any]) -> None:
    """Check that ``~`` was replaced in the paths among ``options``. Raises ConfigurationError."""
    folders = [os.path.dirname(str(C.config._config_file or ""))]
    with suppress(OSError):  # the working directory may have been deleted
        folders.append(os.getcwd())
    for name in ("outbox", "ca_path"):
        if options.get(name):
            check_home(name, str(options[name]), folders)


def _written(name: str, origin: str) -> str | None:
    """Return the text of an option in the environment or ``ansible.cfg``, None if it is unset."""
    kind, colon, variable = origin.partition(": ")
    if colon or origin == "default":
        return os.environ.get(variable) if kind == "env" else None
    return configured_section().get(name)


def configured_sections() -> list[str]:
    """Return the names of the sections of ``ansible.cfg``."""
    return _parsed_file().sections()


def configured_section() -> dict[str, str]:
    """Return the callback's section of ``ansible.cfg``, with its values as they are written."""
    parser = _parsed_file()
    return dict(parser[SECTION]) if parser.has_section(SECTION) else {}


def _parsed_file() -> ConfigParser:
    parser = ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    path = C.config._config_file
    if path:
        with suppress(Error, OSError, UnicodeError):
            parser.read(path, encoding="utf-8")
    return parser


def configured_options(
    names: Iterable[str] = OUTBOX_OPTIONS,
) -> dict[str, Any]:
    """Return those of the callback's options ``names`` that ``ansible.cfg`` sets.

    The default is the outbox and the connection. Raises ConfigurationError.
    """
    # Loading the class makes its options known, under the name that it has there.
    callback = callback_loader.get(CALLBACK, class_only=True)
    found = {}
    for name in names:
        with without_empty_variables():
            value, origin = C.config.get_config_value_and_origin(
                name, plugin_type="callback", plugin_name=callback._load_name
            )
        check_boolean(name, value, origin)
        # Tasks read the environment themselves: empty means unset, and a task has its own.
        if value not in (None, "") and origin != "default" and not origin.startswith("env: "):
            found[name] = value
    return found


def find_outbox(
    given: str | None, environ: Mapping[str, str], configured: Mapping[str, Any]
) -> str:
    """Return the directory of the outbox that a task uses.

    ``given``: the option of the task. ``environ``: the task's environment. ``configured``: the
    options of the callback in ``ansible.cfg``. Raises ConfigurationError.
    """
    found = given or environ.get(OUTBOX_VARIABLE) or configured.get("outbox") or default_outbox()
    path = os.path.expanduser(os.path.expandvars(str(found)))
    check_paths({"outbox": path})
    return path


def find_history_keep(environ: Mapping[str, str], configured: Mapping[str, Any]) -> float:
    """Return for how many days a task keeps the history. Raises ConfigurationError.

    ``environ``: the task's environment. ``configured``: the callback's options in ``ansible.cfg``.
    """
    given = environ.get(HISTORY_VARIABLE) or configured.get("history_keep", _DEFAULT_HISTORY_DAYS)
    try:
        days = float(given)
    except (TypeError, ValueError):
        days = -1.0
    if not 0 <= days <= _LONGEST_DAYS:
        raise ConfigurationError(
            f"must be a number from 0 to {_LONGEST_DAYS} and is {given}", option="history_keep"
        )
    return days
