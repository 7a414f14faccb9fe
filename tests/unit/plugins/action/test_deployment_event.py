# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which playbook a deployment is reported for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible import context

from ansible_collections.aliops.cloudmonitor.plugins.action import deployment_event


@pytest.mark.parametrize(
    ("args", "playbook"),
    [
        (("site.yml",), "site.yml"),
        (["site.yml"], "site.yml"),
        (("a.yml", "b.yml"), None),
        ((), None),
        ("localhost", None),
        (None, None),
    ],
)
def test_the_playbook_is_known_when_the_command_line_has_one(
    args: Any, playbook: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"args": args})

    assert deployment_event._playbook() == playbook
