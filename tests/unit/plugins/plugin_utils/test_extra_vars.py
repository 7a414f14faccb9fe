# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extra variables of the collection's playbooks."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._extra_vars import (
    check_names,
)

OWN = ["cloudmonitor_outbox"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("cloudmonitor_outbx", "Did you mean cloudmonitor_outbox?"),
        ("cloudmonitor_since", "Use one of: cloudmonitor_outbox."),
    ],
)
def test_an_unknown_variable_is_an_error_with_the_nearest_name(name: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_names([name, *OWN], OWN, ())

    assert (caught.value.option, caught.value.advice) == (name, advice)


def test_variables_of_the_playbook_of_the_callback_and_of_others_are_no_error() -> None:
    check_names([*OWN, "cloudmonitor_region", "shop_version"], OWN, ["cloudmonitor_region"])
