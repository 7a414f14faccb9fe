# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extra variables (``-e``) of the collection's playbooks."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible import constants as C
from ansible.plugins.loader import callback_loader

from ..module_utils._api.errors import ConfigurationError
from ..module_utils._api.names import nearest_name
from ._config import CALLBACK

PREFIX = "cloudmonitor_"


def callback_variables() -> set[str]:
    """Return the variables that the options of the callback can come from."""
    plugin = callback_loader.get(CALLBACK, class_only=True)._load_name
    definitions = C.config.get_configuration_definitions("callback", plugin)
    return {
        str(entry["name"])
        for definition in definitions.values()
        for entry in definition.get("vars") or ()
    }


def check_names(given: Iterable[str], own: Collection[str], others: Collection[str]) -> None:
    """Check that nobody mistyped an extra variable, which would silently have no effect.

    ``own``: the variables of the playbook. ``others``: variables that are right elsewhere, and
    ignored here. Raises ConfigurationError.
    """
    for name in sorted(given):
        if name.startswith(PREFIX) and name not in own and name not in others:
            near = nearest_name(
                name.removeprefix(PREFIX), [one.removeprefix(PREFIX) for one in own]
            )
            advice = f"Use one of: {', '.join(sorted(own))}." if own else "Remove it."
            raise ConfigurationError(
                "is not a variable of this playbook",
                option=name,
                advice=f"Did you mean {PREFIX}{near}?" if near else advice,
            )
