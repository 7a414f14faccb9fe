# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for the documentation site.

References to Ansible's documentation are usually resolved with an inventory from docs.ansible.com
(intersphinx). The build must also work without internet, and fail on a reference that leads
nowhere, so the few pages of Ansible that are referred to are listed here.
"""

from __future__ import annotations

import os
import re
from typing import Any

from bs4 import BeautifulSoup
from docs_navigation import site_url, toctrees
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

REPOSITORY = "https://github.com/aliops/cloudmonitor/"

project = "aliops.cloudmonitor"
copyright = "aliops.cloudmonitor contributors"  # noqa: A001 (Sphinx's name)

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_heading_anchors = 4
nitpicky = True
default_role = "any"

antsibull_ext_color_scheme = "none"  # style.css has the colors, for light and dark
highlight_language = "yaml+jinja"
html_theme = "furo"
html_title = html_short_title = "aliops.cloudmonitor"
html_baseurl = site_url()
html_static_path = ["static"]
html_css_files = ["style.css"]
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": [],
}
html_show_sphinx = False
html_use_smartypants = False  # an option that is copied must keep its two hyphens
html_use_index = False
html_copy_source = False

ANSIBLE = "https://docs.ansible.com/projects/ansible/latest/"
PAGES = {
    "action_plugins": "plugins/action.html",
    "callback_plugins": "plugins/callback.html",
    "common_return_values": "reference_appendices/common_return_values.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
}
_BUILTIN = re.compile(r"ansible_collections\.ansible\.builtin\.(\w+_(?:module|strategy))$")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_LOGGER = logging.getLogger(__name__)


def ansible_page(target: str) -> str | None:
    """Return the address of the page of Ansible's documentation for a label, or None.

    The addresses are those of https://docs.ansible.com/projects/ansible/latest/objects.inv.
    """
    builtin = _BUILTIN.match(target)
    page = f"collections/ansible/builtin/{builtin[1]}.html" if builtin else PAGES.get(target)
    return page and ANSIBLE + page


def refer_to_ansible(_app: Sphinx, _env: Any, node: Any, content: Any) -> nodes.reference | None:
    """Resolve a reference to Ansible's documentation; None keeps it an error."""
    address = ansible_page(node.get("reftarget", ""))
    if address is None:
        return None
    return nodes.reference("", "", content, internal=False, refuri=address)


def _published(link: re.Match[str]) -> str:
    """Return a link of a guide as it is on the site."""
    target = link["target"]
    if re.match(r"https?:|#|images/|[\w-]+\.md(#|$)", target):
        return link[0]
    return f"]({REPOSITORY}blob/main/{os.path.normpath('docs/' + target)})"


def adapt_source(_app: Sphinx, name: str, text: list[str]) -> None:
    """Adapt a page, whose source is plain Markdown for GitHub and Galaxy.

    Links to other files of the repository lead to GitHub. The first page gets the navigation.
    """
    text[0] = _LINK.sub(_published, text[0])
    if name == "index":
        text[0] += "\n" + toctrees()


def refer_to_this_site(app: Sphinx, tree: nodes.document, name: str) -> None:
    """Make links to the published site, which work everywhere, links inside this build."""
    for node in tree.findall(nodes.reference):
        address = node.get("refuri", "")
        if not address.startswith(html_baseurl):
            continue
        page, mark, fragment = address.removeprefix(html_baseurl).partition("#")
        target = page.removesuffix(".html") or "index"
        if target in app.env.found_docs:
            node["refuri"] = app.builder.get_relative_uri(name, target) + mark + fragment
            node["internal"] = True
            node["classes"] = []
        else:
            _LOGGER.warning("no page %s in this site", address, location=node)


def label_cells(
    _app: Sphinx, _name: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Give each cell of a table the heading of its column, which phones show beside it."""
    if "<table" not in context.get("body", ""):
        return
    body = BeautifulSoup(context["body"], "html.parser")
    for table in body.select("table:not(.ansible-option-table)"):
        titles = [cell.get_text(" ", strip=True) for cell in table.select("thead th")]
        for row in table.select("tbody tr"):
            for title, cell in zip(titles, row.find_all("td"), strict=False):
                cell["data-label"] = title
                if not cell.get_text(strip=True):
                    cell["class"] = "empty"
    context["body"] = str(body)


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("missing-reference", refer_to_ansible)
    app.connect("source-read", adapt_source)
    app.connect("doctree-resolved", refer_to_this_site)
    app.connect("html-page-context", label_cells)
