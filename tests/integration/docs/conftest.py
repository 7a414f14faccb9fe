# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the guides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    using,
)


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[Project]:
    """A project that reports to the receiver. It fails when something of it is left running."""
    with using(tmp_path / "project", receiver) as made:
        yield made
