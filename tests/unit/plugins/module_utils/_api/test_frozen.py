# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen class behaves as ``dataclass(frozen=True)`` makes it."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.frozen import frozen


@dataclass(frozen=True)
class Standard:
    """The original."""

    name: str
    key: str
    number: int = 3
    texts: Any = ()


@frozen
class Ours:
    """The same."""

    name: str
    key: str
    number: int = 3
    texts: Any = ()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a", "s"), {}),
        (("a",), {"key": "s", "texts": ["x"]}),
        ((), {"number": 0, "key": "s", "name": "a"}),
        (("a", "s", 4, ["y"]), {}),
        ((), {}),
        (("a",), {}),
        (("a",), {"name": "b", "key": "s"}),
        (("a", "s"), {"unknown": 1}),
        (("a", "s", 1, [], 2), {}),
    ],
)
def test_it_takes_the_same_values_and_refuses_the_same(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    try:
        wanted = Standard(*values, **named)
    except TypeError:
        with pytest.raises(TypeError, match="Ours"):
            Ours(*values, **named)
        return
    found = Ours(*values, **named)

    assert vars(found) == vars(wanted) == asdict(found)
    assert list(vars(found)) == list(vars(wanted)) == [one.name for one in fields(found)]
    assert repr(found) == repr(wanted).replace("Standard", "Ours")
    assert found == Ours(*values, **named) == copy.copy(found)


def test_equal_ones_have_one_hash_and_a_changed_one_is_another() -> None:
    one = Ours("a", "s", texts=())
    same = Ours(texts=(), key="s", name="a")
    other = replace(one, number=4)

    assert (one, hash(one)) == (same, hash(same))
    assert {one, same, other} == {one, other}
    assert (one.number, other.number, other.key) == (3, 4, "s")
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours("a", "s", texts=[]))


def test_it_cannot_be_changed() -> None:
    one: Any = Ours("a", "s")
    with pytest.raises(FrozenInstanceError):
        one.name = "b"
    with pytest.raises(FrozenInstanceError):
        del one.name

    assert one.name == "a"
