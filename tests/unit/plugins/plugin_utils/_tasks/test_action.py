# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base class of the event actions, as far as it needs no running playbook."""

from __future__ import annotations

from collections import UserDict
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    custom_event_spec,
    deployment_event_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import (
    EventAction,
    plain,
)


class Text(str):
    """Stands for the subclasses of str that Ansible marks values with."""

    __slots__ = ()


class AnsibleVaultEncryptedUnicode:
    """Has the name of what ansible-core before 2.19 makes of a vaulted value."""

    def __str__(self) -> str:
        return "plain text"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("a"), "a"),
        ({Text("k"): [Text("v"), (Text("w"),)]}, {"k": ["v", ["w"]]}),
        (UserDict({"a": Text("b")}), {"a": "b"}),
        (AnsibleVaultEncryptedUnicode(), "plain text"),
        ({"s": AnsibleVaultEncryptedUnicode()}, {"s": "plain text"}),
        (1, 1),
        (True, True),
        (None, None),
        (1.5, 1.5),
    ],
)
def test_arguments_become_python_s_own_types(value: Any, expected: Any) -> None:
    made = plain(value)

    assert made == expected
    assert made.__class__ is type(expected)


def test_the_marks_are_gone_at_every_depth() -> None:
    made = plain({Text("k"): [Text("v")]})

    assert [key.__class__ for key in made] == [str]
    assert made["k"][0].__class__ is str


def validated(
    args: dict[str, Any], environ: dict[str, str] | None = None, spec: Any = None
) -> dict[str, Any]:
    action: Any = SimpleNamespace(_task=SimpleNamespace(action="aliops.cloudmonitor.custom_event"))
    return EventAction.validated(action, args, spec or custom_event_spec(), environ or {})


def test_defaults_aliases_and_types_are_applied() -> None:
    params = validated(
        {"name": "n", "content": "c", "alicloud_region": "cn-beijing", "retries": "1"}
    )

    assert (params["region"], params["retries"], params["timeout"]) == ("cn-beijing", 1, 5.0)
    assert (params["report_errors"], params["report_from"]) == ("fail", "controller")


def test_the_environment_fills_in_what_the_task_does_not_say() -> None:
    environ = {"CLOUDMONITOR_TIMEOUT": "2", "ALICLOUD_REGION": "cn-qingdao"}

    params = validated({"name": "n", "region": "cn-beijing"}, environ)
    assert (params["timeout"], params["region"]) == (2.0, "cn-beijing")


def test_the_process_s_own_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDMONITOR_TIMEOUT", "77")

    assert validated({"name": "n"}, {"CLOUDMONITOR_TIMEOUT": "2"})["timeout"] == 2.0


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("CLOUDMONITOR_NETWORK", "lan", "network must be one of: public, vpc"),
        ("CLOUDMONITOR_TIMEOUT", "soon", "timeout"),
        ("CLOUDMONITOR_RETRIES", "1.5", "retries"),
        ("CLOUDMONITOR_VALIDATE_CERTS", "perhaps", "validate_certs"),
    ],
)
def test_an_invalid_value_of_a_variable_names_the_variable(
    variable: str, value: str, words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        validated({"name": "n"}, {variable: value})

    assert caught.value.option == variable
    assert words in str(caught.value)


def test_an_invalid_value_of_the_task_does_not_name_a_variable() -> None:
    # The name of an option that a variable supplies is also a word of this error.
    environ = {"CLOUDMONITOR_TIMEOUT": "2"}
    with pytest.raises(InvalidInput) as caught:
        validated({"name": "n", "retries": "timeout"}, environ)

    assert caught.value.option is None
    assert "CLOUDMONITOR" not in str(caught.value)


def test_an_unknown_option_is_named_with_the_module() -> None:
    with pytest.raises(InvalidInput, match="Unsupported parameters for") as caught:
        validated({"nmae": "n"})

    assert "nmae" in str(caught.value)


def test_a_phase_is_required() -> None:
    with pytest.raises(InvalidInput, match="phase"):
        validated({"name": "n"}, spec=deployment_event_spec())


def test_an_error_of_options_does_not_show_a_secret() -> None:
    with pytest.raises(InvalidInput) as caught:
        validated(
            {"name": "n", "access_key_secret": "hunter22", "security_token": "t0k3n", "no": 1}
        )

    assert "hunter22" not in str(caught.value)
    assert "t0k3n" not in str(caught.value)
