# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that is set up, for the tests of the check: its environment and a receiver."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants as C

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "playbooks" / "files"))
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action import setup_check
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check import reader
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.checkup import Checkup
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_settings import (
    CourierSettings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.probe import ProbeResult

KEY_ID = "LTAI5tUnitSetup"
SECRET = "unit-canary-secret"
PACKAGE = "ansible_collections.aliops.cloudmonitor.plugins."
OURS = ("CLOUDMONITOR_", "ALIBABA_CLOUD_", "ALICLOUD_")


@pytest.fixture
def set_up_receiver() -> Iterator[Receiver]:
    with Receiver([Credential(KEY_ID, SECRET)]) as running:
        yield running


@functools.cache
def options() -> dict[str, Any]:
    """The options of the callback, which Ansible would find in a run."""
    callback = importlib.import_module(PACKAGE + "callback.deployment_events")
    fragment = importlib.import_module(PACKAGE + "doc_fragments.connection").ModuleDocFragment
    shared, sources = (
        yaml.safe_load(text)["options"] for text in (fragment.DOCUMENTATION, fragment.PLUGIN)
    )
    found = dict(yaml.safe_load(callback.DOCUMENTATION)["options"])
    found.update({name: {**shared[name], **sources.get(name, {})} for name in shared})
    return found


@pytest.fixture
def set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, set_up_receiver: Receiver
) -> pytest.MonkeyPatch:
    """An environment with everything that is needed, and no ansible.cfg."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)
    monkeypatch.setenv("CLOUDMONITOR_ENDPOINT", set_up_receiver.url)
    monkeypatch.setenv("CLOUDMONITOR_OUTBOX", str(tmp_path / "outbox"))
    monkeypatch.setattr(C.config, "_config_file", None)
    known = SimpleNamespace(get=lambda _name, class_only: SimpleNamespace(_load_name="unit_check"))
    monkeypatch.setattr(reader, "callback_loader", known)
    C.config.initialize_plugin_configuration_definitions("callback", "unit_check", options())
    monkeypatch.setattr(setup_check, "load_extra_vars", lambda _loader: {})
    monkeypatch.setattr(Checkup.__init__, "__defaults__", (probe_answer,))
    return monkeypatch


@pytest.fixture
def enabled(set_up: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The same, with the callback enabled."""
    known = C.config.get_config_value
    set_up.setattr(
        C.config,
        "get_config_value",
        lambda name, *args, **kwargs: (
            [reader.CALLBACK] if name == "CALLBACKS_ENABLED" else known(name, *args, **kwargs)
        ),
    )
    return set_up


def probe_answer(settings: CourierSettings) -> ProbeResult:
    """A courier that works; real ones run in tests/integration/check."""
    key = settings.credentials
    return ProbeResult(None, access_key_id=key.access_key_id if key else None)
