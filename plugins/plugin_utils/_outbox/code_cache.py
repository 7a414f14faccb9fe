# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports the files of this collection, with their compiled code from a folder of the outbox.

Ansible compiles each file of a collection from its source in every run, and so would the courier,
because "ansible-galaxy collection verify" takes a __pycache__ for a change to the collection. The
files are therefore imported as a package with another name, which has this loader.

The code in the folder is executed, so the folder is used only if it is a directory of this user
that others have no access to. A file in it is used only if it was made from the same source by
the same version of Python, and if it is complete. Otherwise the source is compiled as usual. No
problem with the folder affects a run, and it can be deleted at any time.

This file imports as little as possible: it is compiled in every run itself.
"""

from __future__ import annotations

import errno
import importlib
import marshal
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import MAGIC_NUMBER, source_hash, spec_from_file_location
from types import CodeType, ModuleType
from typing import Any

# The folder in the outbox.
FOLDER = "cache"
PACKAGE = "aliops_cloudmonitor_plugins"
_PLUGINS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OPEN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# The hash of everything before it is at the end of each file.
_HASH_BYTES = 8
# The code of the largest file has a twentieth of this.
_MAX_BYTES = 1_048_576
_LEFTOVER_SECONDS = 3600.0


def import_file(name: str, outbox: str | None) -> ModuleType:
    """Import a file of this collection, for example ``plugin_utils._outbox.courier``.

    ``outbox``: the directory of the outbox; None uses no compiled code. The first call decides
    for all files that are imported later. Raises what the file raises.
    """
    if PACKAGE not in sys.modules:
        cache = None if outbox is None else CodeCache(outbox)
        package = ModuleType(PACKAGE)
        package.__path__ = []  # so that only the finder below finds something in it
        sys.modules[PACKAGE] = package
        sys.meta_path.append(_Finder(cache))
    return importlib.import_module(f"{PACKAGE}.{name}")


class CodeCache:
    """The compiled code in an outbox, one file per module and version of Python."""

    def __init__(self, outbox: str) -> None:
        self._outbox = os.path.abspath(outbox)
        self._can_write = sys.implementation.cache_tag is not None
        self._is_clean = False

    def read(self, name: str, source: bytes) -> CodeType | None:
        """Return the code of the module ``name``, None without one that ``source`` gives."""
        # With the right hash, only damage that the hash does not show raises the others.
        with suppress(OSError, ImportError, ValueError, EOFError, TypeError):
            with _private_folder(os.path.join(self._outbox, FOLDER)) as folder:
                data = _read(_file_name(name), folder)
            end = len(data) - _HASH_BYTES
            if data.startswith(_header(source)) and data[end:] == source_hash(data[:end]):
                return _Compiled(name, data).get_code(name)
        return None

    def write(self, name: str, source: bytes, compiled: CodeType) -> None:
        """Store the code of the module ``name``, as far as that is possible.

        A reader sees the old file or the new one. After a failure nothing more is tried, unless
        only the outbox is missing, which may be made later in this run. The folder is made in an
        outbox that exists and that others have no access to.
        """
        if not self._can_write:
            return
        data = _header(source) + marshal.dumps(compiled)
        try:
            with _private_folder(self._outbox) as outbox, suppress(FileExistsError):
                os.mkdir(FOLDER, 0o700, dir_fd=outbox)
            with _private_folder(os.path.join(self._outbox, FOLDER)) as folder:
                if not self._is_clean:
                    _remove_leftovers(folder)
                    self._is_clean = True
                _replace(_file_name(name), data + source_hash(data), folder)
        except OSError as exc:
            self._can_write = exc.errno == errno.ENOENT


class _Compiled(SourcelessFileLoader):
    """Reads compiled code in Python's format from bytes in memory."""

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__(name, name)
        self._data = data

    def get_data(self, _path: str) -> bytes:
        """Return the bytes."""
        return self._data


class _Loader(SourceFileLoader):
    """Loads one module."""

    def __init__(self, fullname: str, path: str, cache: CodeCache | None) -> None:
        super().__init__(fullname, path)
        self._cache = cache

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module. Raises OSError and SyntaxError."""
        path = self.get_filename(fullname)
        source = self.get_data(path)
        name = fullname[len(PACKAGE) + 1 :]
        found = self._cache.read(name, source) if self._cache is not None else None
        if found is not None:
            return found
        compiled: CodeType = self.source_to_code(source, path)
        if self._cache is not None:
            self._cache.write(name, source, compiled)
        return compiled


class _Finder:
    """Finds the modules below PACKAGE, and nothing else. Folders are packages."""

    def __init__(self, cache: CodeCache | None) -> None:
        self._cache = cache

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> ModuleSpec | None:
        """Return where a module is; called by Python for every import that others do not find."""
        package, *parts = fullname.split(".")
        if package != PACKAGE:
            return None
        place = os.path.join(_PLUGINS, *parts)
        path = place + ".py"
        if os.path.isfile(path):
            loader = _Loader(fullname, path, self._cache)
            return spec_from_file_location(fullname, path, loader=loader)
        return ModuleSpec(fullname, None, is_package=True) if os.path.isdir(place) else None


def _file_name(name: str) -> str:
    optimization = f".opt-{sys.flags.optimize}" if sys.flags.optimize else ""
    return f"{name}.{sys.implementation.cache_tag}{optimization}.pyc"


def _header(source: bytes) -> bytes:
    """Return how a file begins: as Python's own do that have a hash of the source (PEP 552)."""
    return MAGIC_NUMBER + b"\1\0\0\0" + source_hash(source)


@contextmanager
def _private_folder(path: str) -> Iterator[int]:
    """Open a directory that is ours and closed to others. Raises OSError for any other."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
    try:
        _check_private(folder)
        yield folder
    finally:
        os.close(folder)


def _check_private(descriptor: int) -> os.stat_result:
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError
    return found


def _read(name: str, folder: int) -> bytes:
    """Return the content of a file in a folder, without waiting. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | _OPEN, dir_fd=folder)
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        found = _check_private(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError
        # A buffer of the largest size would take four times as long.
        return file.read(min(found.st_size, _MAX_BYTES)) or b""


def _replace(name: str, data: bytes, folder: int) -> None:
    """Write a file in a folder under a hidden name and then rename it. Raises OSError."""
    hidden = f".{name}.{os.getpid()}.{os.urandom(6).hex()}"
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(hidden, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(hidden, dir_fd=folder)
        raise


def _remove_leftovers(folder: int) -> None:
    """Remove the hidden files that killed processes have left in a folder."""
    for name in os.listdir(folder):
        with suppress(OSError):
            if name.startswith("."):
                age = time.time() - os.lstat(name, dir_fd=folder).st_mtime
                if abs(age) > _LEFTOVER_SECONDS:  # a time in the future is a wrong one
                    os.unlink(name, dir_fd=folder)
