# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site is complete, its references lead somewhere, and its examples can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    LABEL,
    Directive,
    blocks,
    check,
    directives,
    guides,
    labels,
    literals,
    make_targets,
)

ROOT = Path(__file__).resolve().parents[3]
DOCSITE = ROOT / "docs" / "docsite"
GUIDES = guides()
every_page = pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
VARIABLE = re.compile(r"\b(?:ALICLOUD|CLOUDMONITOR|RECEIVER)_[A-Z_]*[A-Z]\b")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def every_block() -> list[Any]:
    return [pytest.param(found, id=found.place) for page in GUIDES for found in blocks(page)]


def test_every_guide_is_on_the_first_page_once() -> None:
    sections = read(DOCSITE / "extra-docs.yml")["sections"]
    listed = [name for section in sections for name in section["toctree"]]

    assert sorted(listed) == [path.stem for path in GUIDES]
    assert listed[0] == "guide_quickstart"


def test_the_readme_leads_to_every_guide() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\(docs/docsite/rst/(\w+)\.rst\)", readme))

    assert {path.stem for path in GUIDES} - linked == set()


@every_page
def test_a_guide_begins_with_a_label_of_its_name_and_has_a_title(page: Path) -> None:
    assert labels(page)[0] == LABEL + page.stem.removeprefix("guide_")
    text = page.read_text(encoding="utf-8")
    title = re.search(r"\n\n([^\n]+)\n(=+)\n\n", text)
    assert title
    assert len(title[1]) == len(title[2])


def test_no_label_is_given_twice_and_references_lead_to_one() -> None:
    known = [label for page in GUIDES for label in labels(page)]
    assert len(known) == len(set(known))
    for page in GUIDES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r":ref:`[^`<]*<([^>]+)>`", text):
            assert target in known, (page.name, target)


@pytest.mark.parametrize("example", every_block())
def test_an_example_can_be_read_by_what_it_is_for(example: Directive) -> None:
    check(example)


@every_page
def test_examples_say_their_language(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert not re.search(r"::\n\n {2,}\S", re.sub(r"^\.\. .*$", "", text, flags=re.MULTILINE))
    assert all(found.argument for found in blocks(page))


@every_page
def test_tables_have_as_many_cells_in_every_row(page: Path) -> None:
    for table in directives(page, "list-table"):
        rows = re.split(r"^\* ", table.text, flags=re.MULTILINE)[1:]
        widths = {len(re.findall(r"^(?:  )?- ?", row, re.MULTILINE)) for row in rows}
        assert len(widths) == 1, table.place
        assert len(table.options["widths"].split()) in widths, table.place


@every_page
def test_variables_and_names_of_the_collection_exist(page: Path) -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("plugins", "playbooks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yml")
    )
    text = page.read_text(encoding="utf-8")
    assert {name for name in VARIABLE.findall(text) if name not in code} == set()

    without_labels = re.sub(re.escape(LABEL) + r"[\w.]+", "", text)
    for name in set(re.findall(r"\baliops\.cloudmonitor\.([a-z_]+)", without_labels)):
        plugins = [f"plugins/{kind}/{name}.py" for kind in ("modules", "callback")]
        places = [*plugins, f"roles/{name}", f"playbooks/{name}.yml"]
        # "group/aliops.cloudmonitor.cloudmonitor" is the action group, ".git" the repository.
        known = name in ("cloudmonitor", "git")
        assert known or any((ROOT / place).exists() for place in places), name


@every_page
def test_make_targets_exist(page: Path) -> None:
    named = literals(page.read_text(encoding="utf-8")) + [one.text for one in blocks(page, "shell")]
    used = {name for text in named for name in re.findall(r"\bmake ([a-z-]+)", text)}
    assert used <= make_targets()


def test_the_repository_of_the_links_is_that_of_the_collection() -> None:
    links = read(DOCSITE / "links.yml")
    galaxy = read(ROOT / "galaxy.yml")

    repository = "https://github.com/" + links["edit_on_github"]["repository"]
    assert galaxy["repository"] == repository
    for link in links["extra_links"]:
        place = link["url"].partition("/blob/main/")[2]
        assert not place or (ROOT / place).exists(), place


@every_page
def test_links_into_the_repository_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = re.findall(
        r"https://github\.com/aliops/cloudmonitor/(?:blob|tree)/main/([^>#\s]+)", text
    )
    for place in links:
        assert (ROOT / place).exists(), place
