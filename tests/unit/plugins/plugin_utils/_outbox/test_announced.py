# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything is announced once, whatever became of the note about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.announced import (
    Announcements,
)


def test_a_name_is_new_once_and_again_when_it_has_grown(tmp_path: Path) -> None:
    announcements = Announcements(tmp_path / "note")

    assert announcements.count_new({"a": 1, "b": 1}) == 2
    assert announcements.count_new({"a": 1, "b": 1}) == 0
    assert announcements.count_new({"a": 2, "b": 1, "c": 0}) == 2
    assert Announcements(tmp_path / "note").count_new({"a": 2, "b": 1, "c": 0}) == 0


def test_a_name_that_went_away_is_new_when_it_comes_back(tmp_path: Path) -> None:
    announcements = Announcements(tmp_path / "note")

    assert [announcements.count_new(sizes) for sizes in ({"a": 1}, {}, {"a": 1})] == [1, 0, 1]


def test_what_the_user_knows_is_not_announced(tmp_path: Path) -> None:
    announcements = Announcements(tmp_path / "note")
    announcements.add("a", 5)

    assert announcements.count_new({"a": 5, "b": 1}) == 1


@pytest.mark.parametrize("note", ["", "[]", '{"a": "1"}', "\0", "{" * 100_000])
def test_an_unreadable_note_announces_everything_once_more(tmp_path: Path, note: str) -> None:
    (tmp_path / "note").write_text(note)
    announcements = Announcements(tmp_path / "note")

    assert [announcements.count_new({"a": 1}), announcements.count_new({"a": 1})] == [1, 0]


def test_a_note_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "note").mkdir()

    assert Announcements(tmp_path / "note").count_new({"a": 1}) == 1
