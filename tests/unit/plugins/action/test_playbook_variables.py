# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbook_variables without a playbook."""

from __future__ import annotations

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.action import playbook_variables
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run


@pytest.mark.parametrize(
    ("extra", "failed"),
    [
        ({"cloudmonitor_outbox": "/o", "cloudmonitor_region": "r"}, False),
        ({"cloudmonitor_x": 1}, True),
    ],
)
def test_it_fails_only_for_an_extra_variable_that_nothing_reads(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], failed: bool
) -> None:
    monkeypatch.setattr(playbook_variables, "load_extra_vars", lambda _loader: extra)
    monkeypatch.setattr(playbook_variables, "callback_variables", lambda: {"cloudmonitor_region"})
    result = run(playbook_variables.ActionModule, {"known": ["cloudmonitor_outbox"]}, {})

    assert (result.get("failed", False), result["changed"]) == (failed, False)
