# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The custom credential type of AWX: its two files fit each other, and what the client reads."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    ID_VARIABLES,
    SECRET_VARIABLES,
    TOKEN_VARIABLES,
    resolve_credentials,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import (
    FILES,
    injected,
)

# Names that AWX refuses or ignores in an injector: see ENV_BLOCKLIST in awx/main/constants.py
# and CredentialTypeInjectorField in awx/main/fields.py.
REFUSED = re.compile(r"ANSIBLE_|(?:VIRTUAL_ENV|PATH|PYTHONPATH|JOB_ID|INVENTORY_ID|AWX_HOST)\Z")


def load(name: str) -> dict[str, Any]:
    found = yaml.safe_load((FILES / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


INPUT = load("credential-type-input.yml")
INJECTOR = load("credential-type-injector.yml")
FIELDS = {field["id"]: field for field in INPUT["fields"]}


def test_the_input_has_only_what_awx_knows() -> None:
    assert set(INPUT) == {"fields", "required"}
    for field in INPUT["fields"]:
        assert set(field) <= {"id", "type", "label", "help_text", "secret"}
        assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", field["id"])
        assert field["type"] == "string"


def test_what_is_secret_is_encrypted_and_a_token_is_optional() -> None:
    secret = {name for name, field in FIELDS.items() if field.get("secret") is True}

    assert secret == {"access_key_secret", "security_token"}
    assert set(INPUT["required"]) == {"access_key_id", "access_key_secret"}


def test_the_injector_sets_what_the_client_looks_for_first() -> None:
    (given,) = INJECTOR.values()

    assert list(INJECTOR) == ["env"]
    assert given == {
        ID_VARIABLES[0]: "{{ access_key_id }}",
        SECRET_VARIABLES[0]: "{{ access_key_secret }}",
        TOKEN_VARIABLES[0]: "{{ security_token }}",
    }


def test_every_input_is_injected_and_nothing_else() -> None:
    used = re.findall(r"{{ (\w+) }}", "".join(INJECTOR["env"].values()))

    assert sorted(used) == sorted(FIELDS)


def test_awx_takes_every_name_of_the_injector() -> None:
    assert [name for name in INJECTOR["env"] if REFUSED.match(name)] == []


def test_a_lasting_key_leaves_no_token() -> None:
    found = resolve_credentials({}, injected(access_key_id="id", access_key_secret="secret"))

    assert (found.access_key_id, found.access_key_secret) == ("id", "secret")
    assert found.security_token is None


def test_a_temporary_key_arrives_whole() -> None:
    found = resolve_credentials(
        {}, injected(access_key_id="STS.id", access_key_secret="secret", security_token="token")
    )

    assert found.secrets == ("secret", "token")
