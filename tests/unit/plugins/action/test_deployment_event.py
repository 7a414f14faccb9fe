# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook of a deployment, secrets in its content, and the history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ansible import context

from ansible_collections.aliops.cloudmonitor.plugins.action import deployment_event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks import history
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


@pytest.fixture(autouse=True)
def outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    place = tmp_path / "home" / "outbox"
    monkeypatch.setattr(history, "configured_options", lambda _names: {"outbox": str(place)})
    return Outbox(place)


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


def task(outcome: str | Exception, environ: dict[str, str] | None = None, **args: Any) -> Any:
    """Run the action with a ``send`` that comes back with ``outcome``."""

    class Action(deployment_event.ActionModule):
        def send(self, *_args: Any, **_kwargs: Any) -> dict[str, Any]:
            if isinstance(outcome, Exception):
                raise outcome
            numbers = {"delivered": 0, "queued": 0}
            return {**numbers, outcome: 1}

    check_mode = args.pop("check_mode", False)
    options = {"name": "shop", "environment": "production", **args}
    return run(Action, options, environ or {}, check_mode=check_mode)


def finish(number: int, outcome: str = "delivered", **parts: Any) -> Any:
    args = {"id": f"d{number}", "status": "succeeded", "version": f"1.{number}", **parts}
    return task(outcome, phase="finish", **args)


def test_a_finish_is_in_the_history_with_its_delivery_and_names_the_one_before(
    outbox: Outbox,
) -> None:
    assert finish(1)["deployment"]["previous"] is None
    result = finish(2, "queued")
    finish(3, "undelivered", status="failed")
    finish(4, check_mode=True)
    task("delivered", phase="start", id="d5")
    answer = query(outbox.root, Filters(), 4e9)

    assert result["deployment"]["previous"]["version"] == "1.1"
    assert "warnings" not in result
    assert [(one["id"], one["by"], one["delivery"]) for one in answer.deployments] == [
        ("d3", "task", "refused"),
        ("d2", "task", "delivered"),
        ("d1", "task", "delivered"),
    ]
    assert answer.deployments[1]["previous"] == result["deployment"]["previous"]
    started = task("delivered", phase="start", id="d5")["deployment"]
    assert started["previous"]["id"] == "d2"
