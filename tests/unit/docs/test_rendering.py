# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible Galaxy and GitHub show the pages without a lost block, table or list.

Galaxy renders README.md and docs/*.md with Python-Markdown (extension "extra") and cleans the
result with nh3; see galaxy_importer/utils/markup.py. GitHub follows CommonMark with tables, which
markdown-it-py renders. What one of them does not understand is in the rendered text, or missing.

Galaxy shows docs/NAME.md at .../docs/NAME/ and inserts the rendered page as it is, so a relative
link to another page leads to .../docs/NAME/OTHER.md, which does not exist, and headings have no
anchors (ansible-hub-ui, collection-docs.tsx). Therefore, each guide begins with a link to the same
page on the website, and the READMEs have no relative links.
"""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from docs_navigation import site_url

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    ROOT,
    blocks,
    guides,
    links,
)

markdown = pytest.importorskip("markdown", reason="Python-Markdown is not installed")
nh3 = pytest.importorskip("nh3", reason="nh3 is not installed")
markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")

READMES = [ROOT / "README.md", ROOT / "roles/deployment/README.md"]
PAGES = [*guides(), *READMES]
SITE = site_url()
COUNTED = ("pre", "table", "tr", "ul", "ol", "li", "h1", "h2", "h3", "a", "img")
# Of galaxy_importer/utils/markup.py.
TAGS = set(
    "h1 h2 h3 h4 h5 h6 b i strong em tt p br span div blockquote code pre hr ul ol li dd dt img a"
    " sub sup table thead th tr td".split()
)
ATTRIBUTES = {"*": {"id"}, "img": {"src", "alt", "title"}, "a": {"href", "alt", "title"}}
# Markup of Sphinx, and Markdown that was not understood.
RAW = re.compile(
    r"```|:::|^:[a-z-]+:|:[a-z]+:`|\{(?:ref|doc|term|toctree|note)\}|^\.\. |\]\(|\]\[|\*\*|<!--"
    r"|^\|.*\||^[-*] |^\d+\. |\[!|^#{1,6} ",
    re.MULTILINE,
)


class Rendered(HTMLParser):
    """Counts the elements of a rendered page, and keeps its text outside of code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.text = ""
        self._code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count an element."""
        self.elements[tag] += tag in COUNTED
        self._code += tag in ("pre", "code")

    def handle_endtag(self, tag: str) -> None:
        """Notice the end of code."""
        self._code -= tag in ("pre", "code")

    def handle_data(self, data: str) -> None:
        """Keep text that is not code."""
        self.text += "" if self._code else data


def on_galaxy(text: str) -> Rendered:
    html = markdown.markdown(text, extensions=["extra"])
    return Rendered(nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, strip_comments=True))


def on_github(text: str) -> Rendered:
    return Rendered(markdown_it.MarkdownIt("commonmark").enable("table").render(text))


def every_page() -> list[Any]:
    """Return the pages; the ids show the number of their code blocks."""
    return [
        pytest.param(page, id=f"{page.relative_to(ROOT)}: {len(blocks(page))} code blocks")
        for page in PAGES
    ]


@pytest.mark.parametrize("page", every_page())
def test_galaxy_and_github_show_everything(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    written = len(blocks(page))

    galaxy, github = on_galaxy(text), on_github(text)

    assert text.count("\n```") == 2 * written, "a fence inside a list or without an end"
    assert galaxy.elements["pre"] == github.elements["pre"] == written
    assert galaxy.elements == github.elements
    for shown in (galaxy, github):
        assert RAW.findall(shown.text) == []


@pytest.mark.parametrize("page", guides(), ids=lambda page: page.stem)
def test_a_guide_begins_with_a_link_to_the_website_for_readers_on_galaxy(page: Path) -> None:
    address = SITE + ("" if page.stem == "index" else f"{page.stem}.html")
    note = (
        "On Ansible Galaxy, links between pages do not work.\n"
        f"[Read this page on the website]({address}).\n\n"
    )

    text = page.read_text(encoding="utf-8")

    assert re.search(r"^# .*\n\n", text, re.MULTILINE)
    assert re.split(r"^# .*\n\n", text, maxsplit=1, flags=re.MULTILINE)[1].startswith(note)


@pytest.mark.parametrize("page", READMES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_readme_has_no_relative_links(page: Path) -> None:
    assert [link for link in links(page.read_text(encoding="utf-8")) if "://" not in link] == []


@pytest.mark.parametrize(
    "text",
    [
        "```yaml title=site.yml\na: 1\n```\n",
        "- item\n\n  ```yaml\n  a: 1\n  ```\n",
        "text:\n- item\n- item\n",
        "```{toctree}\nquickstart\n```\n",
        "See {ref}`this`.\n",
        ".. code-block:: yaml\n",
        "> [!NOTE]\n> text\n",
        "text\n| a | b |\n| --- | --- |\n| 1 | 2 |\n",
        "- item\n  - inner\n",
    ],
)
def test_markup_that_one_of_them_loses_is_noticed(text: str) -> None:
    galaxy, github = on_galaxy(text), on_github(text)

    differ = galaxy.elements != github.elements
    assert differ or RAW.search(galaxy.text) or RAW.search(github.text) or "{" in text
