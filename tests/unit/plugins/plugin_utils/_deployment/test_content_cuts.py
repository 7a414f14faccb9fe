# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment event leaves out, step by step, as the room for it shrinks."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    MAX_BYTES,
    Deployment,
    Failure,
    HostCounts,
    render,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.deployments import (
    ALL,
)

MANY = tuple(Failure(f"host{number}", message="m" * 300) for number in range(30))
REMOVED = ("context", "git", "ci", "previous", "url", "repository")
LONG = replace(ALL, failures=MANY, name="n" * 300, version="v" * 300)


def shapes(one: Deployment) -> list[tuple[int, int, str, int]]:
    """Every form that the content takes while more and more details want their room.

    A form: the number of failures, the length of their texts, what is gone, the length of the
    name.
    """
    found: list[tuple[int, int, str, int]] = []
    for size in range(1, MAX_BYTES, 7):
        try:
            said = json.loads(render(replace(one, details={"a": "x" * size})))
        except InvalidInput:
            break
        failures = said.get("failures", [])
        text = len(failures[0]["message"]) if failures else 0
        gone = " ".join(name for name in REMOVED if name not in said)
        shape = (len(failures), text, gone, len(said["name"]))
        assert said["truncated"] is True
        if shape not in found:
            found.append(shape)
    return found


def test_what_goes_goes_in_this_order() -> None:
    assert shapes(LONG) == [
        (10, 128, "", 300),
        (10, 48, "", 300),
        (5, 48, "", 300),
        (3, 48, "", 300),
        (1, 48, "", 300),
        (1, 48, "context", 300),
        (1, 48, "context git", 300),
        (1, 48, "context git ci", 300),
        (0, 0, "context git ci", 300),
        (0, 0, "context git ci previous", 300),
        (0, 0, "context git ci previous url", 300),
        *((0, 0, " ".join(REMOVED), length) for length in (300, 200, 100, 50, 16)),
    ]


def exactly(size: int) -> Deployment:
    """A deployment whose content has just that many bytes when nothing is left out."""
    one = Deployment(id="i", name="n", playbook=".")
    return replace(one, playbook="p" * (size - len(render(one).encode()) + 1))


def test_what_has_just_the_bytes_that_are_allowed_stays_whole() -> None:
    text = render(exactly(MAX_BYTES))

    assert len(text.encode()) == MAX_BYTES
    assert "truncated" not in text


def test_one_byte_more_and_something_is_left_out() -> None:
    said = json.loads(render(exactly(MAX_BYTES + 1)))

    assert said["truncated"] is True
    assert said["playbook"] == "p" * 199 + "…"


def test_a_text_of_just_the_length_that_is_left_is_not_cut() -> None:
    one = replace(exactly(MAX_BYTES), version="v" * 200, environment="e" * 201)
    said = json.loads(render(one))

    assert said["version"] == "v" * 200
    assert said["environment"] == "e" * 199 + "…"


def test_details_may_take_the_very_last_byte_that_is_left() -> None:
    nothing: dict[str, Any] = dict.fromkeys(REMOVED)
    bare = replace(ALL, failures=(), **nothing)
    size = next(
        size
        for size in range(3000, MAX_BYTES)
        if not fits(replace(bare, details={"a": "x" * (size + 1)}))
    )

    text = render(replace(bare, details={"a": "x" * size}))
    assert len(text.encode()) == MAX_BYTES


def fits(one: Deployment) -> bool:
    try:
        render(one)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(
    ("started", "finished", "seconds"), [(1.0, 3.5678, 2.568), (0.0, 0.0014, 0.001)]
)
def test_a_duration_has_three_digits_behind_the_point(
    started: float, finished: float, seconds: float
) -> None:
    assert Deployment("i", "n", started_at=started, finished_at=finished).duration_s == seconds


@pytest.mark.parametrize(
    "value",
    [HostCounts(1, 1, 0, 0, 0, 0), Failure("web1"), Deployment("i", "n")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_known_cannot_be_changed(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, next(iter(vars(value))), None)
