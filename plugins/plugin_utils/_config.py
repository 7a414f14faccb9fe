# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads ansible-core's own objects, whose attributes differ between versions. Nothing else does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from configparser import ConfigParser, Error
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812  # as all of Ansible calls it
from ansible.module_utils.parsing.convert_bool import BOOLEANS_FALSE

from ..module_utils._api.errors import ConfigurationError
from ._callback.stats import COUNTERS, Reading
from ._deployment.content import Failure

SECTION = "callback_deployment_events"
# Options of the callback that are on or off.
SWITCHES = ("validate_certs", "check_mode_events")
_MESSAGE_LIMIT = 256
# This one may be empty on purpose.
_EMPTY_COUNTS = "CLOUDMONITOR_FAILURE_EVENT"


def failure_of(result: Any) -> Failure:
    """Return where a host failed, from a task result of Ansible's.

    From ansible-core 2.19 on a result has ``host``, ``task`` and ``result``; before, they began
    with an underscore. With no_log neither the task's name nor its message is told: the result
    is censored, but a templated name still holds what was hidden.
    """
    host, task = _attribute(result, "host"), _attribute(result, "task")
    details = _attribute(result, "result") or {}
    name = str(host.get_name())
    if task.no_log or details.get("_ansible_no_log") or "censored" in details:
        return Failure(name)
    message = details.get("msg")
    return Failure(
        name,
        str(task.get_name())[:_MESSAGE_LIMIT] or None,
        str(message)[:_MESSAGE_LIMIT] if message else None,
    )


def reading_of(stats: Any) -> Reading:
    """Return the counters of each host in Ansible's statistics, as they are now."""
    return {
        str(host): {name: int(getattr(stats, name).get(host, 0)) for name in COUNTERS}
        for host in stats.processed
    }


@contextmanager
def without_empty_variables() -> Iterator[None]:
    """Hide empty environment variables of ours from Ansible for a moment."""
    ours = ("CLOUDMONITOR_", "ALIBABA_CLOUD_", "ALICLOUD_")
    empty = [
        name
        for name, value in os.environ.items()
        if value == "" and name.startswith(ours) and name != _EMPTY_COUNTS
    ]
    for name in empty:
        del os.environ[name]
    try:
        yield
    finally:
        for name in empty:
            os.environ[name] = ""


def check_switches(plugin: str, names: Iterable[str] = SWITCHES) -> None:
    """Check the callback's switches as Ansible has found them. Raises ConfigurationError.

    ``plugin``: the name that the options are known by.
    """
    for name in names:
        with without_empty_variables():
            found = C.config.get_config_value_and_origin(
                name, plugin_type="callback", plugin_name=plugin
            )
        check_switch(name, *found)


def check_switch(name: str, value: Any, origin: Any) -> None:
    """See that an option of the callback that is off was meant to be off.

    Ansible takes any word that it does not know for false when it configures a plugin, and so
    would "ture" for validate_certs turn the check off. ``value`` and ``origin``: as Ansible's
    configuration tells them. Raises ConfigurationError.
    """
    text = _written(name, str(origin)) if name in SWITCHES and value is False else None
    if text is not None and text.strip().strip("\"'").lower() not in BOOLEANS_FALSE:
        raise ConfigurationError(f"{name}: must be true or false and is {text!r}.")


def _written(name: str, origin: str) -> str | None:
    """Return the text of an option as the environment or ``ansible.cfg`` has it, None for none."""
    kind, colon, variable = origin.partition(": ")
    if colon or origin == "default":
        return os.environ.get(variable) if kind == "env" else None
    return configured_section().get(name)


def configured_section() -> dict[str, str]:
    """Return what stands in the callback's section of ``ansible.cfg``, as it is written."""
    path = C.config._config_file
    parser = ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    if path:
        with suppress(Error, OSError, UnicodeError):
            parser.read(path, encoding="utf-8")
    return dict(parser[SECTION]) if parser.has_section(SECTION) else {}


def default_outbox() -> str:
    """Return the outbox that counts when none is configured. It follows ANSIBLE_HOME.

    Computed here, because a templated default does not work in callbacks.
    """
    return str(Path(C.config.get_config_value("ANSIBLE_HOME")) / "aliops.cloudmonitor")


def _attribute(result: Any, name: str) -> Any:
    return getattr(result, name) if hasattr(type(result), name) else getattr(result, "_" + name)
