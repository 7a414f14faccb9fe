# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings for "make docs": antsibull-docs' own (sphinx-init), but for links to Ansible.

Those are usually resolved with an inventory from docs.ansible.com (intersphinx). The build must
give the same on a machine without internet, and fail on a reference that leads nowhere, so the few
pages of Ansible's documentation that are referred to are listed here.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

project = "aliops.cloudmonitor"
copyright = "aliops.cloudmonitor contributors"  # noqa: A001 (Sphinx's name)
title = html_title = html_short_title = "aliops.cloudmonitor"

extensions = ["sphinx_antsibull_ext"]
nitpicky = True
default_role = "any"

pygments_style = "ansible"
highlight_language = "YAML+Jinja"
html_theme = "sphinx_ansible_theme"
html_theme_options = {
    "display_version": False,
    "topbar_links": {"Project": "https://github.com/aliops/cloudmonitor"},
    "vcs_pageview_mode": "",
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


def page_of_ansible(target: str) -> str | None:
    """Return the address of the page of Ansible's documentation that a label stands for, or None.

    The addresses are those of https://docs.ansible.com/projects/ansible/latest/objects.inv.
    """
    builtin = _BUILTIN.match(target)
    page = f"collections/ansible/builtin/{builtin[1]}.html" if builtin else PAGES.get(target)
    return page and ANSIBLE + page


def refer_to_ansible(_app: Sphinx, _env: Any, node: Any, content: Any) -> nodes.reference | None:
    """Resolve a reference that leads to Ansible's documentation; None leaves it to be an error."""
    address = page_of_ansible(node.get("reftarget", ""))
    if address is None:
        return None
    return nodes.reference("", "", content, internal=False, refuri=address)


def lead_home(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """Let the theme's logo lead to the first page, wherever the site lies."""
    context["theme_documentation_home_url"] = context["pathto"](app.config.root_doc)


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("missing-reference", refer_to_ansible)
    app.connect("html-page-context", lead_home)
