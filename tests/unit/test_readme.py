# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documents say is so: contents, links, options, keys, make targets, examples."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import (
    custom_event_spec,
    deployment_event_spec,
    flush_outbox_spec,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_OPTIONS,
)
from ansible_collections.aliops.cloudmonitor.plugins.modules import custom_event
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import make_targets
from ansible_collections.aliops.cloudmonitor.tests.programs import output_of_ansible
from ansible_collections.aliops.cloudmonitor.tests.unit.test_meta import callback_options

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
COLLECTION = "aliops.cloudmonitor."
ROLE_ARGUMENTS = ROOT / "roles/deployment/meta/argument_specs.yml"


def section(title: str) -> str:
    """The text of a section of the README, without its heading."""
    found = re.search(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL
    )
    assert found, title
    return found.group(1)


def anchor(heading: str) -> str:
    """The anchor that GitHub and Galaxy make of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.strip().replace(" ", "-")


def headings(text: str) -> list[str]:
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#{1,6} (.+)$", without_code, re.MULTILINE)


def fences(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def first_column(text: str) -> list[str]:
    """The words in code of the first column of a table."""
    cells = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([^`]+)`", cell)]


def test_contents_are_the_headings_in_their_order() -> None:
    listed = re.findall(r"^- \[(.+?)\]\(#(.+?)\)$", section("Contents"), re.MULTILINE)
    there = re.findall(r"^## (.+)$", README, re.MULTILINE)

    assert listed == [(title, anchor(title)) for title in there if title != "Contents"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings_that_exist(document: str) -> None:
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert links
    for link in links:
        target, _unused, fragment = link.partition("#")
        if target.startswith("https://"):
            continue
        there = (path.parent / target) if target else path
        assert there.exists(), link
        if fragment:
            anchors = map(anchor, headings(there.read_text(encoding="utf-8")))
            assert fragment in anchors, link


def test_connection_options_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|$", section("Connection options"), re.MULTILINE)
    assert [name for name, _unused, _unused in rows] == [
        option.name for option in CONNECTION_OPTIONS
    ]
    for (name, default, environment), option in zip(rows, CONNECTION_OPTIONS, strict=True):
        variables = re.findall(r"`([A-Z_]+)`", environment)
        assert tuple(variables) == option.env, name
        if option.default is not None:
            written = str(option.default).removesuffix(".0").lower()
            assert re.findall(r"`([^`]+)`", default)[0] == written, name


def test_callback_options_are_those_of_its_documentation() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|(.*)\|$", section("The callback"), re.MULTILINE)
    options = callback_options()
    assert [name for name, _unused, _unused in rows] == list(options)
    for name, default, environment in rows:
        (variable,) = options[name]["env"]
        assert re.findall(r"`([A-Z_]+)`", environment)[0] == variable["name"], name
        assert options[name]["ini"] == [{"section": "callback_deployment_events", "key": name}]
        assert options[name]["vars"] == [{"name": "cloudmonitor_" + name}]
        written = options[name].get("default")
        if written not in (None, []):
            assert default.strip() == f"`{str(written).lower()}`", name
        elif name != "outbox":  # worked out in the code
            assert "`" not in default, name


def test_the_endings_are_those_of_the_schema() -> None:
    schema = json.loads((ROOT / "docs/deployment-event.schema.json").read_text(encoding="utf-8"))
    told = re.findall(r"\| `(\w+)` \|(?: `(\w+)` | )\|", section("The callback"))
    known = {name: set(schema["properties"][name]["enum"]) for name in ("status", "reason")}

    assert {status for status, _unused in told} >= known["status"] - {"running"}
    assert {reason for status, reason in told if status == "aborted"} == known["reason"]
    for status in known["status"] - {"running", "aborted"}:
        assert {reason for one, reason in told if one == status} == {""}, status


def texts_in_the_code() -> list[str]:
    """Every text that stands in the controller's code, as it is after concatenation."""
    return [
        node.value
        for folder in ("callback", "plugin_utils", "module_utils")
        for path in (ROOT / "plugins" / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_the_warnings_that_are_explained_are_those_of_the_code() -> None:
    code = texts_in_the_code()
    table = section("When something goes wrong").partition("| it says |")[2].partition("\n\n")[0]
    phrases = re.findall(r"^\| ([a-z2][^|]+?)(?: \(no warning\))? \|", table, re.MULTILINE)
    assert len(phrases) > 3
    for phrase in phrases:
        for part in re.split(r"^2 |(?<=deployment)s", phrase):
            assert any(part.strip() in text for text in code), part


def test_every_error_kind_is_explained() -> None:
    returned = yaml.safe_load(custom_event.RETURN)
    kinds = re.findall(r"V\((\w+)\)", returned["error"]["contains"]["kind"]["description"])
    explained = first_column(section("When something goes wrong"))

    assert sorted(explained) == sorted([*kinds, "outbox"])  # that one is flush_outbox's own


def test_the_keys_of_the_content_are_those_of_the_schema() -> None:
    schema = json.loads((ROOT / "docs/deployment-event.schema.json").read_text(encoding="utf-8"))
    keys = first_column(section("What is sent, and what never is"))

    assert sorted(keys) == sorted(schema["properties"])


def test_options_and_results_in_the_text_exist() -> None:
    returned = yaml.safe_load(custom_event.RETURN)
    role = yaml.safe_load(ROLE_ARGUMENTS.read_text(encoding="utf-8"))
    schema = json.loads((ROOT / "docs/deployment-event.schema.json").read_text(encoding="utf-8"))
    known = {
        *custom_event_spec(),
        *deployment_event_spec(),
        *flush_outbox_spec(),
        *callback_options(),
        *role["argument_specs"]["main"]["options"],
        *returned,
        *returned["error"]["contains"],
        *schema["properties"],
        *first_column(section("When something goes wrong")),  # held to the code above
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("module_defaults", "no_log"),  # of Ansible
    }
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", README)) - {
        "custom_event",
        "deployment_event",
        "flush_outbox",
    }

    assert words - known == set()


def test_variables_and_collection_names_in_the_text_exist() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("plugins", "playbooks/files")
        for path in (ROOT / folder).rglob("*.py")
    )
    variables = set(re.findall(r"\b(?:ALIBABA_CLOUD|CLOUDMONITOR|RECEIVER)_[A-Z_]+\b", README))
    assert variables
    assert {name for name in variables if name not in code} == set()

    names = set(re.findall(rf"\b{re.escape(COLLECTION)}(\w+)", README))
    for name in names - {"git", "cloudmonitor"}:
        plugins = (f"plugins/modules/{name}.py", f"plugins/callback/{name}.py")
        places = (*plugins, f"roles/{name}", f"playbooks/{name}.yml")
        assert any((ROOT / place).exists() for place in places), name


def examples() -> list[Any]:
    return [
        pytest.param(yaml.safe_load(text), id=f"example {number}")
        for number, text in enumerate(fences("yaml"), 1)
    ]


def all_tasks(value: Any) -> list[dict[str, Any]]:
    """Every task in a playbook or a list of tasks, those in blocks, too."""
    if isinstance(value, list):
        return [task for item in value for task in all_tasks(item)]
    inner = [value[key] for key in ("tasks", "block", "rescue", "always") if key in value]
    return all_tasks(inner) if inner else [value]


@pytest.mark.parametrize("example", examples())
def test_options_in_the_examples_exist(example: Any) -> None:
    specs = {
        "custom_event": custom_event_spec(),
        "deployment_event": deployment_event_spec(),
        "flush_outbox": flush_outbox_spec(),
    }
    roles = yaml.safe_load(ROLE_ARGUMENTS.read_text(encoding="utf-8"))
    for task in all_tasks(example):
        for name, spec in specs.items():
            assert set(task.get(COLLECTION + name) or {}) <= set(spec)
        if "ansible.builtin.include_role" in task:
            assert set(task["vars"]) <= set(roles["argument_specs"]["main"]["options"])
            assert task["vars"]["deployment_name"]


def ansible(folder: Path, program: str, *args: str, hosts: str = "localhost,") -> str:
    """Run a program of Ansible's in a project, whose ansible.cfg counts; return what it says."""
    return output_of_ansible(
        folder,
        program,
        *("-i", hosts, *args),
        ALIBABA_CLOUD_ACCESS_KEY_ID="id",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET="secret",
        CLOUDMONITOR_ENDPOINT="http://127.0.0.1:9",  # nobody listens there
    )


@pytest.mark.parametrize("example", examples())
def test_examples_are_playbooks_that_ansible_accepts(example: Any, tmp_path: Path) -> None:
    plays = example
    if "hosts" not in example[0]:  # the tasks file of the example before it
        plays = [{"name": "Tasks", "hosts": "localhost", "tasks": example}]
    (tmp_path / "site.yml").write_text(json.dumps(plays), encoding="utf-8")
    (tmp_path / "ansible.cfg").touch()

    said = ansible(
        tmp_path, "ansible-playbook", "--syntax-check", "site.yml", hosts="localhost,web,"
    )

    assert "WARN" not in said


def test_the_ansible_cfg_of_the_example_enables_the_callback_as_it_says(tmp_path: Path) -> None:
    (example,) = fences("ini")
    outbox = tmp_path / "kept"
    more = f"outbox = {outbox}\nflush_timeout = 0\nlinger = 0\n"
    (tmp_path / "ansible.cfg").write_text(example + more, encoding="utf-8")
    play = [{"hosts": "localhost", "gather_facts": False, "vars": {"ticket": "OPS-1"}}]
    (tmp_path / "maintenance").mkdir()
    for name in ("site.yml", "maintenance/clean.yml"):
        (tmp_path / name).write_text(json.dumps(play), encoding="utf-8")

    ansible(
        tmp_path, "ansible-playbook", "-e", "release=1.4.2", "site.yml", "maintenance/clean.yml"
    )

    (journal,) = outbox.glob("runs/*/journal")
    _run, start, finish = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    content = [json.loads(record["events"][0]["content"]) for record in (start, finish)]
    assert [one["environment"] for one in content] == ["production", "production"]
    assert content[0]["context"] == {"release": "1.4.2"}
    assert content[1]["context"] == {"release": "1.4.2", "ticket": "OPS-1"}

    (command,) = re.findall(r"^ansible -i localhost, (.*)$", section("The callback"), re.MULTILINE)
    counted = ansible(tmp_path, "ansible", *command.split(), "--check")
    assert '"pending": 2' in counted


def test_ram_policy_is_json() -> None:
    (policy,) = fences("json")

    assert json.loads(policy)["Statement"][0]["Action"] == "cms:PutCustomEvent"


def test_make_targets_in_the_documents_exist() -> None:
    known = make_targets()
    assert {"demo", "test", "quick", "unit", "build-import-check"} <= known
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        code = "\n".join([*re.findall(r"`([^`\n]+)`", text), *fences("sh", text)])
        assert set(re.findall(r"\bmake ([a-z-]+)", code)) <= known, document
