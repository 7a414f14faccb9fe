# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""outbox_info without a playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.action import outbox_info
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    left_behind,
    new_outbox,
)


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_info, "configured_options", dict)


def test_the_result_has_the_data_and_the_table_and_never_a_change(tmp_path: Path) -> None:
    outbox = new_outbox(tmp_path)
    left_behind(outbox, "a", finished=True)
    left_behind(outbox, "b", finished=True)
    by_variable = run(
        outbox_info.ActionModule, {"limit": 1}, {"CLOUDMONITOR_OUTBOX": str(outbox.root)}
    )
    by_option = run(outbox_info.ActionModule, {"outbox": str(outbox.root)}, {}, check_mode=True)

    assert (len(by_variable["deployments"]), len(by_option["deployments"])) == (1, 2)
    assert by_option["totals"] == by_variable["totals"]
    assert (by_option["changed"], by_option["exists"]) == (False, True)
    assert by_option["table"][1] == by_option["msg"]
    assert not any("export" in line for line in by_variable["table"])
    assert any("export" in line for line in by_option["table"])


@pytest.mark.parametrize(
    ("args", "kind", "text"),
    [
        ({"outbox": "FILE"}, "outbox", "cannot be read"),
        ({"limit": -1}, "invalid_input", "limit: must not be negative"),
        ({"region": "cn-hangzhou"}, "invalid_input", "Unsupported parameters"),
    ],
)
def test_a_mistake_is_a_failure_that_names_it(
    tmp_path: Path, args: dict[str, object], kind: str, text: str
) -> None:
    (tmp_path / "file").touch()
    if "outbox" in args:
        args = {"outbox": str(tmp_path / "file")}
    result = run(outbox_info.ActionModule, args, {"CLOUDMONITOR_OUTBOX": str(tmp_path / "none")})

    assert (result["failed"], result["error"]["kind"]) == (True, kind)
    assert text in result["msg"]
