# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment as the callback reads it: empty variables, and the home of Ansible."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._environment import (
    default_outbox,
    without_empty_variables,
)


def test_the_default_outbox_follows_the_home_of_ansible(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))

    assert default_outbox() == str(tmp_path / "home" / "aliops.cloudmonitor")


def test_an_empty_variable_counts_as_unset_but_for_the_one_that_may_be_empty(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("CLOUDMONITOR_LINGER", "ALIBABA_CLOUD_REGION_ID", "ALICLOUD_REGION")
    for name in (*names, "CLOUDMONITOR_FAILURE_EVENT", "OTHERS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("CLOUDMONITOR_NETWORK", "vpc")
    with without_empty_variables():
        assert not set(names) & set(os.environ)
        assert {"CLOUDMONITOR_FAILURE_EVENT", "OTHERS", "CLOUDMONITOR_NETWORK"} <= set(os.environ)

    assert [os.environ[name] for name in names] == ["", "", ""]
