# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns select playbooks by every name that users have for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.playbooks import (
    PlaybookFile,
    full_name,
    matches_path,
)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "project" / "maintenance").mkdir(parents=True)
    (tmp_path / "link").symlink_to("project")
    monkeypatch.chdir(tmp_path / "project")


def excluded(path: str, *patterns: str) -> bool:
    return not PlaybookFile(path, path).is_reported([], patterns)


@pytest.mark.parametrize(
    "path",
    ["maintenance/x.yml", "./maintenance/x.yml", "../project/maintenance/x.yml",
     "maintenance/../maintenance/x.yml", "{project}/maintenance/x.yml",
     "../link/maintenance/x.yml"],
)  # fmt: skip
@pytest.mark.parametrize(
    "pattern",
    ["maintenance/*", "./maintenance/*", "x.yml", "*.yml", "*/maintenance/*",
     "{project}/maintenance/*", "project/maintenance/x.yml", "./maintenance/../maintenance/x.yml"],
)  # fmt: skip
def test_a_pattern_matches_however_the_path_is_written(
    tmp_path: Path, path: str, pattern: str
) -> None:
    place = str(tmp_path / "project")

    assert excluded(path.format(project=place), pattern.format(project=place))


@pytest.mark.parametrize(
    "pattern", ["aintenance/*", "maintenance", "test/*", "/maintenance/*", "y.yml", "./x.yml"]
)
def test_other_patterns_do_not_match(pattern: str) -> None:
    assert not excluded("./maintenance/x.yml", pattern)


def test_a_pattern_may_begin_with_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert matches_path("~/deploy/*", "/home/ada/deploy/shop.yml")
    assert not matches_path("~/deploy/*", "/home/bob/deploy/shop.yml")


@pytest.mark.parametrize(
    ("include", "exclude", "reported"),
    [
        ([], [], True),
        (["maintenance/*"], [], True),
        (["other*"], [], False),
        (["*"], ["x.yml"], False),
        (["other*", "x.yml"], ["test/*"], True),
    ],
)
def test_exclude_wins_over_include(include: list[str], exclude: list[str], reported: bool) -> None:
    file = PlaybookFile("maintenance/x.yml", "maintenance/x.yml")

    assert file.is_reported(include, exclude) is reported


IN_A_COLLECTION = "/opt/c/ansible_collections/acme/shop/playbooks/release.yml"


def test_a_playbook_of_a_collection_has_the_name_it_was_started_by() -> None:
    assert PlaybookFile("acme.shop.release", IN_A_COLLECTION).name == "acme.shop.release"
    assert PlaybookFile(IN_A_COLLECTION, IN_A_COLLECTION).name == IN_A_COLLECTION
    assert PlaybookFile("acme.shop.release", IN_A_COLLECTION).stem == "release"


@pytest.mark.parametrize("pattern", ["acme.shop.release", "acme.shop.*", "playbooks/release.yml"])
@pytest.mark.parametrize("given", ["acme.shop.release", IN_A_COLLECTION])
def test_a_playbook_of_a_collection_is_matched_by_name_and_by_path(
    pattern: str, given: str
) -> None:
    assert not PlaybookFile(given, IN_A_COLLECTION).is_reported([], [pattern])
    assert PlaybookFile(given, IN_A_COLLECTION).is_reported([pattern], [])


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (IN_A_COLLECTION, "acme.shop.release"),
        ("/c/ansible_collections/acme/shop/playbooks/eu/release.yaml", "acme.shop.eu.release"),
        ("/c/ansible_collections/acme/shop/roles/release.yml", None),
        ("/c/ansible_collections/acme/shop/playbooks", None),
        ("/srv/playbooks/release.yml", None),
        ("release.yml", None),
    ],
)
def test_full_names_are_those_of_ansible(path: str, name: str | None) -> None:
    assert full_name(path) == name
