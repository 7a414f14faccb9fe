# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options and fixtures of the chaos test."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "playbooks" / "files"))
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import project
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import receiver

__all__ = ["project", "receiver"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose a run of the test."""
    parser.addoption("--chaos-seed", type=int, default=random.randrange(10**6))
    parser.addoption("--chaos-runs", type=int, default=60, help="how many playbook runs")
