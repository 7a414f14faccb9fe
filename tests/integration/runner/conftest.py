# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests with ansible-runner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    using,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import Job, tool


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[Project]:
    """A project that reports to the receiver. It fails when something of it is left running."""
    with using(tmp_path / "project", receiver) as made:
        yield made


@pytest.fixture
def job(project: Project) -> Job:
    """A job of AWX in that project."""
    if not Path(tool("ansible-runner")).exists():
        pytest.skip("ansible-runner is not installed beside this Python")
    return Job(project)
