# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values and links as HTML, escaped and isolated. Pure."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .views import Link
from .words import cut

# A longer text is folded: its beginning is shown, and the reader can open the rest.
FOLDED_FROM = 90
_BEGINNING = 60
_BDI = Markup("<bdi>{}</bdi>")
_FOLDED = Markup("<details><summary>{}</summary>{}</details>")
_LINK = Markup('<a href="{}">{}</a>')
_TITLED = Markup('<span title="{}">{}</span>')


def environment(folder: str) -> Environment:
    """Return the environment of the templates in a folder: everything is escaped in it."""
    found = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(value=value, link=link)
    return found


@lru_cache(maxsize=1000)  # most rows of a table have the same few values
def value(text: str) -> Markup:
    """Return a text of a deployment; its direction does not affect the text around it."""
    if len(text) > FOLDED_FROM:
        return _FOLDED.format(_isolated(cut(text, _BEGINNING)), _isolated(text))
    return _isolated(text)


def link(one: Link) -> Markup:
    """Return a text with its link; a text without a link has its long form as a title."""
    if one.url is not None:
        return _LINK.format(one.url, _isolated(cut(one.text, _BEGINNING)))
    if one.full is not None:
        return _TITLED.format(one.full, _isolated(one.text))
    return value(one.text)


def _isolated(text: str) -> Markup:
    # Texts in ASCII have no other direction than the page.
    return Markup.escape(text) if text.isascii() else _BDI.format(text)
