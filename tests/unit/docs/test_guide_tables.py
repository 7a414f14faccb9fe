# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists in the guides on the callback, the role and credentials are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from ansible_collections.aliops.cloudmonitor.plugins.module_utils import _credentials
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils import _post
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    block,
    blocks,
    guide,
    literals,
    section,
    tables,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.test_meta import callback_options

ROOT = Path(__file__).resolve().parents[3]
CALLBACK = guide("guide_callback")
ROLE = guide("guide_role")
CREDENTIALS = guide("guide_credentials")
SCHEMA = json.loads((ROOT / "docs/deployment-event.schema.json").read_text(encoding="utf-8"))


def table(page: Path, first_heading: str) -> list[list[str]]:
    """Return the rows of the table whose first column is called so, without the heading."""
    (found,) = [rows for rows in tables(page) if rows[0][0] == first_heading]
    return found[1:]


def test_the_callback_guide_has_every_option_with_its_default_and_variable() -> None:
    rows = table(CALLBACK, "Option")
    options = callback_options()

    assert [literals(row[0]) for row in rows] == [[name] for name in options]
    for option, default, variable, _text in rows:
        documented = options[literals(option)[0]]
        assert literals(variable) == [entry["name"] for entry in documented["env"]], option
        wanted = documented.get("default")
        written = [] if wanted in (None, []) else [str(wanted).lower()]
        assert literals(default) == written, option
        for choice in documented.get("choices", ()):
            assert choice in literals(_text), option


def test_the_callback_guide_names_the_connection_options_that_count_for_it() -> None:
    text = section(CALLBACK, "Options")
    names = {option.name for option in CONNECTION_OPTIONS if not option.is_credential}

    assert names - set(literals(text)) == set()


def test_the_callback_guide_has_every_ending() -> None:
    rows = table(CALLBACK, "What happened")
    told = {(literals(row[2])[0], *literals(row[3])) for row in rows}
    known = {name: set(SCHEMA["properties"][name]["enum"]) for name in ("status", "reason")}

    others = known["status"] - {"running", "aborted"}
    assert told == {(name,) for name in others} | {("aborted", why) for why in known["reason"]}


def test_the_callback_guide_has_every_key_of_the_content_in_its_order() -> None:
    rows = table(CALLBACK, "Key")

    assert [key for row in rows for key in literals(row[0])] == list(SCHEMA["properties"])
    numbers = dict(zip((row[0] for row in rows), rows, strict=True))["``hosts``"][1]
    assert set(literals(numbers)) == set(SCHEMA["properties"]["hosts"]["properties"])


def test_the_callback_guide_has_every_event() -> None:
    events = [literals(row[0])[0] for row in table(CALLBACK, "Event")]
    options = callback_options()

    names = ("start_event", "finish_event", "failure_event")
    assert events == [options[name]["default"] for name in names]


def test_the_role_guide_has_every_variable_with_its_default() -> None:
    specs = yaml.safe_load((ROOT / "roles/deployment/meta/argument_specs.yml").read_text("utf-8"))
    options = specs["argument_specs"]["main"]["options"]
    rows = table(ROLE, "Variable")

    assert sorted(literals(row[0])[0] for row in rows) == sorted(options)
    for name, default, text in rows:
        option = options[literals(name)[0]]
        wanted = option.get("default")
        written = [] if wanted is None else [json.dumps(wanted).strip('"')]
        assert literals(default) == written, name
        assert ("Required" in text) == bool(option.get("required")), name


def test_the_credentials_guide_has_the_places_and_variables_in_their_order() -> None:
    variables = {
        literals(row[0])[0]: tuple(literals(row[1])) for row in table(CREDENTIALS, "Option")
    }

    assert variables == {
        "access_key_id": _credentials.ID_VARIABLES,
        "access_key_secret": _credentials.SECRET_VARIABLES,
        "security_token": _credentials.TOKEN_VARIABLES,
    }
    assert [row[0] for row in table(CREDENTIALS, "Place")] == [
        "Options",
        "Environment",
        "Default chain",
    ]


def test_the_courier_sees_the_variables_of_the_chain_that_the_guide_names() -> None:
    title = "The RAM role of an ECS machine, OIDC and profile files"
    names = set(re.findall(r"ALIBABA_CLOUD_[A-Z_]*[A-Z]", section(CREDENTIALS, title)))
    key = {
        name
        for group in (_credentials.ID_VARIABLES, _credentials.SECRET_VARIABLES)
        for name in group
    } | set(_credentials.TOKEN_VARIABLES)

    assert len(names - key) > 4
    assert names - key - set(_post._ALLOWED) == set()


def test_the_policies_are_marked_as_what_they_are() -> None:
    (policy,) = blocks(CREDENTIALS, "json")
    text = section(CREDENTIALS, "Permission")

    assert json.loads(policy.text)["Statement"][0]["Action"] == "cms:PutCustomEvent"
    assert text.index("**Documented**") < text.index("AliyunCloudMonitorFullAccess")
    assert text.index("**To be tried first**") < text.index(".. code-block:: json")


def test_the_readme_and_the_callback_guide_show_the_same_configuration() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert "```ini\n" + block(CALLBACK, "ansible.cfg").text + "```" in readme
