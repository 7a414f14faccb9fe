# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications, as far as the documentation does not say them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    custom_event_spec,
    deployment_event_spec,
    flush_outbox_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import CONNECTION_NAMES

SPECS = [custom_event_spec, deployment_event_spec, flush_outbox_spec]


@pytest.mark.parametrize("spec", SPECS)
def test_nobody_can_change_the_specification_of_the_next(spec: Callable[[], Any]) -> None:
    first = spec()
    first["region"]["default"] = "changed"
    first.pop("timeout")

    assert spec()["region"]["default"] == "cn-hangzhou"
    assert "timeout" in spec()


@pytest.mark.parametrize("spec", SPECS)
def test_exactly_the_secrets_are_hidden_and_no_name_is_ansible_s(spec: Callable[[], Any]) -> None:
    hidden = {name for name, option in spec().items() if option.get("no_log")}

    assert hidden == {"access_key_secret", "security_token"}
    assert "message" not in spec()  # ansible-core keeps it for itself


def test_the_members_of_events_are_left_to_our_own_check() -> None:
    members = custom_event_spec()["events"]["options"]

    assert set(members) == {"name", "content", "group_id", "time"}
    assert {option["type"] for option in members.values()} == {"raw"}
    assert not any(option.get("required") for option in members.values())


def test_every_module_has_the_connection_options_and_their_aliases() -> None:
    for spec in SPECS:
        names = {
            one for name, option in spec().items() for one in (name, *option.get("aliases", ()))
        }
        assert names >= CONNECTION_NAMES
