# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as a check shows them, and the mistakes that it finds in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import (
    parse_connection,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.findings import WRONG
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._check.settings import (
    PLAYBOOK_VARIABLES,
    Setting,
    aligned,
    hidden_ids,
    misspelled_extra_variables,
    notes_on_use,
    shown_credentials,
    shown_origin,
    shown_settings,
    similar_sections,
    unknown_keys,
    unknown_variables,
    without_password,
    wrong_values,
)
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import ROOT

SECRET, TOKEN = "canary-secret", "canary-token"
PERMANENT = Credentials("LTAI5tQ8rZ3yWq7XkLmN2p", SECRET, None, "environment")


DEFAULTS = {one.name: one.default for one in CONNECTION_OPTIONS}


def settings_of(**given: Any) -> dict[str, Setting]:
    found = {one.name: Setting(one.name, one.default) for one in CONNECTION_OPTIONS}
    found["group_id"] = Setting("group_id", 0)
    found["outbox"] = Setting("outbox", "/home/me/outbox")
    found.update({name: Setting(name, value, "HERE") for name, value in given.items()})
    return found


def values_of(settings: Mapping[str, Setting]) -> dict[str, Any]:
    return {name: setting.value for name, setting in settings.items()}


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("env: ALICLOUD_REGION", "ALICLOUD_REGION"),
        ("var: cloudmonitor_region", "-e cloudmonitor_region"),
        ("/etc/ansible/ansible.cfg", "/etc/ansible/ansible.cfg [callback_deployment_events]"),
        ("default", "default"),
    ],
)
def test_an_origin_is_written_as_people_write_it(told: str, shown: str) -> None:
    assert shown_origin(told) == shown


def test_what_is_given_is_shown_and_the_rest_only_when_it_matters() -> None:
    rows = shown_settings(settings_of(timeout=9.0, context_vars=["a", "b"], ca_path=""))

    assert rows == [
        ("region", "cn-hangzhou", "default"),
        ("network", "public", "default"),
        ("endpoint", "not set", "default"),
        ("timeout", "9.0", "HERE"),
        ("ca_path", "empty", "HERE"),
        ("group_id", "0", "default"),
        ("outbox", "/home/me/outbox", "default"),
        ("context_vars", "a, b", "HERE"),
    ]


def test_a_value_that_was_refused_is_not_shown() -> None:
    settings = {**settings_of(), "timeout": Setting("timeout", 5.0, "HERE", usable=False)}

    assert ("timeout", "cannot be used", "HERE") in shown_settings(settings)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({"ALICLOUD_SECRET_KEY": SECRET, "ALICLOUD_SECURITY_TOKEN": TOKEN}, None),
        ({"ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}, PERMANENT),
        ({}, Credentials("STS.NTexampleXyz", SECRET, TOKEN, "chain")),
    ],
)
def test_no_secret_is_shown_wherever_it_comes_from(
    environ: dict[str, str], found: Credentials | None
) -> None:
    told = "\n".join(aligned(shown_credentials(found, environ, "FILE")))

    assert SECRET not in told
    assert TOKEN not in told
    assert "access_key_secret" in told


def test_the_leftmost_variable_is_named() -> None:
    environ = {"ALICLOUD_ACCESS_KEY": "b", "ALIBABA_CLOUD_ACCESS_KEY_ID": "", "OTHER": "c"}
    (key_id, secret, token) = shown_credentials(None, environ, None)

    assert key_id == ("access_key_id", "given", "ALICLOUD_ACCESS_KEY")
    assert secret == ("access_key_secret", "not set", "")
    assert token == ("security_token", "not set", "")


def test_an_id_from_a_file_says_so() -> None:
    (key_id, _secret, _token) = shown_credentials(PERMANENT, {}, "FILE")

    assert key_id == ("access_key_id", "LTAI...mN2p", "FILE")


@pytest.mark.parametrize("source", ["environment", "chain"])
def test_nothing_of_a_secret_in_the_place_of_the_id_is_shown(source: str) -> None:
    swapped = Credentials("kZ8secretSecret", "LTAI5tQ8rZ3yWq7XkLmN2p", TOKEN, source)
    environ = {"ALICLOUD_ACCESS_KEY": "kZ8secretSecret"}

    (key_id, _secret, _token) = shown_credentials(swapped, environ, None)
    (note,) = notes_on_use(settings_of(), swapped, None)

    assert key_id[1] == "given"
    assert hidden_ids(environ, PERMANENT.access_key_id, None) == ["kZ8secretSecret"]
    assert "Are id and secret swapped?" in note.text
    assert "begins with LTAI" in str(note.fix)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:pa55@host:1",
        "http://me:pa/55@host",
        "http://me:pa?55@host",
        "http://me:pa@55?@host",
        "me:pa55@host",
        "http://host/?key=pa55",
    ],
)
def test_a_password_in_a_url_is_not_shown(url: str) -> None:
    assert "pa55" not in without_password(url)
    assert "55" not in without_password(url)
    assert "host" in without_password(url)


def test_every_wrong_value_is_found_and_named_with_its_origin() -> None:
    settings = settings_of(timeout=0.0, retries=-1, source_ip="me", region="cn-atlantis")

    found = wrong_values(values_of(settings), settings, parse_connection, DEFAULTS)

    assert sorted(str(one.fix).split()[0] for one in found) == [
        "region",
        "retries",
        "source_ip",
        "timeout",
    ]
    assert all("comes from HERE" in str(one.fix) for one in found)


def test_a_rule_that_never_holds_ends_all_the_same() -> None:
    def rule(_values: Any) -> None:
        raise InvalidInput("is wrong, whatever it is", option="timeout")

    settings = settings_of(timeout=1.0)
    assert len(wrong_values(values_of(settings), settings, rule, DEFAULTS)) == 1
    assert len(wrong_values(values_of(settings), {}, rule, DEFAULTS)) == 1


VARIABLES = {
    "outbox": ["CLOUDMONITOR_OUTBOX"],
    "linger": ["CLOUDMONITOR_LINGER"],
    "region": ["ALIBABA_CLOUD_REGION_ID", "ALICLOUD_REGION"],
}


def test_variables_that_nothing_reads_are_errors_with_the_name_that_was_meant() -> None:
    environ = {
        "CLOUDMONITOR_REGION": "x",
        "CLOUDMONITOR_OUTBOKS": "x",
        "CLOUDMONITOR_OUTBOX": "x",
        "CLOUDMONITOR_RUN_ID": "x",
        "CLOUDMONITOR_EMPTY": "",
        "CLOUDMONITOR_XYZZY": "x",
        "OTHER": "x",
    }
    found = unknown_variables(environ, VARIABLES, {"CLOUDMONITOR_RUN_ID"})

    assert [one.state for one in found] == [WRONG] * 3
    assert [one.fix for one in found] == [
        "Did you mean CLOUDMONITOR_OUTBOX instead of CLOUDMONITOR_OUTBOKS?",
        "Did you mean ALIBABA_CLOUD_REGION_ID instead of CLOUDMONITOR_REGION?",
        "Remove CLOUDMONITOR_XYZZY.",
    ]


def test_the_variables_of_every_playbook_are_known_and_checked() -> None:
    given = {one.name for one in CONNECTION_OPTIONS} | {"outbox"}
    for playbook in (ROOT / "playbooks").glob("*.yml"):
        text = playbook.read_text(encoding="utf-8")
        read = set(re.findall(r"\b(cloudmonitor_\w+) \| default", text))
        assert read <= {*PLAYBOOK_VARIABLES, *(f"cloudmonitor_{name}" for name in given)}
        checks = ("aliops.cloudmonitor.playbook_variables:", "aliops.cloudmonitor.setup_check:")
        assert not read or any(check in text for check in checks), playbook.name


def test_misspelled_extra_variables_are_errors_and_own_names_are_not() -> None:
    names = "regoin check_sent region security_token check_send xyzzy".split()
    given = [*(f"cloudmonitor_{name}" for name in names), "regoin"]

    found = misspelled_extra_variables(given, {"region": ["cloudmonitor_region"]})

    assert [(one.state, one.fix) for one in found] == [
        (WRONG, "Did you mean cloudmonitor_check_send instead of cloudmonitor_check_sent?"),
        (WRONG, "Did you mean cloudmonitor_region instead of cloudmonitor_regoin?"),
        (WRONG, "Remove -e cloudmonitor_security_token, and set the secret in the environment."),
    ]


def test_keys_that_nothing_reads_are_errors_and_so_is_a_secret() -> None:
    found = unknown_keys(
        ["region", "regoin", "access_key_secret", "security_token"], {"region"}, "/a.cfg"
    )

    assert [one.state for one in found] == [WRONG] * 3
    assert found[0].fix == "Did you mean region instead of regoin?"
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET" in str(found[1].fix)
    assert "ALIBABA_CLOUD_SECURITY_TOKEN" in str(found[2].fix)


def test_sections_with_a_similar_name_are_errors() -> None:
    right = ["defaults", "callback_deployment_events", "callback_profile_tasks", "inventory"]
    wrong = ["deployment_events", "callback_deployment_event", "calback_deployment_events",
             "callback_aliops.cloudmonitor.deployment_events"]  # fmt: skip

    found = similar_sections([*right, *wrong], "/a.cfg")

    assert [one.state for one in found] == [WRONG] * 4
    assert all("[callback_deployment_events] instead of" in str(one.fix) for one in found)


def test_what_is_right_and_still_surprising_is_told() -> None:
    in_file = "/a.cfg [callback_deployment_events]"
    settings = settings_of(validate_certs=False)
    settings["region"] = Setting("region", "cn-shanghai", in_file)
    left_over = Credentials("LTAI5tQ8rZ3yWq7XkLmN2p", SECRET, TOKEN, "environment")

    told = [one.text for one in notes_on_use(settings, left_over, in_file)]

    assert len(told) == 3
    assert told[0].startswith("access_key_id, region in ansible.cfg apply ")
    assert "validate_certs" in told[1]
    assert "STS." in told[2]
    assert notes_on_use(settings_of(), PERMANENT, None) == []
