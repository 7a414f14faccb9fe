# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a real outbox, in each format, and what prevents it."""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action import deployment_report
from ansible_collections.aliops.cloudmonitor.plugins.action.custom_event import (
    ActionModule as CustomEvent,
)
from ansible_collections.aliops.cloudmonitor.plugins.action.deployment_report import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.conftest import PACKAGE
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import histories

DAY = histories.DAY


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return an environment with an outbox of three deployments; tmp_path is the directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deployment_report, "configured_options", dict)
    outbox = tmp_path / "outbox"
    outbox.mkdir(mode=0o700)
    now = time.time()
    lines = [histories.finish(f"{days}", now - days * DAY, version="1") for days in (1, 20, 100)]
    histories.write_history(outbox, lines)
    return {"CLOUDMONITOR_OUTBOX": str(outbox)}


@pytest.mark.parametrize(
    ("given", "name", "beginning", "number"),
    [
        ({}, "deployments.html", b"<!DOCTYPE html>", 2),
        ({"path": "", "since": "7"}, "deployments.html", b"<!DOCTYPE html>", 1),
        ({"format": "json", "since": 400}, "deployments.json", b'{\n "schema"', 3),
        ({"format": "csv", "path": "a.txt"}, "a.txt", b"\xef\xbb\xbfid,", 2),
    ],
)
def test_the_file_has_the_chosen_format_and_period(
    environ: dict[str, str], given: dict[str, Any], name: str, beginning: bytes, number: int
) -> None:
    result = run(ActionModule, given, environ)

    content = Path(name).read_bytes()
    assert content.startswith(beginning)
    assert (result["path"], result["size"]) == (os.path.abspath(name), len(content))
    assert (result["deployments"], result["changed"]) == (number, True)
    if given.get("format") == "json":
        assert [one["id"] for one in json.loads(content)["deployments"]] == ["1", "20", "100"]


def test_it_returns_what_is_documented(environ: dict[str, str]) -> None:
    returned = yaml.safe_load(importlib.import_module(PACKAGE + "modules.deployment_report").RETURN)
    result = run(ActionModule, {}, environ)

    assert {*result} - {"changed"} == {*returned} - {"error"}
    assert result["table"][2].startswith("shop        production   1        ")
    assert result["msg"].startswith(f"The report is {result['path']} (")


def test_check_mode_writes_nothing(environ: dict[str, str]) -> None:
    result = run(ActionModule, {}, environ, check_mode=True)

    assert result["changed"]
    assert "was not written" in result["msg"]
    assert os.listdir() == ["outbox"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"path": "."}, "path: . is a directory"),
        ({"path": "missing/page.html"}, "path: there is no directory"),
        ({"since": "never"}, "since: is 'never', which is neither"),
        ({"outbox": "nowhere"}, "outbox: there is no outbox at nowhere"),
        ({"outbox": "file"}, "outbox"),
    ],
)
def test_what_prevents_the_report_is_an_error_and_leaves_nothing(
    environ: dict[str, str], given: dict[str, str], problem: str
) -> None:
    Path("file").touch()
    result = run(ActionModule, given, environ)

    assert result["failed"]
    assert problem in result["msg"]
    assert sorted(os.listdir()) == ["file", "outbox"]


def test_an_outbox_without_a_history_gives_a_page_that_explains(environ: dict[str, str]) -> None:
    Path("empty").mkdir(mode=0o700)
    result = run(ActionModule, {"outbox": "empty"}, environ)

    assert result["table"] == [result["table"][-1]]
    assert "There are no deployments yet" in Path("deployments.html").read_text("utf-8")


@pytest.mark.slow
def test_cloud_monitor_has_the_same_deployments_without_an_outbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deployment_report, "configured_options", lambda: {"access_key_id": "an-id"})
    now = time.time()
    finishes = [histories.finish(f"{days}", now - days * DAY, version="1") for days in (1, 20, 100)]
    with Receiver([Credential("an-id", "a-secret")]) as receiver:
        service = {
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "a-secret",
            "CLOUDMONITOR_ENDPOINT": receiver.url,
            "CLOUDMONITOR_API_ENDPOINT": receiver.url,
        }
        for days, finish in zip((1, 20, 100), finishes, strict=True):
            event = {"name": f"finish-{days}", "content": finish, "time": now - days * DAY}
            key = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "an-id"}
            assert run(CustomEvent, event, {**service, **key})["delivered"] == 1
        theirs = run(ActionModule, {"source": "cloudmonitor", "format": "json"}, service)
        assert (theirs["deployments"], theirs["running"]) == (2, 0), theirs
        report = json.loads(Path("deployments.json").read_text("utf-8"))
        assert (report["source"], "a-secret" in str(report)) == (receiver.url, False)
        page = run(ActionModule, {"source": "cloudmonitor"}, service)
        assert "Cloud Monitor" in Path(page["path"]).read_text("utf-8")
        receiver.set_call_faults(["permission"])
        refused = run(ActionModule, {"source": "cloudmonitor"}, service)

    assert [one["id"] for one in report["deployments"]] == ["1", "20"]
    assert (refused["failed"], refused["error"]["kind"]) == (True, "permission")
