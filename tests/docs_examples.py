# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the guides for the tests: their code blocks, tables, headings and links.

A code block is fenced and names its language. A line above it can name its file::

    **`site.yml`**

    ```yaml
    - hosts: all
    ```
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
GUIDES = ROOT / "docs"

_FENCE = re.compile(
    r"(?:^\*\*`(?P<title>[^`\n]+)`\*\*\n\n)?"
    r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^(?P<level>#{1,6}) (?P<title>.+)$", re.MULTILINE)
_ROW = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELL = ("sh", "shell", "bash")


@dataclass(frozen=True)
class Block:
    """A code block: where it is, its language, its text, and the file it belongs to (or None)."""

    path: Path
    line: int
    language: str
    text: str
    title: str | None = None

    @property
    def place(self) -> str:
        """The page and the line, for messages and the ids of tests."""
        return f"{self.path.name}:{self.line}"


def guides() -> list[Path]:
    """Return every page in the folder docs, in the order of their names."""
    return sorted(GUIDES.glob("*.md"))


def guide(name: str) -> Path:
    """Return the page of that name, without its ending."""
    return GUIDES / f"{name}.md"


def blocks(path: Path, *languages: str) -> list[Block]:
    """Return the code blocks of a page: all, or those in these languages."""
    text = path.read_text(encoding="utf-8")
    found = [
        Block(
            path,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["text"],
            match["title"],
        )
        for match in _FENCE.finditer(text)
    ]
    return [one for one in found if not languages or one.language in languages]


def shell(path: Path) -> list[Block]:
    """Return the blocks of a page that a reader types into a shell."""
    return blocks(path, *_SHELL)


def block(path: Path, title: str) -> Block:
    """Return the only code block of a page with this title; AssertionError for none or several."""
    found = [one for one in blocks(path) if one.title == title]
    assert len(found) == 1, f"{path.name}: {len(found)} blocks called {title}"
    return found[0]


def without_code(text: str) -> str:
    """Return a page without its code blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)


def tables(path: Path) -> list[list[list[str]]]:
    """Return the tables of a page as rows of cells, the heading first, in the text's own markup."""
    text = without_code(path.read_text(encoding="utf-8"))
    found = re.findall(r"^\|.*\|\n\|[ :|-]+\|\n(?:\|.*\|\n)*", text, re.MULTILINE)
    return [
        [_cells(line) for number, line in enumerate(table.splitlines()) if number != 1]
        for table in found
    ]


def headings(text: str) -> list[str]:
    """Return the headings of a page, in order and in its own markup."""
    return [found["title"] for found in _HEADING.finditer(without_code(text))]


def anchors(text: str) -> list[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    known: dict[str, int] = {}
    found = []
    for title in headings(text):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        number = known.get(slug, 0)
        known[slug] = number + 1
        found.append(f"{slug}-{number}" if number else slug)
    return found


def section(path: Path, title: str) -> str:
    """Return the text below a heading up to the next one of its level or above."""
    text = path.read_text(encoding="utf-8")
    masked = _FENCE.sub(lambda code: re.sub(r"\S", " ", code[0]), text)  # a "#" there is no heading
    found = re.search(rf"^(#+) {re.escape(title)}\n", masked, re.MULTILINE)
    assert found, f"{path.name} has no section {title}"
    end = re.search(rf"^#{{1,{len(found[1])}}} ", masked[found.end() :], re.MULTILINE)
    return text[found.end() :][: end.start() if end else None]


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures of a page."""
    return _LINK.findall(without_code(text))


def make_targets() -> set[str]:
    """Return the names that make accepts: the targets of the Makefile and the nox sessions."""
    targets = re.findall(r"^([a-z]+)[a-z ]*:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = re.findall(r"^def ([a-z]\w*)\(session", noxfile, re.MULTILINE)
    return {*targets, *sessions, *re.findall(r'@nox\.session\(name="([a-z-]+)"', noxfile)}


def literals(text: str) -> list[str]:
    """Return the words in backquotes."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)


def check(example: Block) -> None:
    """Check that a code block can be parsed as its language; AssertionError if not.

    Knows YAML, JSON, ini and shell; any other language must be ``text``.
    """
    language, text = example.language, example.text
    try:
        if language == "yaml":
            assert any(yaml.safe_load_all(text)), f"{example.place}: empty"
        elif language == "json":
            json.loads(text)
        elif language == "ini":
            parser = configparser.ConfigParser(interpolation=None, allow_no_value=True)
            parser.read_string(text)
            assert parser.sections(), f"{example.place}: no section"
        elif language in _SHELL:
            done = subprocess.run(
                ["bash", "-n"], input=text, capture_output=True, text=True, check=False
            )
            assert (done.returncode, done.stderr) == (0, ""), example.place
            assert text.strip(), f"{example.place}: empty"
        else:
            assert language == "text", f"{example.place}: unknown language {language}"
    except (yaml.YAMLError, ValueError, configparser.Error) as exc:
        raise AssertionError(f"{example.place}: {exc}") from exc


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _ROW.split(line)[1:-1]]
