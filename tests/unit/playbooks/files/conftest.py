# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the receiver's folder on the module path: its files import each other by plain names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[4] / "playbooks" / "files"
sys.path.insert(0, str(FOLDER))

from cloudmonitor_receiver import Receiver  # noqa: E402

from ansible_collections.aliops.cloudmonitor.tests.unit.playbooks.files.raw_client import (  # noqa: E402
    CREDENTIAL,
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that knows one access key."""
    with Receiver([CREDENTIAL]) as running:
        yield running
