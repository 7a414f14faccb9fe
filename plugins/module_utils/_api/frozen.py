# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Frozen dataclasses that cost a start little.

``dataclasses`` compiles the methods of each class from a text when the class is made. For the 30
classes that every run imports, and as many in its courier, that took more time than everything
else in these files. Here, all classes share methods that look at the fields.
"""

from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, dataclass
from typing import TYPE_CHECKING, Any, Callable, ClassVar, TypeVar

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
    made = dataclass(init=False, repr=False, eq=False)(cls)
    for name in _METHODS:
        setattr(made, name, vars(_Methods)[name])
    return made


class _Methods:
    """The methods of all classes."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init__(self, *values: Any, **named: Any) -> None:
        """Set the fields. Raises TypeError for one that is unknown, missing or given twice."""
        known = self.__dataclass_fields__
        if len(values) > len(known):
            raise TypeError(f"{type(self).__name__} has {len(known)} fields, not {len(values)}")
        given = self.__dict__
        for name, value in zip(known, values):
            given[name] = value
        for name, one in list(known.items())[len(values) :]:
            if name in named:
                given[name] = named.pop(name)
            elif one.default is not MISSING:
                given[name] = one.default
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


_METHODS = ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")
