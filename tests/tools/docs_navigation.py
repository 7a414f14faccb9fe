# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The navigation of the documentation site, which docs_site/navigation.yml defines."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = Path(__file__).resolve().parent / "docs_site"
REFERENCE = "reference/"

# Group -> entries: the title (None: that of the page), and the page's name or an address.
Navigation = dict[str, list[tuple[str | None, str]]]


def read_navigation() -> Navigation:
    """Return the groups of the navigation with their entries."""
    text = (SETTINGS / "navigation.yml").read_text(encoding="utf-8")
    groups: dict[str, list[str | dict[str, str]]] = yaml.safe_load(text)
    return {
        group: [
            (None, entry) if isinstance(entry, str) else next(iter(entry.items()))
            for entry in entries
        ]
        for group, entries in groups.items()
    }


def pages() -> list[str]:
    """Return the names of the pages in the navigation, without addresses of other sites."""
    names = [name for entries in read_navigation().values() for _title, name in entries]
    return [name for name in names if "://" not in name]


def site_url() -> str:
    """Return the address at which the site is published, from galaxy.yml; it ends with a slash."""
    metadata = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    return str(metadata["documentation"])


def toctrees() -> str:
    """Return the navigation as hidden MyST toctrees, which the first page gets."""
    parts = []
    for group, entries in read_navigation().items():
        lines = [f"{title} <{name}>" if title else name for title, name in entries]
        parts.append(f"```{{toctree}}\n:hidden:\n:caption: {group}\n\n" + "\n".join(lines))
    return "\n```\n\n".join(parts) + "\n```\n"
