# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the modules do what they say, against the receiver."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    Run,
    credentials_in_environment,
)

SENT = {
    "custom_event": [
        *("nightly-export", "cache-flushed", "disk-replaced", "disk-replaced"),
        *("nightly-export", "node-drained"),
    ],
    "custom_event_info": ["deployment-start"],
    "custom_event_rule": ["nightly-export-failed"],
    "deployment_event": [
        "deployment-start",
        "deployment-finish",
        "deployment-finish",
        "deployment-failure",
    ],
    "flush_outbox": [],
}


def play_of(module: str, folder: Path) -> dict[str, Any]:
    """Return a play of a module's examples, whose files lie in a folder of the test."""
    name = "ansible_collections.aliops.cloudmonitor.plugins.modules." + module
    text = importlib.import_module(name).EXAMPLES.replace("/tmp/", f"{folder}/")  # noqa: S108
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False}
    return {**play, "name": module, "tasks": yaml.safe_load(text)}


@pytest.mark.every_core
def test_examples_run_in_their_order_and_send_what_they_name(
    playbook: Callable[..., Run], receiver: Receiver, tmp_path: Path
) -> None:
    env = {
        **credentials_in_environment(receiver),
        "CLOUDMONITOR_OUTBOX": str(tmp_path / "outbox"),
    }
    plays = [play_of(module, tmp_path) for module in SENT]

    checked = playbook(plays, "--check", "--diff", env=env)
    assert checked.rc == 0, checked.output
    assert receiver.events == []

    done = playbook(plays, env=env)
    assert done.rc == 0, done.output
    sent = [event["name"] for event in receiver.events]
    assert sent == [name for names in SENT.values() for name in names]
