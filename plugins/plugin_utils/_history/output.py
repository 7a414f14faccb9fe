# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report: completely or not at all, also if another process reads or writes it."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from ...module_utils._api.errors import ConfigurationError

_OPTION = "path"


def check_file(path: str) -> Path:
    """Return the path of the file to write, with links resolved. Writes nothing.

    Raises ConfigurationError if there is something else than a file, or no directory for it.
    """
    try:
        target = Path(os.path.realpath(os.path.abspath(path)))
        found = target.stat() if target.exists() else None
        has_folder = target.parent.is_dir()
    except (OSError, ValueError) as exc:  # a name that is too long, or with a null character
        raise _unusable(path, str(exc)) from exc
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise ConfigurationError(
            f"{path} is a directory", option=_OPTION, advice="Add the name of a file to it."
        )
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(f"{path} is not a regular file", option=_OPTION)
    if not has_folder:
        raise ConfigurationError(
            f"there is no directory {target.parent}", option=_OPTION, advice="Create it first."
        )
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise _unusable(path, f"no permission to write to {target.parent}")
    return target


def write_file(target: Path, content: bytes) -> None:
    """Replace a file, which keeps its mode; a new file has the mode that the umask allows.

    Raises ConfigurationError.
    """
    temporary = target.parent / f".{token_hex(8)}.tmp"
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                if target.exists():
                    os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as exc:
        raise _unusable(str(target), exc.strerror or str(exc)) from exc


def _unusable(path: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be written ({reason})",
        option=_OPTION,
        advice="Choose another file.",
    )
