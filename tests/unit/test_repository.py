# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the repository that no linter checks."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tools"))
import check_tag  # noqa: E402


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_functions_have_less_than_60_lines() -> None:
    for folder in ("plugins", "playbooks", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    assert lines < 60, f"{path}: {node.name} has {lines} lines"


def test_the_root_shows_at_most_18_entries() -> None:
    entries = [path.name for path in ROOT.iterdir() if not path.name.startswith(".")]

    assert len(entries) <= 18, sorted(entries)


def test_sanity_tests_have_no_exceptions() -> None:
    assert [*ROOT.glob("tests/sanity/ignore-*.txt")] == []


def test_the_current_version_can_be_tagged() -> None:
    version = load("galaxy.yml")["version"]
    faults = [fault for fault in check_tag.find_faults(version, ROOT) if "fragments" not in fault]

    assert faults == []  # fragments are allowed between two releases
    assert check_tag.find_faults("v" + version, ROOT) != []


def test_the_changelog_lists_every_module_of_a_release() -> None:
    releases = load("changelogs/changelog.yaml")["releases"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("\\", "")

    assert re.findall(r"^## v(\S+)$", text, re.MULTILINE) == sorted(releases, reverse=True)
    modules = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        for added in re.findall(r"^version_added: (\S+)$", path.read_text("utf-8"), re.MULTILINE)
        if added in releases
    }
    listed = {one["name"] for release in releases.values() for one in release.get("modules", [])}
    assert listed == modules
    assert all(f"aliops.cloudmonitor.{name} - " in text for name in listed)
