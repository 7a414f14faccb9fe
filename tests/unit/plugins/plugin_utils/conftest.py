# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local receiver, an outbox, and reporters between them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "playbooks" / "files"))
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    KEY_ID,
    SECRET,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    new_outbox,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import (
    Scene,
    scene_of,
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that knows the couriers' access key."""
    with Receiver([Credential(KEY_ID, SECRET)]) as running:
        yield running


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


@pytest.fixture
def scene(outbox: Outbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A place to report from."""
    with scene_of(outbox, receiver.url, monkeypatch) as here:
        yield here
