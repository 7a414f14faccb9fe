# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of deployment_event to the deployment and its events."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import Event
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    deployment_event_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.events import (
    Naming,
    deployment_events,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.facts import Facts
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.options import (
    deployment_result,
    parse_deployment,
)

NOW = 1508741079.948
NOW_ISO = "2017-10-23T06:44:39.948Z"
FACTS = Facts(parent="run-7", playbook="site.yml", user="alice", controller="c.example")


def options(**given_options: Any) -> dict[str, Any]:
    checked = ArgumentSpecValidator(deployment_event_spec()).validate(given_options)
    assert not checked.error_messages
    return dict(checked.validated_parameters)


def start(**given_options: Any) -> Deployment:
    return parse_deployment(options(phase="start", **{"name": "shop", **given_options}), FACTS, NOW)


def finish(later: float = 60, **given_options: Any) -> Deployment:
    params = options(phase="finish", **{"status": "succeeded", **given_options})
    return parse_deployment(params, FACTS, NOW + later)


def events(deployment: Deployment, params: dict[str, Any], now: float = NOW) -> list[Event]:
    return deployment_events(deployment, Naming.from_options(params), now)


def refused(phase: str, **given_options: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_deployment(options(phase=phase, **given_options), FACTS, NOW)
    return str(caught.value)


def test_a_start_runs_from_now_on_and_carries_what_is_known() -> None:
    one = start(version="1.4.2", environment="production", details={"a": 1})

    assert (one.name, one.version, one.environment) == ("shop", "1.4.2", "production")
    assert (one.status, one.started_at, one.finished_at) == ("running", NOW, None)
    assert (one.parent, one.user, one.playbook) == ("run-7", "alice", "site.yml")
    assert one.details == {"a": 1}


def test_every_start_has_a_new_id_unless_one_is_given() -> None:
    ids = {start().id for _unused in range(3)}

    assert len(ids) == 3
    assert all(uuid.UUID(one).version == 4 for one in ids)
    assert start(id="release-7").id == "release-7"


@pytest.mark.parametrize("status", ["succeeded", "failed", "aborted"])
def test_a_finish_takes_what_the_start_returned(status: str) -> None:
    began = start(version="1.4.2", environment="production")

    ended = finish(deployment=deployment_result(began), status=status)

    assert (ended.id, ended.name) == (began.id, "shop")
    assert (ended.version, ended.environment) == ("1.4.2", "production")
    assert ended.status == status
    assert ended.started_at == pytest.approx(NOW, abs=0.001)
    assert ended.duration_s == pytest.approx(60, abs=0.001)


def test_a_finish_may_be_given_by_id_and_name() -> None:
    ended = finish(id="release-7", name="shop", status="failed")

    assert (ended.id, ended.name, ended.started_at) == ("release-7", "shop", None)
    assert ended.duration_s is None


def test_what_a_finish_says_wins_over_what_the_start_said() -> None:
    began = deployment_result(start(version="1", environment="a"))

    ended = finish(deployment=began, version="2", environment="b", details={"x": 1})

    assert (ended.version, ended.environment, ended.details) == ("2", "b", {"x": 1})


@pytest.mark.parametrize(
    ("given_options", "words"),
    [
        ({}, "name: is missing or empty"),
        ({"name": " "}, "name: is missing or empty"),
        ({"name": "n", "id": " "}, "id: must be text of 1 to 128 characters"),
        ({"name": "n", "id": "x" * 129}, "id: must be text of 1 to 128 characters"),
        ({"name": "n", "status": "failed"}, "status: belongs to phase finish"),
        ({"name": "n", "deployment": {"id": "i"}}, "deployment: belongs to phase finish"),
        ({"name": "n", "details": {"a": "x" * 4000}}, "details: are too large"),
        ({"name": "n", "details": {"a": float("nan")}}, "details: cannot be written as JSON"),
        ({"name": "n", "details": {"a": "\ud83d"}}, "details: contain half of a surrogate pair"),
    ],
)
def test_a_start_that_cannot_be_is_refused(given_options: dict[str, Any], words: str) -> None:
    assert refused("start", **given_options).startswith(words)


BEGAN = {"id": "i", "name": "n", "started_at": NOW_ISO}


@pytest.mark.parametrize(
    ("given_options", "words"),
    [
        ({}, "status: is missing"),
        ({"deployment": BEGAN}, "status: is missing"),
        ({"status": "failed"}, "deployment: is missing"),
        ({"status": "failed", "id": "i"}, "deployment: is missing"),
        ({"status": "failed", "name": "n"}, "deployment: is missing"),
        ({"status": "failed", "deployment": BEGAN, "id": "i"}, "id, name: cannot be combined"),
        ({"status": "failed", "deployment": BEGAN, "name": "n"}, "id, name: cannot be combined"),
        ({"status": "failed", "deployment": {}}, "deployment.id: must be text"),
        ({"status": "failed", "deployment": {"id": "i"}}, "deployment.name: is missing"),
        ({"status": "failed", "deployment": {"id": "", "name": "n"}}, "deployment.id: must be"),
        (
            {"status": "failed", "deployment": {**BEGAN, "started_at": "yesterday"}},
            "deployment.started_at: is 'yesterday', which is not a time",
        ),
        (
            {"status": "failed", "deployment": BEGAN, "details": {"a": "x" * 4000}},
            None,
        ),
    ],
)
def test_a_finish_that_cannot_be_is_refused(
    given_options: dict[str, Any], words: str | None
) -> None:
    if words is None:  # the content is composed with the events
        one = finish(**given_options)
        with pytest.raises(InvalidInput, match="details: are too large"):
            events(one, options(phase="finish", **given_options), NOW)
    else:
        assert refused("finish", **given_options).startswith(words)


@pytest.mark.parametrize("empty", [None, ""])
def test_a_start_time_that_is_unknown_is_no_error(empty: Any) -> None:
    assert finish(deployment={**BEGAN, "started_at": empty}).started_at is None


def test_the_value_names_everything_and_what_is_unknown_is_none() -> None:
    assert deployment_result(start(id="i")) == {
        "id": "i",
        "name": "shop",
        "version": None,
        "environment": None,
        "commit": None,
        "repository": None,
        "committed_at": None,
        "url": None,
        "previous": None,
        "status": "running",
        "started_at": NOW_ISO,
        "finished_at": None,
        "duration_s": None,
    }


PROVENANCE: dict[str, Any] = {
    "commit": "4E1243BD22C6",
    "repository": "https://bot:pw@git.example/shop.git",
    "committed_at": "2017-10-23T07:44:39+02:00",
    "url": "https://bot@git.example/shop/7?tab=diff",
}


def test_a_start_has_the_provenance_without_passwords() -> None:
    result = deployment_result(start(**PROVENANCE))

    assert [result[name] for name in PROVENANCE] == [
        "4e1243bd22c6",
        "https://git.example/shop.git",
        "2017-10-23T05:44:39.000Z",
        "https://git.example/shop/7?tab=diff",
    ]
    aliases = {f"deployment_{name}": value for name, value in PROVENANCE.items()}
    assert deployment_result(start(id=result["id"], **aliases)) == result


def test_a_finish_repeats_the_provenance_of_the_start_unless_it_knows_better() -> None:
    previous = {"id": "i", "version": "1.4.1", "finished_at": NOW_ISO}
    began = {**deployment_result(start(**PROVENANCE)), "previous": {**previous, "other": 1}}
    same = deployment_result(finish(deployment=began))
    corrected = deployment_result(finish(deployment=began, commit="abcdef0"))

    assert {name: same[name] for name in PROVENANCE} == {name: began[name] for name in PROVENANCE}
    assert same["previous"] == previous
    assert (corrected["commit"], corrected["url"]) == ("abcdef0", same["url"])
    assert deployment_result(finish(deployment={"id": "i", "name": "n"}))["commit"] is None
    assert deployment_result(finish(id="i", name="n", **PROVENANCE))["commit"] == "4e1243bd22c6"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50).filter(str.strip)


@given(name=TEXT, version=st.none() | TEXT, details=st.dictionaries(TEXT, TEXT, max_size=8))
def test_what_fits_at_the_start_fits_at_the_finish(
    name: str, version: str | None, details: dict[str, str]
) -> None:
    given_options = {"name": name, "version": version, "details": details}
    try:
        began = start(**given_options)
    except InvalidInput:
        return
    value = json.loads(json.dumps(deployment_result(began)))
    for status in ("succeeded", "failed", "aborted"):
        params = options(phase="finish", deployment=value, status=status, details=details)
        ended = parse_deployment(params, FACTS, NOW + 86400)
        assert (ended.id, ended.name) == (began.id, name)
        assert events(ended, params, NOW + 86400)


@pytest.mark.parametrize(
    "identifier", ["a\0b", "a\nb", "a\r", "\x1b[31m", "\x7f", "a\x85", "\ud800"]
)
def test_an_id_that_cannot_be_an_environment_variable_is_refused(identifier: str) -> None:
    for prefix, given_options in (
        ("id", {"phase": "start", "name": "n", "id": identifier}),
        ("id", {"phase": "finish", "name": "n", "id": identifier, "status": "failed"}),
        (
            "deployment.id",
            {"phase": "finish", "deployment": {**BEGAN, "id": identifier}, "status": "failed"},
        ),
    ):
        phase = str(given_options.pop("phase"))
        assert refused(phase, **given_options).startswith(f"{prefix}: contains ")


def test_an_id_may_have_any_other_character() -> None:
    assert start(id="部署/7 é\u2028\udcff").id == "部署/7 é\u2028\udcff"


@given(step=st.floats(-1e9, 1e9))
def test_a_clock_that_is_set_puts_no_finish_before_its_start(step: float) -> None:
    began = deployment_result(start())
    params = options(phase="finish", deployment=began, status="failed")
    one = parse_deployment(params, FACTS, NOW + step)

    assert one.finished_at is not None
    assert one.started_at is not None
    assert one.finished_at >= one.started_at
    assert (one.duration_s or 0.0) >= 0.0
