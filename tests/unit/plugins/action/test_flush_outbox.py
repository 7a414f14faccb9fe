# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which outbox flush_outbox takes, and what it says when it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.action import flush_outbox
from ansible_collections.aliops.cloudmonitor.plugins.action.flush_outbox import ActionModule
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CredentialsError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    left_behind,
    new_outbox,
)

VARIABLE = "CLOUDMONITOR_OUTBOX"


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ansible.cfg says of the callback."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(flush_outbox, "configured_options", lambda _names=(): found)
    return found


def outbox_with(place: Path, *deployments: str) -> str:
    """An outbox with three events of each finished deployment."""
    place.mkdir()
    outbox = new_outbox(place)
    for name in deployments:
        left_behind(outbox, name, finished=True)
    return str(outbox.root)


def pending(args: dict[str, Any], environ: dict[str, str]) -> int:
    result = run(ActionModule, args, environ, check_mode=True)
    assert result.get("failed", False) is False, result
    assert result["changed"] is False
    return int(result["pending"])


def test_the_option_wins_over_the_variable_and_this_over_the_configuration(
    tmp_path: Path, configured: dict[str, Any]
) -> None:
    one = pending({"outbox": outbox_with(tmp_path / "1", "a")}, {})
    option = {"outbox": outbox_with(tmp_path / "2", "a", "b")}
    variable = {VARIABLE: outbox_with(tmp_path / "3", "a", "b", "c")}
    configured["outbox"] = outbox_with(tmp_path / "4", "a", "b", "c", "d")

    assert one > 0
    assert pending(option, variable) == 2 * one
    assert pending({}, variable) == 3 * one
    assert pending({}, {VARIABLE: ""}) == 4 * one


def test_counting_needs_no_key_and_delivers_nothing(
    tmp_path: Path, configured: dict[str, Any]
) -> None:
    root = outbox_with(tmp_path / "1", "a")

    assert pending({"outbox": root}, {}) == pending({"outbox": root}, {})


def test_counting_makes_and_changes_nothing(tmp_path: Path, configured: dict[str, Any]) -> None:
    assert pending({"outbox": str(tmp_path / "none")}, {}) == 0
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "bare").mkdir(mode=0o755)
    assert pending({"outbox": str(tmp_path / "bare")}, {}) == 0
    assert (tmp_path / "bare").stat().st_mode & 0o777 == 0o755
    assert list((tmp_path / "bare").iterdir()) == []

    (tmp_path / "link").symlink_to(tmp_path / "bare")
    linked = run(ActionModule, {"outbox": str(tmp_path / "link")}, {}, check_mode=True)
    assert (linked["failed"], linked["error"]["kind"]) == (True, "outbox")


def test_the_variable_may_name_the_home_folder(
    tmp_path: Path, configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = pending({"outbox": outbox_with(tmp_path / "1", "a")}, {})
    monkeypatch.setenv("HOME", str(tmp_path))

    assert pending({}, {VARIABLE: "~/1/outbox"}) == one
    assert pending({}, {VARIABLE: "$HOME/1/outbox"}) == one


def test_without_a_key_the_result_still_counts_what_waits(
    tmp_path: Path, configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flush_outbox, "given_credentials", _no_key)
    result = run(ActionModule, {"outbox": outbox_with(tmp_path / "1", "a")}, {})

    assert (result["failed"], result["error"]["kind"]) == (True, "credentials")
    assert (result["delivered"], result["pending"], result["dead"]) == (0, 2, [])
    assert (result["dead_count"], result["changed"]) == (0, False)
    assert result["msg"].startswith("Delivered 0, waiting 2, refused 0. access_key_id: no Access")
    assert f"safe in {tmp_path / '1' / 'outbox'}" in result["msg"]


def _no_key(*_args: object) -> None:
    raise CredentialsError("no AccessKey was found", option="access_key_id")


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, configured: dict[str, Any]) -> None:
    (tmp_path / "file").touch()
    result = run(ActionModule, {"outbox": str(tmp_path / "file")}, {})

    assert (result["failed"], result["error"]["kind"]) == (True, "outbox")
    assert str(tmp_path / "file") in result["msg"]


def test_connection_options_of_the_callback_count_below_those_of_the_task(
    tmp_path: Path, configured: dict[str, Any]
) -> None:
    root = outbox_with(tmp_path / "1")
    configured["region"] = "nowhere-1"

    wrong = run(ActionModule, {"outbox": root}, {}, check_mode=True)
    assert (wrong["failed"], wrong["error"]["kind"]) == (True, "configuration")
    assert "nowhere-1" in wrong["msg"]
    assert pending({"outbox": root, "alicloud_region": "cn-beijing"}, {}) == 0
