# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects the texts that the code may show to people, and those that a page shows.

In the code a text is any string of two words or more that is no documentation; in both, what
varies becomes ``<>``: a ``%s``, a ``{name}`` of an f-string, a ``<name>`` on the page.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import blocks

GAP = "<>"

_PERCENT = re.compile(r"%[-#0+]*\d*(?:\.\d+)?[srdoxgf]")
_NAMED = re.compile(r"<[^<>\n]*>", re.DOTALL)
_WORD = re.compile(r"[A-Za-z']{2,}")
_DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
_TASK_TEXTS = ("msg", "fail_msg", "success_msg")


def texts_of_code(source: str) -> set[str]:
    """Return the texts of a Python file, in one line each."""
    found = (_one_line(text) for text in _strings(ast.parse(source)))
    return {text for text in found if _is_text(text)}


def texts_of_tasks(source: str) -> set[str]:
    """Return the texts of a file of tasks or plays, in one line each."""
    found = (_one_line(re.sub(r"{{.*?}}", GAP, text)) for text in _told(yaml.safe_load(source)))
    return {text for text in found if _is_text(text)}


def texts_of_page(path: Path) -> list[str]:
    """Return the texts of a page: the lines of its text blocks; an indented one goes on."""
    found: list[str] = []
    for block in blocks(path, "text"):
        for line in block.text.splitlines():
            if line.startswith(" "):
                found[-1] += " " + line.strip()
            elif line:
                found.append(line)
    return [_one_line(_NAMED.sub(GAP, text)) for text in found]


def _strings(node: ast.AST) -> Iterator[str]:
    """Yield the strings of a tree, but for docstrings and the documentation of plugins."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield _PERCENT.sub(GAP, node.value)
        return
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values
        )
    for child in _children(node):
        yield from _strings(child)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if _DOCUMENTATION & {getattr(target, "id", "") for target in targets}:
        return
    skipped: ast.AST | None = None
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and node.body:
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            skipped = first
    for child in ast.iter_child_nodes(node):
        # The constant parts of an f-string are in its text; what fills its gaps may be a text, too.
        part = isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)
        if child is not skipped and not part:
            yield child


def _told(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name in _TASK_TEXTS and isinstance(value, str):
                yield value
            else:
                yield from _told(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from _told(item)


def _is_text(text: str) -> bool:
    return len(_WORD.findall(text.replace(GAP, " "))) >= 2 and " " in text


def _one_line(text: str) -> str:
    return " ".join(text.split())
