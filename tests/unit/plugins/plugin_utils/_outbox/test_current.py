# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployment is current, and the file that stores it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.current import (
    Snapshot,
    follow,
    previous,
)


def line(identifier: str, status: str = "succeeded", **parts: Any) -> dict[str, Any]:
    return {"id": identifier, "name": "shop", "status": status, "finished_at": "t", **parts}


@pytest.mark.parametrize(
    ("lines", "current", "before"),
    [
        ([], None, None),
        ([line("a")], "a", None),
        ([line("a"), line("b")], "b", "a"),
        ([line("a"), line("b", "failed"), line("c", "empty")], "a", None),
        ([line("a"), line("b", check_mode=True)], "a", None),
        ([line("a"), line("b"), line("b")], "b", "a"),
        # The courier's line comes after the line of a run that was killed.
        ([line("a"), line("b"), line("b", "aborted")], "a", None),
        ([line("a"), line("a", "aborted")], None, None),
        ([line("a"), line("b"), line("a", "failed")], "b", "a"),
        # A part of a deployment counts only as long as the whole has not failed.
        ([line("a"), line("p", parent="w"), line("w")], "w", "a"),
        ([line("a"), line("p", parent="w"), line("q", parent="w")], "q", "a"),
        ([line("a"), line("p", parent="w"), line("q", parent="w"), line("w", "failed")], "a", None),
        ([line("a"), line("p", parent="x"), line("q", parent="w")], "q", "p"),
    ],
)
def test_the_last_deployment_that_succeeded_is_current(
    lines: list[dict[str, Any]], current: str | None, before: str | None
) -> None:
    entry: dict[str, Any] | None = None
    for one in lines:
        entry = follow(entry, one)

    assert (entry and entry["id"]) == current
    assert (previous(entry, current or "") or {}).get("id") == before
    assert (previous(entry, "another") or {}).get("id") == current


_TEXT = st.text(max_size=8)
_KEY = st.tuples(_TEXT, st.none() | _TEXT)
_ENTRY = st.none() | st.fixed_dictionaries({"id": _TEXT, "version": _TEXT})


@given(st.lists(st.tuples(_KEY, _ENTRY), max_size=30))
def test_a_snapshot_behaves_like_a_mapping_and_its_text_is_json(changes: list[Any]) -> None:
    snapshot = Snapshot({"2026-11": 7}, {})
    model: dict[tuple[str, str | None], Any] = {}
    for key, entry in changes:
        snapshot.put(key[0], key[1], entry)
        if entry is None:
            model.pop(key, None)
        else:
            model[key] = entry
    text = snapshot.dump()
    again = Snapshot.parse(text)

    assert again is not None
    assert again.dump() == text
    assert again.is_sound()
    assert again.through == {"2026-11": 7}
    for key, _entry in changes:
        assert again.get(*key) == model.get(key)
    listed = json.loads(text)["current"]
    assert {(one["name"], one["environment"]): one["id"] for one in listed} == {
        key: entry["id"] for key, entry in model.items()
    }
    assert text.count(b"\n") == len(model) + 2


def test_what_was_cut_off_or_is_of_another_version_is_not_a_snapshot() -> None:
    text = Snapshot({"2026-11": 7}, {("shop", None): {"id": "a"}}).dump()

    assert all(Snapshot.parse(text[:end]) is None for end in range(len(text)))
    for wrong in (b'"version":2', b'"version":"1"'):
        assert Snapshot.parse(text.replace(b'"version":1', wrong)) is None
    for wrong in (b"[7]", b'{"2026-11":-1}', b'{"now":7}', b'{"2026-11":true}'):
        assert Snapshot.parse(text.replace(b'{"2026-11":7}', wrong)) is None
    assert Snapshot.parse(b"\0" * 500) is None


def test_damage_in_the_middle_is_noticed_where_it_is_read() -> None:
    entries: dict[tuple[str, str | None], Any] = {
        ("mail", None): {"id": "m"},
        ("shop", None): {"id": "a"},
    }
    text = Snapshot({}, entries).dump().replace(b'"id":"a"', b'"id":\0\0\0')
    snapshot = Snapshot.parse(text)

    assert snapshot is not None
    assert not snapshot.is_sound()
    assert snapshot.get("mail", None) == {"id": "m"}
    with pytest.raises(ValueError, match="not a deployment"):
        snapshot.get("shop", None)
