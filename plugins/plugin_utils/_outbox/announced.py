# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which dead letters and damaged folders the user has not heard of yet.

A note beside them lists names and sizes. Times are not compared: clocks step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .files import parse_record, read_small, replace_file

_MAX_NOTE_BYTES = 8_388_608


class Announcements:
    """What was announced of a folder. ``path``: the file that remembers it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def count_new(self, sizes: Mapping[str, int]) -> int:
        """Return how many of these names are new or have grown; from now on they are known."""
        before = self._read()
        if before != sizes:
            self._write(sizes)
        return sum(1 for name, size in sizes.items() if size > before.get(name, -1))

    def add(self, name: str, size: int) -> None:
        """Remember that the user knows about this one."""
        self._write({**self._read(), name: size})

    def _read(self) -> dict[str, int]:
        try:
            found = parse_record(read_small(self._path, _MAX_NOTE_BYTES)) or {}
        except OSError:
            return {}
        return {name: size for name, size in found.items() if isinstance(size, int)}

    def _write(self, sizes: Mapping[str, int]) -> None:
        text = json.dumps(dict(sizes), indent=0, sort_keys=True)
        with suppress(OSError):
            replace_file(self._path, text + "\n")
