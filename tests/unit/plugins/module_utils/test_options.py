# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options: defaults, environment, and values that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import (
    Connection,
    parse_connection,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
    ConnectionOption,
    connection_argument_spec,
    from_environment,
    override_options,
    supplying_variable,
    without_empty,
)

PLAIN = [option for option in CONNECTION_OPTIONS if not option.is_credential]
VALUES = {"timeout": "2.5", "retries": "7", "validate_certs": "false", "network": "vpc"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in CONNECTION_OPTIONS:
        for variable in option.env:
            monkeypatch.delenv(variable, raising=False)


def validated(**params: Any) -> dict[str, Any]:
    checked = ArgumentSpecValidator(connection_argument_spec()).validate(params)
    assert not checked.error_messages
    return dict(checked.validated_parameters)


def test_without_anything_the_events_go_to_hangzhou() -> None:
    assert parse_connection(validated()) == Connection(
        "https://metrichub-cms-cn-hangzhou.aliyuncs.com", "", 5.0, 3, True, None
    )


def test_every_option_arrives_in_the_connection() -> None:
    params = validated(
        endpoint="http://127.0.0.1:8080",
        source_ip=" 10.0.0.8 ",
        timeout="2.5",
        retries="0",
        validate_certs="no",
        ca_path="/etc/ca.pem",
    )

    assert parse_connection(params) == Connection(
        "http://127.0.0.1:8080", "10.0.0.8", 2.5, 0, False, "/etc/ca.pem"
    )


@pytest.mark.parametrize("option", CONNECTION_OPTIONS, ids=lambda option: option.name)
def test_an_alias_is_as_good_as_the_name(option: ConnectionOption) -> None:
    for alias in option.aliases:
        assert validated(**{alias: "value"})[option.name] == "value"


@pytest.mark.parametrize("option", PLAIN, ids=lambda option: option.name)
def test_the_leftmost_variable_that_is_set_wins_for_actions_and_modules_alike(
    option: ConnectionOption, monkeypatch: pytest.MonkeyPatch
) -> None:
    for position, variable in enumerate(option.env):
        for empty in option.env[:position]:
            monkeypatch.setenv(empty, "")
        for later in option.env[position + 1 :]:
            monkeypatch.setenv(later, "wrong")
        text = VALUES.get(option.name, "value")
        monkeypatch.setenv(variable, text)

        supplied = from_environment({}, os.environ)

        assert supplied == {option.name: text}
        assert supplying_variable(option.name, os.environ) == variable
        assert validated()[option.name] == validated(**supplied)[option.name] != option.default


@pytest.mark.parametrize("option", PLAIN, ids=lambda option: option.name)
def test_an_option_wins_over_its_variables(
    option: ConnectionOption, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in option.env:
        monkeypatch.setenv(variable, "wrong")

    for name in (option.name, *option.aliases):
        assert from_environment({name: "mine"}, os.environ) == {}


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in CONNECTION_OPTIONS:
        for variable in option.env:
            monkeypatch.setenv(variable, "")

    assert from_environment({}, os.environ) == {}
    assert parse_connection(validated()) == Connection(
        "https://metrichub-cms-cn-hangzhou.aliyuncs.com"
    )


def test_credentials_have_no_fallback_of_their_own() -> None:
    spec = connection_argument_spec()

    for option in CONNECTION_OPTIONS:
        assert option.is_credential == ("fallback" not in spec[option.name])
    environ = {variable: "x" for option in CONNECTION_OPTIONS for variable in option.env}
    assert not {"access_key_id", "access_key_secret", "security_token"} & set(
        from_environment({}, environ)
    )


def test_secrets_are_no_log_and_the_id_is_not() -> None:
    spec = connection_argument_spec()

    assert spec["access_key_secret"]["no_log"] is spec["security_token"]["no_log"] is True
    assert spec["access_key_id"]["no_log"] is False


NAMES = [name for option in CONNECTION_OPTIONS for name in (option.name, *option.aliases)]


@given(
    params=st.dictionaries(
        st.sampled_from([*NAMES, "name", "content"]), st.sampled_from(["", None, 0, False, "x"])
    )
)
def test_empty_means_unset_for_connection_options_only(params: Mapping[str, Any]) -> None:
    left = without_empty(params)

    for name, value in params.items():
        dropped = name in NAMES and (value is None or value == "")
        assert (name in left) != dropped
    assert all(left[name] is params[name] for name in left)


LAYERS = st.dictionaries(st.sampled_from([*NAMES, "name"]), st.sampled_from(["", "x", 0, False]))


@given(below=LAYERS, above=LAYERS)
def test_an_option_above_wins_under_each_of_its_names_and_keys_stay_whole(
    below: Mapping[str, Any], above: Mapping[str, Any]
) -> None:
    made = override_options(below, above)
    given_above = without_empty(above)

    assert {**made, **given_above} == made
    for option in CONNECTION_OPTIONS:
        names = {option.name, *option.aliases}
        if given_above.keys() & names:
            assert made.keys() & names == given_above.keys() & names
    of_key = {
        name
        for option in CONNECTION_OPTIONS
        if option.is_credential
        for name in (option.name, *option.aliases)
    }
    if given_above.keys() & of_key:
        assert made.keys() & of_key == given_above.keys() & of_key
    untouched = below.keys() - above.keys() - set(NAMES)
    assert all(made[name] is below[name] for name in untouched)
