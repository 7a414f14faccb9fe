# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frozen dataclasses that cost a start little.

``dataclasses`` compiles the methods of each class from a text when the class is made. For the 30
classes that every run imports, and as many in its courier, that took more time than everything
else in these files. Here, all classes share methods that look at the fields.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from typing import TYPE_CHECKING, Any, Callable, TypeVar

_Class = TypeVar("_Class")

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_arguments: Any) -> Callable[[_Class], _Class]:
        """Return a decorator that changes nothing. Only type checkers need the original."""
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True)
def frozen(cls: type[_Class]) -> type[_Class]:
    """Make a class what ``dataclass(frozen=True)`` makes of it, for every use of this collection.

    ``dataclasses.replace``, ``asdict`` and ``fields`` work. Instances have a ``__dict__``.
    Inheritance, ``__post_init__`` and ``field()`` are not supported: a class that needs them is
    a dataclass.
    """
    for name in _MEMBERS:
        setattr(cls, name, vars(_Members)[name])
    return cls


class _Fields:
    """The fields of a class as ``dataclasses`` has them, found on first access."""

    def __get__(self, _instance: object, owner: Any) -> dict[str, Any]:
        """Put the fields in the place of this object, and return them."""
        made: Any = dataclass(init=False, repr=False, eq=False)(owner)
        found: dict[str, Any] = made.__dataclass_fields__
        return found


class _Members:
    """The members of all classes."""

    __dataclass_fields__ = _Fields()

    def __init__(self, *values: Any, **named: Any) -> None:
        """Set the fields. Raises TypeError for one that is unknown, missing or given twice."""
        known, defaults = type(self).__annotations__, vars(type(self))
        if len(values) > len(known):
            raise TypeError(f"{type(self).__name__} has {len(known)} fields, not {len(values)}")
        given = self.__dict__
        for name, value in zip(known, values):
            given[name] = value
        for name in list(known)[len(values) :]:
            if name in named:
                given[name] = named.pop(name)
            elif name in defaults:
                given[name] = defaults[name]
            else:
                raise TypeError(f"{type(self).__name__} needs {name}")
        if named:
            raise TypeError(f"{type(self).__name__} has no such fields left: {', '.join(named)}")

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> Any:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __setattr__(self, name: str, _value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


_MEMBERS = ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__",
            "__dataclass_fields__")  # fmt: skip
