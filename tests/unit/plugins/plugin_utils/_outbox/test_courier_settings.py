# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the courier on their way to it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import Connection
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_settings import (
    CourierSettings,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    settings_for,
)

SECONDS = st.floats(0, 1e6)
TEXTS = st.text(st.characters(exclude_characters="\0"))


@given(
    settings=st.builds(
        CourierSettings,
        connection=st.builds(
            Connection, endpoint=TEXTS, timeout=SECONDS, ca_path=st.none() | TEXTS
        ),
        credentials=st.none() | st.builds(Credentials, TEXTS, TEXTS, st.none() | TEXTS, TEXTS),
        destination=TEXTS,
        outbox=TEXTS,
        lock=st.integers(),
        ttl=SECONDS,
        linger=SECONDS,
        flush_timeout=SECONDS,
    )
)
def test_the_settings_survive_the_way_to_the_courier(settings: CourierSettings) -> None:
    assert CourierSettings.parse(json.dumps(settings.plain())) == settings


def test_a_path_that_is_not_utf8_survives_the_way_to_the_courier() -> None:
    settings = replace(settings_for("http://x"), outbox=os.fsdecode(b"/srv/\xff"))

    assert CourierSettings.parse(json.dumps(settings.plain())) == settings


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", "1", '{"credentials": null}'])
def test_other_settings_are_an_error(text: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        CourierSettings.parse(text)


def test_the_courier_of_a_run_gets_absolute_paths_and_the_pid_of_ansible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given_settings = settings_for("http://x")
    connection = replace(given_settings.connection, ca_path="ca.pem")

    found = replace(given_settings, connection=connection).for_run(Path("outbox"), "d1")

    assert found.connection.ca_path == str(tmp_path / "ca.pem")
    assert (found.outbox, found.folder) == (str(tmp_path / "outbox"), "d1")
    assert (found.directory, found.parent) == (str(tmp_path), os.getpid())
