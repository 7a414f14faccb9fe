# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the guides for the tests: their code blocks, tables and labels.

A code block is one that says its language::

    .. code-block:: yaml
       :caption: site.yml

       - hosts: all

The caption, if there is one, names the file that the reader writes.
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
GUIDES = ROOT / "docs" / "docsite" / "rst"
LABEL = "ansible_collections.aliops.cloudmonitor.docsite."

_DIRECTIVE = re.compile(r"^(?P<indent> *)\.\. (?P<name>[\w-]+):: *(?P<argument>.*)$")
_OPTION = re.compile(r"^:(?P<name>[\w-]+): *(?P<value>.*)$")
_SHELL = ("shell", "sh", "bash")


@dataclass(frozen=True)
class Directive:
    """A directive of a page: its argument (a block's language), options and dedented content."""

    path: Path
    line: int
    name: str
    argument: str
    options: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def caption(self) -> str:
        """The name of the file that a code block goes to, empty without one."""
        return self.options.get("caption", "")

    @property
    def place(self) -> str:
        """Where it stands, for messages and the ids of tests."""
        return f"{self.path.name}:{self.line}"


def guides() -> list[Path]:
    """Return every page below docs/docsite/rst, in the order of their names."""
    return sorted(GUIDES.glob("*.rst"))


def guide(name: str) -> Path:
    """Return the page of that name, without its ending."""
    return GUIDES / (name + ".rst")


def directives(path: Path, name: str) -> list[Directive]:
    """Return the directives of one name on a page, in their order."""
    return [found for found in _directives(path) if found.name == name]


def blocks(path: Path, *languages: str, caption: str | None = None) -> list[Directive]:
    """Return the code blocks of a page: those in these languages (default all), with a caption."""
    return [
        found
        for found in directives(path, "code-block")
        if (not languages or found.argument in languages)
        and (caption is None or found.caption == caption)
    ]


def shell(path: Path) -> list[Directive]:
    """Return the blocks of a page that a reader types into a shell."""
    return blocks(path, *_SHELL)


def block(path: Path, caption: str) -> Directive:
    """Return the one code block of a page with this caption; AssertionError when it is not one."""
    found = blocks(path, caption=caption)
    assert len(found) == 1, f"{path.name}: {len(found)} blocks called {caption}"
    return found[0]


def tables(path: Path) -> list[list[list[str]]]:
    """Return the list-tables of a page: rows of cells, the heading first, text as it is written."""
    return [_rows(found.text) for found in directives(path, "list-table")]


def labels(path: Path) -> list[str]:
    """Return the labels that a page defines."""
    return re.findall(r"^\.\. _([^:\n]+):$", path.read_text(encoding="utf-8"), re.MULTILINE)


def section(path: Path, title: str) -> str:
    """Return the text below a heading up to the next heading; AssertionError without it."""
    heading = rf"^(?:{re.escape(title)})\n([=\-~^\"'])\1{{2,}}\n"
    found = re.search(
        heading + r"(.*?)(?=^[^\n]+\n([=\-~^\"'])\3{2,}\n|\Z)",
        path.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{path.name} has no section {title}"
    return found.group(2)


def make_targets() -> set[str]:
    """Return the names that make accepts: the targets of the Makefile and the nox sessions."""
    targets = re.findall(r"^([a-z]+)[a-z ]*:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    noxfile = (ROOT / "noxfile.py").read_text("utf-8")
    sessions = re.findall(r"^def ([a-z]\w*)\(session", noxfile, re.MULTILINE)
    return {*targets, *sessions, *re.findall(r'@nox\.session\(name="([a-z-]+)"', noxfile)}


def literals(text: str) -> list[str]:
    """Return what stands in double backquotes."""
    return re.findall(r"``([^`]+)``", text)


def check(example: Directive) -> None:
    """See that a code block can be read by what it is for; raises AssertionError when not.

    Knows YAML, JSON, ini and shell; any other language must be ``text``.
    """
    language, text = example.argument, example.text
    try:
        if language in ("yaml", "yaml+jinja"):
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


def _directives(path: Path) -> Iterator[Directive]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        found = _DIRECTIVE.match(line)
        if found:
            options, text = _body(lines[number:], len(found["indent"]))
            yield Directive(path, number, found["name"], found["argument"], options, text)


def _body(lines: list[str], indent: int) -> tuple[dict[str, str], str]:
    """Return options and content of a directive from the lines that follow it."""
    inside = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        inside.append(line)
    body = textwrap.dedent("\n".join(inside)).splitlines()
    options = {}
    while body and (found := _OPTION.match(body[0])):
        options[found["name"]] = found["value"]
        body.pop(0)
    return options, "\n".join(body).strip("\n") + "\n"


def _rows(text: str) -> list[list[str]]:
    rows = []
    for item in re.split(r"^\* ", text, flags=re.MULTILINE)[1:]:
        cells = re.split(r"^- ?", textwrap.dedent("  " + item), flags=re.MULTILINE)[1:]
        rows.append([" ".join(cell.split()) for cell in cells])
    return rows
