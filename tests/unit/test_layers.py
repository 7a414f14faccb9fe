# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The architecture: imports point down only, and HTTP is in one file."""

from __future__ import annotations

import ast
import functools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
FILES = sorted(PLUGINS.rglob("*.py"))
OWN = "ansible_collections.aliops.cloudmonitor."

# The folder of a file, what of plugins/ it may import, and what of Ansible. The first match counts.
FOLDERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("module_utils/_api", ("module_utils/_api", "module_utils/_version"), ()),
    ("module_utils", ("module_utils",), ("ansible.module_utils",)),
    (
        "plugin_utils/_deployment",
        ("plugin_utils/_deployment", "module_utils/_api"),
        (),
    ),
    (
        "plugin_utils/_outbox",
        ("plugin_utils/_outbox", "plugin_utils/_deployment", "module_utils/_api"),
        (),
    ),
    (
        "plugin_utils/_history",
        ("plugin_utils/_history", "plugin_utils/_outbox", "plugin_utils/_deployment",
         "module_utils/_api", "module_utils/_version"),
        (),
    ),
    ("plugin_utils/_check", ("plugin_utils", "module_utils"), ("ansible",)),
    (
        "plugin_utils/_openapi",
        ("plugin_utils/_openapi", "plugin_utils/_history", "plugin_utils/_outbox/history",
         "module_utils"),
        ("ansible.module_utils",),
    ),
    (
        "plugin_utils/_callback",
        ("plugin_utils/_callback", "plugin_utils/_config", "plugin_utils/_outbox",
         "plugin_utils/_deployment", "module_utils"),
        ("ansible",),
    ),
    (
        "plugin_utils/_tasks",
        ("plugin_utils/_tasks", "plugin_utils/_config", "plugin_utils/_outbox",
         "plugin_utils/_history", "plugin_utils/_deployment", "module_utils"),
        ("ansible",),
    ),
    ("plugin_utils/_config.py", ("module_utils", "plugin_utils/_environment"), ("ansible",)),
    ("plugin_utils/_environment.py", (), ("ansible",)),
    ("action", ("plugin_utils", "module_utils"), ("ansible",)),
    ("callback", ("plugin_utils", "module_utils"), ("ansible",)),
    ("modules", ("module_utils",), ("ansible.module_utils",)),
    ("doc_fragments", (), ()),
)  # fmt: skip
# Third-party packages, and the only files that may import each.
THIRD_PARTY = {
    "certifi": ("module_utils/_api/transport.py",),
    "urllib3": ("module_utils/_api/transport.py",),
    "alibabacloud_credentials": ("module_utils/_api/credentials.py",),
    "typing_extensions": ("module_utils/_api/frozen.py",),  # for type checkers only
    "jinja2": (
        "plugin_utils/_callback/context_vars.py",
        "plugin_utils/_history/markup.py",
        "plugin_utils/_history/page.py",
    ),
    "markupsafe": ("plugin_utils/_history/markup.py",),
}


@functools.cache
def imports_of(path: Path) -> set[str]:
    """Return the absolute dotted names of all that a file imports, wherever in the file."""
    package = (OWN + ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])).split(".")
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            found.add(".".join([*base, *([node.module] if node.module else [])]))
    return found


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def label(path: Path) -> str:
    return path.relative_to(PLUGINS).as_posix()


@pytest.mark.parametrize("path", FILES, ids=label)
def test_a_plugin_imports_only_what_its_folder_may(path: Path) -> None:
    own, of_ansible = next(
        rule for folder, *rule in FOLDERS if path.is_relative_to(PLUGINS / folder)
    )
    for name in imports_of(path):
        top = name.split(".")[0]
        if name.startswith(OWN):
            packages = (f"{OWN}plugins.{folder.replace('/', '.')}" for folder in own)
            assert any(is_within(name, package) for package in packages), name
        elif top == "ansible":
            assert any(is_within(name, package) for package in of_ansible), name
        elif top in THIRD_PARTY:
            assert label(path) in THIRD_PARTY[top], name
        else:
            assert top in sys.stdlib_module_names, name


def test_no_two_files_import_each_other() -> None:
    names = {OWN + ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in FILES}
    waiting = {name: imports_of(path) & set(names) for name, path in names.items()}
    while waiting:
        ready = [name for name, needed in waiting.items() if not needed & set(waiting)]
        assert ready, f"a circle among {sorted(waiting)}"
        for name in ready:
            del waiting[name]


# What creates, changes or removes a file, and the files of the outbox that may do so.
WRITING = frozenset(
    "write_text write_bytes mkdir makedirs unlink rename replace rmdir rmtree touch utime "
    "ftruncate truncate link symlink_to chmod fsync".split()
)
STORAGE = ("files.py", "storage.py", "code_cache.py", "dead_letters.py", "log.py", "history.py")


@pytest.mark.parametrize("path", sorted((PLUGINS / "plugin_utils/_outbox").glob("*.py")), ids=label)
def test_only_the_storage_of_the_outbox_writes_files(path: Path) -> None:
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        # str.replace and dataclasses.replace write nothing.
        if node.func.attr != "replace" or getattr(node.func.value, "id", "") == "os"
    }
    if path.name not in STORAGE:
        assert not calls & WRITING


def reached_from(start: str) -> set[str]:
    """Return the names of all that a file imports, and what it imports imports, and so on."""
    found: set[str] = set()
    waiting = [OWN + "plugins." + start.replace("/", ".")]
    while waiting:
        name = waiting.pop()
        path = (ROOT / name.removeprefix(OWN).replace(".", "/")).with_suffix(".py")
        new = imports_of(path) - found if path.exists() else set()
        found |= new
        waiting += [one for one in new if one.startswith(OWN)]
    return found


def test_the_courier_knows_nothing_of_ansible() -> None:
    reached = reached_from("plugin_utils/_outbox/courier")

    assert "urllib3" in reached
    assert not {name for name in reached if name.split(".")[0] in ("ansible", "jinja2")}


def test_the_callback_reaches_no_http_library() -> None:
    reached = reached_from("callback/deployment_events")

    assert "subprocess" in reached
    banned = {"requests", "urllib3", "http", "socketserver", "concurrent", "asyncio"}
    assert not {name for name in reached if name.split(".")[0] in banned}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "playbooks" / "files").rglob("*.py")), ids=lambda p: p.name
)
def test_the_receiver_shares_no_code_with_what_it_verifies(path: Path) -> None:
    for name in imports_of(path):
        own = is_within(name, OWN + "playbooks.files.receiver") or name.startswith("receiver.")
        assert own or name.split(".")[0] in sys.stdlib_module_names, name


def test_the_layers_were_really_looked_at() -> None:
    names = {label(path) for path in FILES}

    assert {
        "module_utils/_api/transport.py",
        "action/custom_event.py",
        "modules/custom_event.py",
    } <= names
    assert "urllib3" in imports_of(PLUGINS / "module_utils/_api/transport.py")
    assert OWN + "plugins.module_utils._event_task" in imports_of(
        PLUGINS / "modules/custom_event.py"
    )


@pytest.mark.parametrize(
    "name",
    "signature event timestamp batch endpoint response redact errors".split(),
)
def test_pure_files_touch_no_clock_no_file_and_no_network(name: str) -> None:
    imported = {item.split(".")[0] for item in imports_of(PLUGINS / f"module_utils/_api/{name}.py")}

    assert not imported & {"time", "random", "os", "socket", "threading", "logging", "subprocess"}
