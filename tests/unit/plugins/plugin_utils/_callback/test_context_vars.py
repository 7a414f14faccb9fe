# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only what was named leaves, and neither a vault nor a lookup is touched for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, meta

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.context_vars import (
    VALUE_BYTES,
    copy_variables,
)

SECRET = "canary-vault-1f9"


class AnsibleVaultEncryptedUnicode(str):
    """Goes by the name of ansible-core's own, up to 2.18."""


class EncryptedString(str):
    """Goes by the name of ansible-core's own, from 2.19 on."""


def _render(variables: dict[str, Any]) -> Any:
    """Resolve templates as Ansible does: again and again, and with lookups at hand."""
    environment = Environment(undefined=StrictUndefined)  # noqa: S701

    def resolve(value: Any, depth: int = 0) -> Any:
        if isinstance(value, dict):
            return {key: resolve(item, depth) for key, item in value.items()}
        if isinstance(value, list):
            return [resolve(item, depth) for item in value]
        if isinstance(value, str) and "{{" in value and depth < 6:
            names = meta.find_undeclared_variables(environment.parse(value))
            known = {
                name: resolve(variables[name], depth + 1) for name in names if name in variables
            }
            known.update(dict.fromkeys(("lookup", "query", "q"), lambda *_a, **_k: SECRET))
            return resolve(environment.from_string(value).render(known), depth + 1)
        return value

    return resolve


def _copy(names: list[str], variables: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    return copy_variables(names, variables, _render(variables))


def test_only_the_named_variables_are_copied() -> None:
    found, missing = _copy(["a", "c"], {"a": 1, "b": 2, "c": "{{ a }}"})

    assert (found, missing) == ({"a": 1, "c": "1"}, [])


@pytest.mark.parametrize(
    "value",
    [
        "{{ a | to_json }}",
        "{{ a | ansible.builtin.regex_replace('x', 'y') | upper }}",
        "{{ 'x' | basename }}",
        "{{ a is version('1', '<') }}",
        "{{ a is ansible.builtin.match('x') }}",
        "{% if a is truthy %}{{ a | b64encode }}{% endif %}",
    ],
)
def test_filters_and_tests_of_ansible_are_no_obstacle(value: str) -> None:
    found = copy_variables(["asked"], {"asked": value, "a": "x"}, lambda _template: "done")

    assert found == ({"asked": "done"}, [])


@pytest.mark.parametrize("kind", [AnsibleVaultEncryptedUnicode, EncryptedString])
@pytest.mark.parametrize(
    "value",
    [
        "{{ vaulted }}",
        "{{ through }}",
        {"deep": ["{{ vaulted }}"]},
        ["plain", {"x": "{{ through | upper }}"}],
        "{% if vaulted == 'x' %}y{% endif %}",
        "{% set copy = vaulted %}{{ copy }}",
        "{{ [through] | first }}",
    ],
)
def test_a_vaulted_value_stays_at_home_however_it_is_reached(kind: type[str], value: Any) -> None:
    vaulted = kind(SECRET)
    variables = {"asked": value, "through": "{{ further }}", "further": "{{ vaulted }}"}
    for wanted in ({"vaulted": vaulted, **variables}, {"vaulted": [vaulted], **variables}):
        found, missing = _copy(["asked", "vaulted", "through"], wanted)

        assert found == {}
        assert missing == ["asked", "vaulted", "through"]


@pytest.mark.parametrize(
    "value",
    [
        "{{ lookup('env', 'HOME') }}",
        "{{ query('env', 'HOME') }}",
        "{{ q('env', 'HOME') }}",
        "{% set l = lookup %}{{ l('env', 'HOME') }}",
        "{{ ['HOME'] | map('extract', {'HOME': lookup('env', 'HOME')}) | first }}",
        "{{ vars['through'] }}",
        "{{ hostvars['web1']['secret'] }}",
        "{{ hostvars }}",
        "{{ sealed | unvault('password') }}",
        "{{ sealed | ansible.builtin.unvault('password') }}",
        "{{ [sealed] | map('unvault', 'password') | first }}",
        "{{ '/etc/*' | fileglob }}",
        "{{ ['/etc/*'] | map('ansible.builtin.fileglob') | first }}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}{{ x }}",
        "{% extends '/etc/passwd' %}",
        "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n{{ 1 }}[% q('x') %]",
        "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n[% q('x') %]",
        "{{ {'a': through} }}",
        {"{{ through }}": "as a key"},
        "{{ unbalanced",
        "{% if %}",
    ],
)
def test_what_might_read_files_or_run_commands_is_left_out(value: Any) -> None:
    variables = {
        "asked": value,
        "through": "{{ lookup('file', '/etc/passwd') }}",
        "sealed": "$ANSIBLE_VAULT;1.1;AES256",
        "vars": {"through": "harmless"},
        "hostvars": {"web1": {"secret": SECRET}},
    }

    assert _copy(["asked"], variables) == ({}, ["asked"])


_NAMES = [f"v{number}" for number in range(6)]
_TEMPLATE = st.builds(
    "{}{{{{ {} }}}}{}".format,
    st.sampled_from(["", "x-", "{% if true %}{% endif %}"]),
    st.sampled_from([*_NAMES, "lookup('env', 'X')", "q('x') | upper", "1 + 1"]),
    st.sampled_from(["", "-y"]),
)
_LEAF = (
    st.text("ab{}% ", max_size=5)
    | st.integers()
    | _TEMPLATE
    | st.just(EncryptedString(SECRET))
    | st.just(AnsibleVaultEncryptedUnicode(SECRET))
)
_VALUE = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("k"), inner, max_size=1),
    max_leaves=3,
)


@given(variables=st.dictionaries(st.sampled_from(_NAMES), _VALUE, max_size=6))
def test_no_net_of_variables_lets_a_secret_through(variables: dict[str, Any]) -> None:
    asked = [*_NAMES, "undefined"]
    found, missing = _copy(asked, variables)

    assert SECRET.lower() not in str(found).lower()
    assert sorted([*found, *missing]) == sorted(asked)
    assert "undefined" in missing


def test_variables_that_lead_in_a_circle_are_left_out() -> None:
    assert _copy(["a"], {"a": "{{ b }}", "b": "{{ a }}"}) == ({}, ["a"])


def test_what_cannot_be_rendered_or_written_is_left_out_and_the_rest_goes() -> None:
    def render(value: Any) -> Any:
        if value == "breaks":
            raise RuntimeError("whatever a template may raise")
        return value

    variables = {"bad": "breaks", "object": object(), "nan": float("nan"), "good": "x"}
    found, missing = copy_variables(["bad", "object", "nan", "good"], variables, render)

    assert found == {"good": "x"}
    assert missing == ["bad", "object", "nan"]


@given(st.text(min_size=1, max_size=3000) | st.lists(st.text(max_size=900), max_size=5))
def test_values_are_cut_at_one_kilobyte(value: Any) -> None:
    found, _missing = copy_variables(["a"], {"a": value}, lambda same: same)
    if "a" in found and isinstance(found["a"], str):
        assert len(found["a"].encode("utf-8")) <= VALUE_BYTES


def test_a_value_of_one_kilobyte_stays_whole() -> None:
    whole, cut = "x" * VALUE_BYTES, "部" * VALUE_BYTES
    found, _missing = copy_variables(["a", "b"], {"a": whole, "b": cut}, lambda same: same)

    assert VALUE_BYTES == 1024
    assert found["a"] == whole
    assert found["b"] == "部" * 340 + "…"


def test_a_value_of_one_byte_more_is_cut_to_one_kilobyte() -> None:
    found, _missing = copy_variables(["a"], {"a": "x" * (VALUE_BYTES + 1)}, lambda same: same)

    assert found["a"] == "x" * (VALUE_BYTES - 3) + "…"


@pytest.mark.parametrize(("steps", "is_copied"), [(1, True), (19, True), (20, False)])
def test_templates_are_followed_for_nineteen_steps(steps: int, is_copied: bool) -> None:
    variables = {f"v{number}": f"{{{{ v{number + 1} }}}}" for number in range(steps)}
    variables[f"v{steps}"] = "end"

    found, _missing = copy_variables(["v0"], variables, lambda _template: "end")

    assert found == ({"v0": "end"} if is_copied else {})


@pytest.mark.parametrize("depth", [1, 18, 19, 20])
def test_lists_and_mappings_are_followed_as_far(depth: int) -> None:
    in_list: Any = "end"
    in_mapping: Any = "end"
    for _unused in range(depth):
        in_list, in_mapping = [in_list], {"k": in_mapping}
    found, _missing = copy_variables(["l", "m"], {"l": in_list, "m": in_mapping}, lambda same: same)

    assert list(found) == (["l", "m"] if depth < 20 else [])


def test_numbers_and_mappings_keep_their_kind() -> None:
    variables = {"n": 7, "m": {"a": [True, None]}}
    found, _missing = copy_variables(["n", "m"], variables, lambda same: same)

    assert found == variables
