# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks paths that the user gave. Pure, except for the look-up of home directories."""

from __future__ import annotations

import os
from typing import Callable, Iterable

from .errors import ConfigurationError


def check_home(
    option: str,
    path: str,
    folders: Iterable[str] = (),
    expand: Callable[[str], str] = os.path.expanduser,
) -> None:
    """Check that ``~`` or ``~user`` at the beginning of a path was replaced.

    It is not if HOME is unset and the user id has no entry in the passwd database. Such a path is
    relative, and would become a folder named ``~`` in the working directory. Ansible makes some
    paths absolute before they are seen here: ``folders`` are the directories that it prepends.
    Raises ConfigurationError.
    """
    for folder in ("", *filter(None, folders)):
        beginning = os.path.join(folder, "")
        if not path.startswith(beginning):
            continue
        first = path[len(beginning) :].partition("/")[0]
        # A folder whose name is that of a user would have been replaced if it came first.
        if first.startswith("~") and expand(first) == first:
            raise ConfigurationError(
                f"begins with {first}, but there is no home directory to put in its place",
                option=option,
                advice="Set HOME, or give an absolute path.",
            )
