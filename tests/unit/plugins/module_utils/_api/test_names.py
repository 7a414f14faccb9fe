# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The name that somebody probably meant."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.endpoint import REGIONS
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.names import nearest_name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("deployment_env", "deployment_environment"),
        ("Deployment-Name", "deployment_name"),
        ("deploymentname", "deployment_name"),
        ("flush_timout", "flush_timeout"),
        ("time_out", "timeout"),
        ("regoin", "region"),
        ("xyzzy", None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None) -> None:
    known = {"deployment_environment", "deployment_name", "flush_timeout", "timeout", "region"}

    assert nearest_name(name, known) == meant


@pytest.mark.parametrize(
    ("region", "meant"),
    [
        ("cn-hangzou", "cn-hangzhou"),
        ("hangzhou", "cn-hangzhou"),
        ("CN_SHANGHAI", "cn-shanghai"),
        ("cn-beijing-a", "cn-beijing"),
        ("ap-southeast", "ap-southeast-1"),
        ("eu-central", "eu-central-1"),
        ("", None),
        ("mars", None),
    ],
)
def test_the_nearest_region(region: str, meant: str | None) -> None:
    assert nearest_name(region, REGIONS) == meant
