# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold the files to the project's own rules: licence header, length of files and functions.

usage: python check_rules.py FOLDER (the collection)
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

HEADER = """\
# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
FILE_LINES = 400
FUNCTION_LINES = 60


def check_python(text: str) -> Iterator[str]:
    """Yield what is wrong with the text of a Python file."""
    lines = text.count("\n")
    if lines >= FILE_LINES:
        yield f"{lines} lines, {FILE_LINES - 1} is the limit: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length >= FUNCTION_LINES:
                yield f"{node.name}() has {length} lines, {FUNCTION_LINES - 1} is the limit"


def check(path: Path) -> Iterator[str]:
    """Yield what is wrong with one file."""
    text = path.read_text(encoding="utf-8")
    first, rest = (text + "\n").split("\n", maxsplit=1)
    starts = rest if first.startswith("#!") or first == "---" else text
    if not starts.startswith(HEADER):
        yield "does not begin with the licence header"
    if path.suffix == ".py":
        yield from check_python(text)


def main(root: Path) -> int:
    """Print every breach in the folder; return 1 when there is one, else 0."""
    breaches = 0
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts[:-1])
        if hidden or path.suffix not in {".py", ".sh", ".yml", ".yaml"} or not path.is_file():
            continue
        # Release notes: removed at the release, and written by antsibull-changelog then.
        if path.parent.name == "fragments" or path.name == "changelog.yaml":
            continue
        for breach in check(path):
            print(f"{path.relative_to(root)}: {breach}")
            breaches += 1
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
