# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The published JSON Schema describes what is really sent."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
    render,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.deployments import (
    ALL,
    deployments,
)

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

ROOT = Path(__file__).resolve().parents[3]
SCHEMA: dict[str, Any] = json.loads(
    (ROOT / "docs" / "deployment-event.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_members_stand_in_the_order_in_which_they_are_sent() -> None:
    sent = list(json.loads(render(ALL)))

    assert list(SCHEMA["properties"]) == [*sent, "truncated"]


@given(one=deployments(), details=st.none() | st.just({"ticket": "OPS-1"}))
def test_whatever_is_sent_is_valid(one: Deployment, details: dict[str, str] | None) -> None:
    VALIDATOR.validate(json.loads(render(replace(one, details=details))))


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": "deployment/2"},
        {"id": ""},
        {"status": "done"},
        {"status": "running"},
        {"phase": "start"},
        {"started_at": "2017-10-23T06:44:39Z"},
        {"started_at": None},
        {"duration_s": -1},
        {"hosts": {"total": 1}},
        {"failures": []},
        {"reason": "bored"},
        {"git": {"commit": "HEAD"}},
        {"commit": "v1.4.2"},
        {"url": "git.example"},
        {"previous": {"version": "1.4.1"}},
        {"details": {}},
        {"truncated": False},
        {"password": "hunter2"},
    ],
    ids=str,
)
def test_what_is_never_sent_is_not_valid(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**json.loads(render(ALL)), **wrong})


def test_every_time_of_the_schema_is_in_milliseconds() -> None:
    pattern = SCHEMA["$defs"]["time"]["pattern"]

    assert re.search(pattern, json.loads(render(ALL))["started_at"])
