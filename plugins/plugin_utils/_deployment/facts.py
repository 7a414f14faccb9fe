# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller knows about a deployment besides what the user says."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from .ci import ci_context
from .git import git_context

RUN_ID_VARIABLE = "CLOUDMONITOR_RUN_ID"
_PARENT_LIMIT = 128


@dataclass(frozen=True)
class Facts:
    """Facts of the controller; None means unknown. The names are those of the event's content."""

    parent: str | None = None
    playbook: str | None = None
    user: str | None = None
    controller: str | None = None
    ci: dict[str, str] | None = None
    git: dict[str, str] | None = None


def collect_facts(environ: Mapping[str, str], playbook: str | None, folder: str | None) -> Facts:
    """Return the facts for a deployment by ``playbook``, whose checkout holds ``folder``.

    ``environ`` tells the CI job and the deployment that this one is a part of.
    """
    return Facts(
        parent=(environ.get(RUN_ID_VARIABLE) or "")[:_PARENT_LIMIT] or None,
        playbook=playbook,
        user=_user(),
        controller=socket.gethostname() or None,
        ci=ci_context(environ),
        git=git_context(folder) if folder else None,
    )


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a user id without a name, as in a container
        return None
