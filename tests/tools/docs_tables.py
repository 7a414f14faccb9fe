# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rewrites the generated regions of the guides from the definitions in the code.

A region lies between two comments that name it::

    <!-- begin: options callback -->
    <!-- end: options callback -->

usage: python docs_tables.py [--check] (with --check, nothing is written)
"""

from __future__ import annotations

import ast
import contextlib
import functools
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import bench_figures
import yaml
from bench_figures import Figures

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "make format"

_REGION = re.compile(
    r"(?P<begin><!-- begin: (?P<name>[\w ]+) -->\n)(?P<body>.*?)(?P<end><!-- end: (?P=name) -->)",
    re.DOTALL,
)
# O(option), V(value) and their like become code; a plugin keeps its name without its kind.
_MARKUP = re.compile(r"\b(?:O|V|C|M|E|P|RV|F|I|B)\(([^()]*)\)")
_LAUNCH = "plugins/plugin_utils/_outbox/launch.py"
_COURIER = ("_PATH_LIST_VARIABLES", "_PATH_VARIABLES", "_VARIABLES")

Options = dict[str, dict[str, Any]]


def regions(text: str) -> list[str]:
    """Return the names of the regions of a page."""
    return [found["name"] for found in _REGION.finditer(text)]


def rewrite(text: str) -> str:
    """Return a page with its regions written anew. Raises KeyError for an unknown region."""
    return _REGION.sub(_region, text)


def outdated(folder: Path, *, write: bool) -> list[str]:
    """Return the names of the pages whose regions differ; with ``write``, correct them."""
    names = []
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = rewrite(text)
        if new != text:
            names.append(page.name)
            if write:
                page.write_text(new, encoding="utf-8")
    return names


def _region(found: re.Match[str]) -> str:
    return f"{found['begin']}\n{CONTENTS[found['name']]()}\n{found['end']}"


def _constants(path: str) -> dict[str, Any]:
    """Return the literal assignments of a Python file; the outermost one of a name comes first."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    known: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            with contextlib.suppress(ValueError):
                known.setdefault(node.targets[0].id, ast.literal_eval(node.value))
    return known


def _documented(path: str, constant: str = "DOCUMENTATION") -> Options:
    options: Options = yaml.safe_load(_constants(path)[constant])["options"]
    return options


def _reporting_module(name: str) -> Options:
    fragment = _documented("plugins/doc_fragments/reporting.py")
    return {**_documented(f"plugins/modules/{name}.py"), **fragment}


def _role() -> Options:
    text = (ROOT / "roles/deployment/meta/argument_specs.yml").read_text(encoding="utf-8")
    options: Options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    return options


def _markdown(text: str) -> str:
    """Return a text in the markup of ansible-doc as Markdown."""
    return _MARKUP.sub(lambda found: f"`{found[1].partition('#')[0]}`", text).replace("|", r"\|")


def _description(option: dict[str, Any]) -> str:
    """Return the first paragraph of an option's description, and its choices."""
    description = option["description"]
    first = description if isinstance(description, str) else description[0]
    text = _markdown(" ".join(first.split()))
    choices = [f"`{choice}`" for choice in option.get("choices", [])]
    unnamed = [choice for choice in choices if choice not in text]
    return f"{text} One of {', '.join(choices)}." if unnamed else text


def _default(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "required"
    default = option.get("default")
    if default in (None, [], {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def _options(options: Options) -> str:
    rows = [(f"`{name}`", _default(one), _description(one)) for name, one in options.items()]
    return _table(("Option", "Default", "Description"), rows)


def _connection() -> str:
    path = "plugins/doc_fragments/connection.py"
    plugin = _documented(path, "PLUGIN")  # Ansible uses the last variable that is set
    rows = []
    for name, option in _documented(path).items():
        variables = [f"`{entry['name']}`" for entry in reversed(plugin[name]["env"])]
        rows.append((f"`{name}`", _default(option), ", ".join(variables), _description(option)))
    return _table(("Option", "Default", "Environment variables", "Description"), rows)


def _courier_environment() -> str:
    constants = _constants(_LAUNCH)
    known = {name for constant in _COURIER for name in constants[constant]}
    names = sorted(known, key=lambda name: (name.lower(), name))
    return "```text\n" + "".join(f"{name}\n" for name in names) + "```\n"


def _figures(table: Callable[[Figures], str]) -> str:
    """Return a table of the stored figures of the benchmark."""
    text = (ROOT / "docs" / "performance.json").read_text(encoding="utf-8")
    figures = Figures.parse(text)
    return table(figures) if figures.rows else "Not measured yet. Run `make bench`.\n"


CONTENTS: dict[str, Callable[[], str]] = {
    "options callback": lambda: _options(_documented("plugins/callback/deployment_events.py")),
    "options connection": _connection,
    "options custom_event": lambda: _options(_reporting_module("custom_event")),
    "options custom_event_info": lambda: _options(
        _documented("plugins/modules/custom_event_info.py")
    ),
    "options custom_event_rule": lambda: _options(
        _documented("plugins/modules/custom_event_rule.py")
    ),
    "options deployment_event": lambda: _options(_reporting_module("deployment_event")),
    "options flush_outbox": lambda: _options(_documented("plugins/modules/flush_outbox.py")),
    "variables role": lambda: _options(_role()).replace("| Option |", "| Variable |", 1),
    "courier environment": _courier_environment,
    "figures setup": functools.partial(_figures, bench_figures.setup),
    "figures callbacks": functools.partial(_figures, bench_figures.callbacks),
    "figures unforked": functools.partial(_figures, bench_figures.unforked),
    "figures backlog": functools.partial(_figures, bench_figures.backlog),
    "figures tasks": functools.partial(_figures, bench_figures.tasks),
}


def main(arguments: list[str]) -> int:
    """Write the regions, or check them; return 1 if a check finds an outdated page, else 0."""
    check = arguments == ["--check"]
    names = outdated(ROOT / "docs", write=not check)
    for name in names:
        print(f"{'outdated' if check else 'rewritten'}: docs/{name}")
    return 1 if check and names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
