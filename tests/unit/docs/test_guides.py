# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guides are complete, their links lead somewhere, and their examples can be parsed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import docs_tables
import pytest
import yaml
from docs_navigation import REFERENCE, pages, site_url

from ansible_collections.aliops.cloudmonitor.plugins.modules import custom_event
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    ROOT,
    Block,
    anchors,
    blocks,
    check,
    guide,
    guides,
    headings,
    links,
    literals,
    tables,
    without_code,
)

GUIDES = guides()
README = ROOT / "README.md"
REPOSITORY = "https://github.com/aliops/cloudmonitor/"
SITE = site_url()
VARIABLE = re.compile(r"\b(?:ALICLOUD|CLOUDMONITOR|RECEIVER)_[A-Z_]*[A-Z]\b")

every_guide = pytest.mark.parametrize("page", GUIDES, ids=lambda path: path.stem)
every_page = pytest.mark.parametrize("page", [*GUIDES, README], ids=lambda path: path.stem)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def every_block() -> list[Any]:
    return [pytest.param(found, id=found.place) for page in GUIDES for found in blocks(page)]


def test_every_guide_is_in_the_navigation_once() -> None:
    listed = [name for name in pages() if not name.startswith(REFERENCE)]

    assert sorted(listed) == sorted(path.stem for path in GUIDES if path.stem != "index")
    assert listed[0] == "quickstart"


@every_guide
def test_a_guide_has_one_title(page: Path) -> None:
    assert len(re.findall(r"^# ", without_code(read(page)), re.MULTILINE)) == 1


@every_page
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    for link in links(read(page)):
        target, _unused, fragment = link.partition("#")
        if target.startswith("https://"):
            continue
        there = page.parent / target if target else page
        assert there.exists(), link
        # The site makes links to other folders of the repository lead to GitHub.
        assert not target.startswith("../docs") or page == README, link
        if fragment:
            assert fragment in anchors(read(there)), link


@every_page
def test_links_into_the_repository_and_the_site_lead_to_files(page: Path) -> None:
    for link in links(read(page)):
        place = re.match(re.escape(REPOSITORY) + r"(?:blob|tree)/main/([^#]+)", link)
        assert not place or (ROOT / place[1]).exists(), link
        if link.startswith(SITE):
            name = link.removeprefix(SITE).partition("#")[0].removesuffix(".html")
            assert name in ["", *pages()], link


@pytest.mark.parametrize("example", every_block())
def test_an_example_can_be_parsed_as_its_language(example: Block) -> None:
    check(example)


@every_page
def test_tables_have_as_many_cells_in_every_row(page: Path) -> None:
    for table in tables(page):
        assert len({len(row) for row in table}) == 1, table[0]


def test_generated_regions_are_up_to_date() -> None:
    assert sum(len(docs_tables.regions(read(page))) for page in GUIDES) > 4

    outdated = docs_tables.outdated(ROOT / "docs", write=False)
    assert outdated == [], f"run: {docs_tables.COMMAND}"


def test_every_kind_of_error_has_a_section() -> None:
    text = yaml.safe_load(custom_event.RETURN)["error"]["contains"]["kind"]["description"]
    kinds = {*re.findall(r"V\((\w+)\)", str(text)), "outbox"}  # outbox is a kind of flush_outbox
    explained = {
        title.strip("`")
        for title in headings(read(guide("troubleshooting")))
        if re.fullmatch("`[a-z_]+`", title)
    }

    assert explained == kinds


def test_the_keys_of_the_content_are_those_of_the_schema() -> None:
    schema = yaml.safe_load(read(ROOT / "docs/deployment-event.schema.json"))
    table = next(rows for rows in tables(guide("events")) if rows[0][0] == "Key")

    assert [key for row in table[1:] for key in literals(row[0])] == list(schema["properties"])


@every_page
def test_variables_and_names_of_the_collection_exist(page: Path) -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("plugins", "playbooks")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".yml")
    )
    text = read(page)
    assert {name for name in VARIABLE.findall(text) if name not in code} == set()

    for name in set(re.findall(r"\baliops\.cloudmonitor\.([a-z_]+)", text)):
        plugins = [f"plugins/{kind}/{name}.py" for kind in ("modules", "callback")]
        places = [*plugins, f"roles/{name}", f"playbooks/{name}.yml"]
        # "group/aliops.cloudmonitor.cloudmonitor" is the action group, ".git" the repository.
        known = name in ("cloudmonitor", "git")
        assert known or any((ROOT / place).exists() for place in places), name


def test_the_repository_of_the_links_is_that_of_the_collection() -> None:
    settings = yaml.safe_load(read(ROOT / "docs/docsite/links.yml"))
    galaxy = yaml.safe_load(read(ROOT / "galaxy.yml"))

    assert galaxy["repository"] + "/" == REPOSITORY
    assert galaxy["documentation"] == SITE
    assert REPOSITORY.endswith(settings["edit_on_github"]["repository"] + "/")
    for link in settings["extra_links"]:
        place = link["url"].partition("/blob/main/")[2]
        assert not place or (ROOT / place).exists(), place
