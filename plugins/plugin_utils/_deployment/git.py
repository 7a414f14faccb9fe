# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit a checkout is at, read from git's files: no process and no hooks.

Of its configuration only the URL of the remote ``origin`` is read.

Other users may control the directories above a playbook, so the look-up is careful. It opens only
regular files of a sane size, without blocking. Below the repository's directory it follows no
symbolic link. It ignores a repository of another owner, and it stops at the border of a file
system, both as git does.

Sources: gitrepository-layout(5), git-worktree(1), git-check-ref-format(1); the syntax and
``safe.directory`` in git-config(1); ``GIT_DISCOVERY_ACROSS_FILESYSTEM`` in git(1); setup.c and
compat/posix.h of git.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from ...module_utils._api.redact import without_userinfo

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# What git-check-ref-format(1) forbids: control characters, space and ~^:?*[\ in any place; two
# dots, "@{", an empty part, and a part that begins with a dot or ends with ".lock".
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")
_BAD_REF = re.compile(r"\.\.|@\{|//|/\.|\.lock(?:/|$)|[./]$")
_BRANCHES = "refs/heads/"
# A symbolic ref may name another one; git follows five (SYMREF_MAXDEPTH).
_SYMBOLIC_REFS = 5
_CONFIG_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:\s+"([^"\\]*)")?\s*\]')
_URL_LIMIT = 256
_SMALL_BYTES = 8192
_CONFIG_BYTES = 65_536
_PACKED_BYTES = 16_000_000
# Far more levels than any playbook has above it.
_PARENTS = 128

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


def git_context(folder: str, environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return ``commit``, ``branch`` and ``repository`` of the checkout that contains ``folder``.

    None outside one. ``branch`` is absent with a detached head, ``commit`` on a branch without
    one. ``repository`` is the URL of ``origin``, without user names and passwords. Anything that
    cannot be read or must not be trusted is treated as absent; this never raises and never
    blocks. ``environ`` supplies ``SUDO_UID``: for root, the user of sudo is also trusted.
    """
    try:
        owners = _trusted_owners(environ)
        place = os.path.realpath(folder)
        device = os.stat(place).st_dev
        for _number in range(_PARENTS):
            if os.stat(place).st_dev != device:
                return None
            with _repository(place, owners) as found:
                if found is not None:
                    return {**_head(*found), **_origin(found[1])} or None
            place, last = os.path.split(place)
            if not last:
                return None
    except (OSError, ValueError, _Untrusted):  # ValueError: a NUL in the path
        pass
    return None


class _Untrusted(Exception):
    """A repository that belongs to another user, or that its ``.git`` file does not lead to."""


def _trusted_owners(environ: Mapping[str, str]) -> frozenset[int]:
    """Return the user ids whose repositories are trusted, as git's ``safe.directory`` has it."""
    mine = os.geteuid()
    sudo = environ.get("SUDO_UID", "")
    if mine == 0 and re.fullmatch(r"[0-9]{1,10}", sudo):
        return frozenset({0, int(sudo)})
    return frozenset({mine})


@contextmanager
def _repository(place: str, owners: frozenset[int]) -> Iterator[tuple[int, int] | None]:
    """Yield open directories: the git directory of a worktree and the one that its refs are in.

    Both are the same in an ordinary checkout. Yields None if ``place`` is not the top of a
    worktree. Raises _Untrusted, OSError and ValueError.
    """
    path = os.path.join(place, ".git")
    with ExitStack() as opened:
        try:
            kind = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        pointer = stat.S_ISREG(kind.st_mode)  # a worktree or a submodule
        git_path = _pointed_to(place) if pointer else path
        try:
            git = os.open(git_path, _OPEN_DIRECTORY)
        except OSError as exc:
            if pointer:
                raise _Untrusted from exc
            yield None  # neither a directory nor a file: git goes on to the parent
            return
        opened.callback(os.close, git)
        if _read_head(git) is None:
            if pointer:
                raise _Untrusted
            yield None
            return
        common = git
        shared = _read(git, "commondir")
        if shared is not None:
            common = os.open(os.path.join(git_path, shared), _OPEN_DIRECTORY)
            opened.callback(os.close, common)
        found = (os.stat(place), kind, os.fstat(git), os.fstat(common))
        if any(one.st_uid not in owners for one in found):
            raise _Untrusted
        yield git, common


def _pointed_to(place: str) -> str:
    """Return the directory that the file ``.git`` of ``place`` names. Raises _Untrusted."""
    directory = os.open(place, _OPEN_DIRECTORY)
    try:
        word, _colon, target = (_read(directory, ".git") or "").partition(":")
    finally:
        os.close(directory)
    if word != "gitdir" or not target.strip():
        raise _Untrusted
    return os.path.join(place, target.strip())


def _head(git: int, common: int) -> dict[str, str]:
    """Return what the head of a repository is at."""
    text = _read_head(git) or ""
    ref = None
    for _number in range(_SYMBOLIC_REFS):
        if not text.startswith("ref:"):
            break
        ref = text[4:].strip()
        if not _REF.fullmatch(ref) or _BAD_REF.search(ref):
            return {}  # also refs/heads/.invalid: only git can read a repository with reftables
        text = _read_ref(git, common, ref)
    found = {"commit": text} if _COMMIT.fullmatch(text) else {}
    if ref is not None and ref.startswith(_BRANCHES):
        found["branch"] = ref[len(_BRANCHES) :]
    return found


def _origin(common: int) -> dict[str, str]:
    """Return the URL of the remote ``origin`` as ``repository``, nothing without one.

    Files that the configuration includes are not read.
    """
    url = parse_origin_url(_read(common, "config", _CONFIG_BYTES) or "")
    return {"repository": url} if url else {}


def parse_origin_url(config: str) -> str | None:
    """Return the URL of the remote ``origin`` in the text of a git configuration. Pure.

    Without its user name and password, and None for a URL that is too long. Of several URLs git
    fetches from the first.
    """
    in_origin = False
    lines = iter(config.splitlines())
    for line in lines:
        rest = line.strip()
        header = _CONFIG_SECTION.match(rest)
        if header:
            # The name of a section is in any case, that of a subsection is not.
            in_origin = (header[1].lower(), header[2]) == ("remote", "origin")
            rest = rest[header.end() :].lstrip()
        name, equals, value = rest.partition("=")
        if not in_origin or not equals or name.strip().lower() != "url":
            continue
        while value.endswith("\\") and not value.endswith("\\\\"):
            value = value[:-1] + next(lines, "")
        url = without_userinfo(_config_value(value))
        return url if 0 < len(url) <= _URL_LIMIT and url.isprintable() else None
    return None


def _config_value(text: str) -> str:
    """Return a value of a git configuration without quotes, escapes and a comment."""
    value, quoted, characters = "", False, iter(text.strip())
    for one in characters:
        if one == "\\":
            value += next(characters, "")
        elif one == '"':
            quoted = not quoted
        elif one in "#;" and not quoted:
            break
        else:
            value += one
    return value.strip()


def _read_head(git: int) -> str | None:
    """Return the text of HEAD, None without one. Old versions of git made it a symbolic link."""
    try:
        if stat.S_ISLNK(os.stat("HEAD", dir_fd=git, follow_symlinks=False).st_mode):
            target = os.readlink("HEAD", dir_fd=git)
            return f"ref: {target}" if target.startswith("refs/") else None
    except OSError:
        return None
    return _read(git, "HEAD")


def _read_ref(git: int, common: int, ref: str) -> str:
    """Return the text of a ref, empty if there is none that can be read."""
    for directory in (git, common):
        text = _read(directory, ref)
        if text is not None:
            return text
    packed = _read(common, "packed-refs", _PACKED_BYTES) or ""
    line = re.search(rf"^([0-9a-f]+) {re.escape(ref)}\r?$", packed, re.MULTILINE)
    return "" if line is None else line[1]


def _read(directory: int, name: str, limit: int = _SMALL_BYTES) -> str | None:
    """Return the text of a file below an open directory, without white space around it.

    None if there is no regular file of at most ``limit`` bytes, or if a part of ``name`` is a
    symbolic link.
    """
    *folders, last = name.split("/")
    with ExitStack() as opened:
        try:
            for folder in folders:
                directory = os.open(folder, _OPEN_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
                opened.callback(os.close, directory)
            # Asked before it is opened, because opening a device can have an effect.
            if not stat.S_ISREG(os.stat(last, dir_fd=directory, follow_symlinks=False).st_mode):
                return None
            file = opened.enter_context(open(_opened(last, directory), "rb", buffering=0))
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
                return None
            data = b""
            while len(data) <= limit and (part := file.read(limit + 1 - len(data))):
                data += part
        except (OSError, ValueError):
            return None
    return None if len(data) > limit else data.decode("utf-8", "replace").strip()


def _opened(name: str, directory: int) -> int:
    return os.open(name, _OPEN_FILE, dir_fd=directory)
