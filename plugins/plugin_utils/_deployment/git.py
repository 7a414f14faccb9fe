# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit a checkout is at, read from git's files: no process, no hooks, no configuration.

Layout of the files: gitrepository-layout(5) and git-worktree(1).
"""

from __future__ import annotations

import re
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SMALL = 4096
_PACKED_LIMIT = 16_000_000


def git_context(folder: str) -> dict[str, str] | None:
    """Return ``commit`` and ``branch`` of the checkout that holds ``folder``; None outside one.

    ``branch`` is absent with a detached head, ``commit`` on a branch without one. Whatever
    cannot be read counts as absent: this never raises.
    """
    try:
        place = Path(folder).resolve()
        for parent in (place, *place.parents):
            git = _git_dir(parent / ".git")
            if git is not None:
                return _head(git) or None
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links that lead in a circle
        pass
    return None


def _git_dir(path: Path) -> Path | None:
    if path.is_dir():
        return path if (path / "HEAD").is_file() else None
    if path.is_file():  # a worktree or a submodule
        word, _colon, target = _read(path).partition(":")
        if word == "gitdir":
            return (path.parent / target.strip()).resolve()
    return None


def _head(git: Path) -> dict[str, str]:
    head = _read(git / "HEAD")
    if _COMMIT.fullmatch(head):
        return {"commit": head}
    if not head.startswith("ref:"):
        return {}
    ref = head[4:].strip()
    # The invalid one stands for what only git can read (its reftable format).
    if not ref.startswith("refs/") or ".." in ref or ref == "refs/heads/.invalid":
        return {}
    found = {}
    commit = _resolve(git, ref)
    if commit:
        found["commit"] = commit
    if ref.startswith("refs/heads/"):
        found["branch"] = ref[len("refs/heads/") :]
    return found


def _resolve(git: Path, ref: str) -> str:
    common = git
    if (git / "commondir").is_file():
        common = (git / _read(git / "commondir")).resolve()
    for place in (git, common):
        if (place / ref).is_file():
            commit = _read(place / ref)
            return commit if _COMMIT.fullmatch(commit) else ""
    packed = common / "packed-refs"
    if packed.is_file() and packed.stat().st_size <= _PACKED_LIMIT:
        with packed.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                commit, _space, name = line.strip().partition(" ")
                if name == ref and _COMMIT.fullmatch(commit):
                    return commit
    return ""


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(_SMALL).strip()
