# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which deployment is current: the last that succeeded, per name and environment. Pure.

``follow`` is the rule. Applied to all lines of the history, in order, it gives the current
deployments; ``Snapshot`` is the text of ``current.json``, which stores its result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .files import parse_record

_VERSION = 1
_BRIEF = ("id", "version", "commit", "finished_at")
_PREVIOUS = ("id", "version", "finished_at")
# Statuses of deployments that deployed something. An empty run has none of them.
DEPLOYED = ("succeeded", "failed", "aborted")
_MONTH = re.compile(r"\d{4}-\d{2}")
_TAIL = b"\n]}\n"

# Up to which byte the lines of each file of the history, by its month, are in a snapshot.
Positions = dict[str, int]


def deployed(line: Mapping[str, Any]) -> bool:
    """Return whether a finish is one of a run that deployed something."""
    return line.get("status") in DEPLOYED and line.get("check_mode") is not True


def service(line: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the name and the environment of a deployment; the environment may be unknown."""
    return line["name"], line.get("environment")


def follow(entry: dict[str, Any] | None, line: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the current deployment after one more line of the history.

    ``entry``: the current deployment of this name and environment before, None without one. It
    has ``id``, ``version``, ``commit``, ``finished_at``, and ``parent`` and ``before`` where they
    are needed: ``before`` is the deployment to return to if this one turns out to have failed.
    That happens when the line of a run is followed by the line that its courier writes after a
    kill, and when a deployment fails after a part of it has succeeded.
    """
    if not deployed(line):
        return entry
    same = entry is not None and line["id"] in (entry["id"], entry.get("parent"))
    if line["status"] != "succeeded":
        return _restored(entry) if same else entry
    new = {key: line[key] for key in (*_BRIEF, "parent") if line.get(key) is not None}
    if entry is not None:
        sibling = entry.get("parent") is not None and entry.get("parent") == line.get("parent")
        before = entry.get("before") if same or sibling else entry
        if before is not None:
            new["before"] = {key: before[key] for key in _BRIEF if key in before}
    return new


def _restored(entry: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(entry["before"]) if entry is not None and entry.get("before") else None


def previous(entry: Mapping[str, Any] | None, deployment_id: str) -> dict[str, Any] | None:
    """Return ``id``, ``version`` and ``finished_at`` of the deployment before ``deployment_id``.

    ``entry``: the current deployment, which may be this one or a part of it.
    """
    if entry is not None and deployment_id in (entry["id"], entry.get("parent")):
        entry = entry.get("before")
    if not entry:
        return None
    return {key: entry[key] for key in _PREVIOUS if key in entry}


class Snapshot:
    """The content of ``current.json``: JSON with one deployment a line.

    A deployment is found and replaced without parsing or copying the others, because there may be
    thousands, and every run does both.
    """

    def __init__(self, through: Positions, entries: Mapping[tuple[str, str | None], Any]) -> None:
        self.through = through
        lines = (_line(*key, entry) for key, entry in entries.items())
        # From the end of the first line, which has the positions, to the end of the file.
        self._rest = b",".join(b"\n" + line for line in lines) + _TAIL

    @staticmethod
    def parse(text: bytes) -> Snapshot | None:
        """Return what is in a file, None if it is damaged or of another version."""
        end = text.find(b"\n")
        found = parse_record((text[:end] + b"]}").decode("utf-8", "replace"))
        if end < 0 or found is None or found.get("version") != _VERSION:
            return None
        through = _parse_positions(found.get("through"))
        if not text.endswith(_TAIL) or through is None:
            return None
        snapshot = Snapshot(through, {})
        snapshot._rest = text[end:]
        return snapshot

    def dump(self) -> bytes:
        """Return the text of the file."""
        head = _json({"version": _VERSION, "through": self.through, "current": []})
        return head[:-2] + self._rest

    def is_sound(self) -> bool:
        """Return whether all of it can be read."""
        return parse_record(self.dump().decode("utf-8", "replace")) is not None

    def get(self, name: str, environment: str | None) -> dict[str, Any] | None:
        """Return the current deployment, None without one. Raises ValueError for damage."""
        begin, end = self._find(name, environment)
        if begin == end:
            return None
        entry = parse_record(self._rest[begin:end].decode("utf-8", "replace"))
        if entry is None or not isinstance(entry.get("id"), str):
            raise ValueError("a line of it is not a deployment")
        return {key: value for key, value in entry.items() if key not in ("name", "environment")}

    def put(self, name: str, environment: str | None, entry: Mapping[str, Any] | None) -> None:
        """Replace the current deployment; with None there is no longer one."""
        begin, end = self._find(name, environment)
        if entry is not None:
            line = _line(name, environment, entry)
            if begin == end:
                line = (b",\n" if begin else b"\n") + line
        elif begin == end:
            return
        else:  # with the comma after it, or that of the line before
            line = b""
            if self._rest[end : end + 1] == b",":
                begin, end = begin - 1, end + 1
            else:
                begin = max(0, begin - 2)
        rest = memoryview(self._rest)
        self._rest = b"".join((rest[:begin], line, rest[end:]))

    def _find(self, name: str, environment: str | None) -> tuple[int, int]:
        """Return where the text of a deployment begins and ends.

        Without one, both are the place to add it.
        """
        before = self._rest.find(b"\n" + _prefix(name, environment))
        if before < 0:
            place = len(self._rest) - len(_TAIL)
            return place, place
        end = self._rest.find(b"\n", before + 1)
        return before + 1, end - 1 if self._rest[end - 1 : end] == b"," else end


def _parse_positions(found: Any) -> Positions | None:
    if not isinstance(found, dict):
        return None
    sound = all(_MONTH.fullmatch(month) and _is_size(end) for month, end in found.items())
    return found if sound else None


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _prefix(name: str, environment: str | None) -> bytes:
    return _json({"name": name, "environment": environment})[:-1] + b","


def _line(name: str, environment: str | None, entry: Mapping[str, Any]) -> bytes:
    return _json({"name": name, "environment": environment, **entry})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
