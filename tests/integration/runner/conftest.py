# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests with ansible-runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import Job, tool

__all__ = ["job", "project"]


@pytest.fixture
def job(project: Project) -> Job:
    """A job of AWX in that project."""
    if not Path(tool("ansible-runner")).exists():
        pytest.skip("ansible-runner is not installed beside this Python")
    return Job(project)
