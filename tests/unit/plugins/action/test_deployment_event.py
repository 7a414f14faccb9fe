# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook of a deployment, and secrets in its content."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from ansible import context

from ansible_collections.aliops.cloudmonitor.plugins.action import deployment_event
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run


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


SECRET = "a-secret-of-thirty-characters"


def test_a_secret_is_masked_before_the_content_is_composed() -> None:
    environ = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "an-id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "CLOUDMONITOR_RUN_ID": f"parent {SECRET}",
        "GITLAB_CI": "true",
        "CI_JOB_NAME": f"deploy with {SECRET}",
        "CI_JOB_URL": f"https://git.example/{quote(SECRET)}",
    }
    args = {
        "phase": "start",
        # The content is too long, so that its texts are cut, some of them in the secret.
        "name": "n" * 180 + SECRET + "n" * 5000,
        "version": f"1 {SECRET}",
        "environment": SECRET,
        "details": {"keys": [SECRET, {SECRET: f"a {SECRET}"}]},
    }
    result = run(deployment_event.ActionModule, args, environ, check_mode=True, diff=True)

    shown = json.dumps(result)
    assert result["changed"] is True
    assert SECRET[:8] not in shown
    content = json.loads(result["events"][0]["content"])
    assert content["details"] == {"keys": ["********", {"********": "a ********"}]}
    assert result["deployment"]["version"] == "1 ********"
