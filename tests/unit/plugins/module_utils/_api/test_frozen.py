# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A frozen class behaves as ``dataclass(frozen=True)`` makes it."""

from __future__ import annotations

import copy
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.frozen import frozen


@dataclass(frozen=True)
class Standard:
    """The original."""

    name: str
    secret: str = field(repr=False)
    number: int = 3
    texts: list[str] = field(default_factory=list)


@frozen
class Ours:
    """The same."""

    name: str
    secret: str = field(repr=False)
    number: int = 3
    texts: list[str] = field(default_factory=list)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a", "s"), {}),
        (("a",), {"secret": "s", "texts": ["x"]}),
        ((), {"number": 0, "secret": "s", "name": "a"}),
        (("a", "s", 4, ["y"]), {}),
        ((), {}),
        (("a",), {}),
        (("a",), {"name": "b", "secret": "s"}),
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
    one = Ours("a", "s", texts=())  # type: ignore[arg-type]
    same = Ours(texts=(), secret="s", name="a")  # type: ignore[arg-type]
    other = replace(one, number=4)

    assert (one, hash(one)) == (same, hash(same))
    assert {one, same, other} == {one, other}
    assert (one.number, other.number, other.secret) == (3, 4, "s")
    with pytest.raises(TypeError, match="unhashable"):
        hash(Ours("a", "s"))


def test_it_cannot_be_changed_and_shares_no_default() -> None:
    one: Any = Ours("a", "s")
    with pytest.raises(FrozenInstanceError):
        one.name = "b"
    with pytest.raises(FrozenInstanceError):
        del one.name

    assert one.name == "a"
    assert one.texts is not Ours("a", "s").texts
