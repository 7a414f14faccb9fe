# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbook_variables without a playbook."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.action import playbook_variables
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run

EXTRA = {"cloudmonitor_outbx": "/o"}


def refuse(extra: dict[str, Any]) -> None:
    assert extra == EXTRA
    raise ConfigurationError("nothing reads it", advice="Did you mean another?")


@pytest.mark.parametrize(("check", "failed"), [(refuse, True), (lambda _extra: None, False)])
def test_it_fails_only_if_an_extra_variable_is_misspelled(
    monkeypatch: pytest.MonkeyPatch, check: Any, failed: bool
) -> None:
    monkeypatch.setattr(playbook_variables, "load_extra_vars", lambda _loader: EXTRA)
    monkeypatch.setattr(playbook_variables, "check_extra_variables", check)
    result = run(playbook_variables.ActionModule, {}, {})

    assert (result.get("failed", False), result["changed"]) == (failed, False)
    assert ("Did you mean another?" in result.get("msg", "")) == failed


def test_it_has_no_options() -> None:
    assert run(playbook_variables.ActionModule, {"known": []}, {})["failed"]
