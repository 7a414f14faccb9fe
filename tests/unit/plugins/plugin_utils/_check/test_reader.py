# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings as Ansible finds them: values, origins, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible.errors import AnsibleError

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check import reader
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.findings import (
    NOTE,
    WRONG,
    Finding,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.reader import (
    CallbackSettings,
    core_series,
    read_settings,
)


def evaluate(value: Any) -> Any:
    """A template engine for which every template names something undefined."""
    if "{{" in str(value):
        raise AnsibleError("'nope' is undefined")
    return value


def read(extra: Mapping[str, Any] | None = None) -> CallbackSettings:
    return read_settings(dict(os.environ), extra or {}, evaluate)


def texts(found: CallbackSettings, state: str) -> list[str]:
    return [one.text for one in found.findings if one.state == state]


def test_values_have_their_origin_and_the_others_their_default(
    set_up: pytest.MonkeyPatch,
) -> None:
    set_up.setenv("CLOUDMONITOR_LINGER", "7")
    set_up.setenv("CLOUDMONITOR_TIMEOUT", "")

    found = read()

    assert (found.settings["linger"].value, found.settings["linger"].origin) == (
        7.0,
        "CLOUDMONITOR_LINGER",
    )
    assert not found.settings["timeout"].given
    assert found.defaults["flush_timeout"] == found.settings["flush_timeout"].value == 5
    assert found.findings == ()


def test_the_default_outbox_is_that_of_a_run(set_up: pytest.MonkeyPatch) -> None:
    set_up.delenv("CLOUDMONITOR_OUTBOX")

    assert str(read().settings["outbox"].value).endswith("/aliops.cloudmonitor")


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("CLOUDMONITOR_RETRIES", "many", "retries from CLOUDMONITOR_RETRIES must be of the type"),
        ("CLOUDMONITOR_FLUSH_TIMEOUT", "5s", "flush_timeout from CLOUDMONITOR_FLUSH_TIMEOUT"),
        ("CLOUDMONITOR_NETWORK", "wlan", "network from CLOUDMONITOR_NETWORK must be one of"),
        ("CLOUDMONITOR_VALIDATE_CERTS", "ture", "validate_certs from CLOUDMONITOR_VALIDATE_CERTS"),
    ],
)
def test_a_value_that_ansible_refuses_is_an_error_and_is_not_shown(
    set_up: pytest.MonkeyPatch, variable: str, value: str, text: str
) -> None:
    set_up.setenv(variable, value)

    found = read()

    (wrong,) = texts(found, WRONG)
    assert wrong.startswith(text)
    assert value not in str(found.findings)
    (refused,) = [one for one in found.settings.values() if not one.usable]
    assert (refused.value, refused.origin) == (found.defaults[refused.name], variable)


def test_an_extra_variable_without_a_value_is_an_error_with_its_name(
    set_up: pytest.MonkeyPatch,
) -> None:
    set_up.setattr(reader, "core_version", "2.21.0")

    found = read({"cloudmonitor_group_id": "{{ nope }}", "cloudmonitor_of_a_play": "{{ nope }}"})

    assert texts(found, WRONG) == ["group_id from -e cloudmonitor_group_id cannot be evaluated"]
    assert not found.settings["group_id"].usable


@pytest.mark.parametrize(("core", "reads"), [("2.20.9", False), ("2.21.0", True), ("3.0", True)])
def test_extra_variables_are_named_where_they_have_no_effect(
    set_up: pytest.MonkeyPatch, core: str, reads: bool
) -> None:
    set_up.setattr(reader, "core_version", core)

    found = read({"cloudmonitor_linger": 3, "cloudmonitor_mine": 1})

    assert found.settings["linger"].given is reads
    assert len(texts(found, NOTE)) == (not reads)
    assert len(core_series()) == 2


def test_misspelled_keys_and_sections_of_the_file_are_errors(
    set_up: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "ansible.cfg"
    config.write_text("[callback_deployment_events]\nregoin = x\n[deployment_events]\na = b\n")
    set_up.setattr(C.config, "_config_file", str(config))
    set_up.setenv("CLOUDMONITOR_REGION", "x")

    findings: list[Finding] = [one for one in read().findings if one.state == WRONG]

    assert [str(one.fix).split()[3] for one in findings] == [
        "ALIBABA_CLOUD_REGION_ID",
        "region",
        "[callback_deployment_events]",
    ]
