# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which playbooks are reported, and under which names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath

from ...module_utils._api.frozen import frozen

_OWN_PLAYBOOKS = os.path.realpath(
    os.path.join(os.path.dirname(__file__), *[os.pardir] * 3, "playbooks")
)


@frozen
class PlaybookFile:
    """One playbook of the command line.

    ``given``: as the user has written it, a path or the full name of a playbook in a collection
    (``acme.shop.release``). ``path``: the path of its file, as Ansible has found it.
    """

    given: str
    path: str

    @property
    def name(self) -> str:
        """What identifies it in an event: the full name if the user has used it, or the path."""
        return self.given if self.given == full_name(self.path) else self.path

    @property
    def stem(self) -> str:
        """The file name without its extension, the default name of the deployment."""
        return PurePath(self.path).stem

    @property
    def folder(self) -> str:
        """The absolute path of its directory."""
        return os.path.dirname(os.path.abspath(self.path))

    @property
    def is_own(self) -> bool:
        """Whether it belongs to this collection. The demo and the check deploy nothing."""
        return os.path.realpath(self.folder) == _OWN_PLAYBOOKS

    def is_reported(self, include: Sequence[str], exclude: Sequence[str]) -> bool:
        """Return whether the patterns select it. No ``include`` pattern means all playbooks."""
        name = full_name(self.path)
        paths = (os.path.abspath(self.path), os.path.realpath(self.path))

        def matches(patterns: Iterable[str]) -> bool:
            return any(
                (name is not None and fnmatchcase(name, pattern))
                or any(matches_path(pattern, path) for path in paths)
                for pattern in patterns
            )

        return (not include or matches(include)) and not matches(exclude)


def matches_path(pattern: str, path: str) -> bool:
    """Return whether a glob pattern matches an absolute path.

    ``*`` also matches ``/``. A pattern that does not begin with ``/`` matches from the start of
    any part of the path: ``maintenance/*`` matches ``/srv/deploy/maintenance/backup.yml``.
    """
    wanted = os.path.expanduser(pattern)
    if wanted.startswith("./"):
        wanted = os.path.abspath(wanted)
    wanted = os.path.normpath(wanted)
    if os.path.isabs(wanted):
        return fnmatchcase(path, wanted)
    parts = path.split(os.sep)
    return any(fnmatchcase(os.sep.join(parts[start:]), wanted) for start in range(len(parts)))


def full_name(path: str) -> str | None:
    """Return the full name of a playbook in a collection, None for any other path.

    ``.../ansible_collections/acme/shop/playbooks/eu/release.yml`` is ``acme.shop.eu.release``
    (Ansible's documentation, "Using a playbook from a collection").
    """
    parts = PurePath(os.path.abspath(path)).with_suffix("").parts
    for start in range(len(parts) - 5, -1, -1):
        if parts[start] == "ansible_collections" and parts[start + 3] == "playbooks":
            return ".".join((*parts[start + 1 : start + 3], *parts[start + 4 :]))
    return None
