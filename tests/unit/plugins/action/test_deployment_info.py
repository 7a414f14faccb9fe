# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""deployment_info: its result, its filters, and what it refuses."""

from __future__ import annotations

import importlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.plugins.action import deployment_info
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.conftest import PACKAGE
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    DAY,
    finish,
    write_history,
)

NOW = 1_790_000_000.0


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment with an outbox of three deployments."""
    monkeypatch.setattr(deployment_info, "configured_options", lambda _names: {})
    outbox = tmp_path / "outbox"
    outbox.mkdir(mode=0o700)
    now = time.time()
    lines = [finish(f"{days}", now - days * DAY, version="1") for days in (1, 20, 100)]
    write_history(outbox, lines)
    return {"CLOUDMONITOR_OUTBOX": str(outbox)}


def ask(environ: dict[str, str], **args: Any) -> dict[str, Any]:
    return run(deployment_info.ActionModule, args, environ)


def test_it_returns_what_is_documented_and_changes_nothing(environ: dict[str, str]) -> None:
    module = importlib.import_module(PACKAGE + "modules.deployment_info")
    before = sorted(Path(environ["CLOUDMONITOR_OUTBOX"]).rglob("*"))
    result = ask(environ)

    assert {*result} - {"changed"} == {*yaml.safe_load(module.RETURN)} - {"error"}
    assert (result["changed"], result["matched"], result["since"]) == (False, 3, None)
    assert sorted(Path(environ["CLOUDMONITOR_OUTBOX"]).rglob("*")) == before


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"since": "3w"}, ["1", "20"]),
        ({"since": "", "name": "", "limit": "1"}, ["1"]),
        ({"status": "failed,aborted"}, []),
        ({"until": "30d"}, ["100"]),
        ({"environment": "staging"}, []),
    ],
)
def test_filters_choose_deployments(
    environ: dict[str, str], args: dict[str, Any], expected: list[str]
) -> None:
    assert [one["id"] for one in ask(environ, **args)["deployments"]] == expected


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        ({"since": "last week"}, "since: is 'last week', which is neither a time nor a span"),
        ({"until": "soon"}, "until: is 'soon'"),
        ({"since": "1d", "until": "2d"}, "since: is after the end of the period"),
        ({"limit": -1}, "limit: must be 0 or more and is -1"),
    ],
)
def test_a_wrong_filter_is_an_error(
    environ: dict[str, str], args: dict[str, Any], problem: str
) -> None:
    result = ask(environ, **args)

    assert result["failed"] is True
    assert result["msg"].startswith(problem)


def test_a_missing_outbox_and_damaged_lines_are_warnings_and_a_foreign_place_is_an_error(
    environ: dict[str, str], tmp_path: Path
) -> None:
    missing = ask(environ, outbox=str(tmp_path / "nothing"))
    with next((tmp_path / "outbox" / "history").iterdir()).open("a") as file:
        file.write("{\n")
    damaged = ask(environ)
    os.symlink(tmp_path / "outbox", tmp_path / "link")
    link = ask(environ, outbox=str(tmp_path / "link"))

    assert "no outbox at" in missing["warnings"][0]
    assert missing["deployments"] == []
    assert "1 lines of the history" in damaged["warnings"][0]
    assert (damaged["damaged_lines"], damaged["matched"]) == (1, 3)
    assert link["failed"] is True
