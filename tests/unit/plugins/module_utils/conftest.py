# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of HTTP need around them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    eventually,
)


@pytest.fixture
def _no_thread_left() -> Iterator[None]:
    """Let the test end without the threads of tries that were given up."""
    yield
    assert eventually(
        lambda: not [item for item in threading.enumerate() if item.name == "cloudmonitor-attempt"]
    )


@pytest.fixture
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies and certificates of the machine out of the environment."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)
