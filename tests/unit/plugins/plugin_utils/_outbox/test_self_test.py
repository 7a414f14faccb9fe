# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The self-test of a courier names the first problem, and sends and writes nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_settings import (
    CourierSettings,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.self_test import (
    run_self_test,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    KEY_ID,
    SECRET,
    settings_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    new_outbox,
)


def _settings(receiver: Receiver, tmp_path: Path) -> CourierSettings:
    outbox = new_outbox(tmp_path)
    return replace(settings_for(receiver.url), outbox=str(outbox.root), self_test=True)


def test_a_courier_that_could_deliver_has_no_problem(receiver: Receiver, tmp_path: Path) -> None:
    settings = _settings(receiver, tmp_path)
    before = sorted(Path(settings.outbox).rglob("*"))
    result = run_self_test(settings)

    assert (result.problem, result.access_key_id) == (None, KEY_ID)
    assert receiver.requests == []
    assert sorted(Path(settings.outbox).rglob("*")) == before
    assert SECRET not in str(result)


def test_a_missing_certificate_file_is_named(receiver: Receiver, tmp_path: Path) -> None:
    settings = _settings(receiver, tmp_path)
    connection = replace(settings.connection, ca_path=str(tmp_path / "missing.pem"))
    result = run_self_test(replace(settings, connection=connection))

    assert result.option == "ca_path"
    assert "missing.pem" in (result.problem or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_outbox_that_is_not_writable_is_named(receiver: Receiver, tmp_path: Path) -> None:
    settings = _settings(receiver, tmp_path)
    (Path(settings.outbox) / "runs").chmod(0o500)

    assert run_self_test(settings).option == "outbox"


def test_an_outbox_that_is_a_file_is_named(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = replace(_settings(receiver, tmp_path), outbox=str(tmp_path / "file"))

    assert run_self_test(settings).option == "outbox"
