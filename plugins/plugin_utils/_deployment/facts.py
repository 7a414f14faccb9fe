# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller knows about a deployment besides what the user says."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from typing import Dict, Mapping, Optional

from .ci import ci_context
from .git import git_context

RUN_ID_VARIABLE = "CLOUDMONITOR_RUN_ID"
_PARENT_LIMIT = 128


@dataclass(frozen=True)
class Facts:
    """Facts of the controller; None means unknown. The names are those of the event's content."""

    parent: Optional[str] = None
    playbook: Optional[str] = None
    user: Optional[str] = None
    controller: Optional[str] = None
    ci: Optional[Dict[str, str]] = None
    git: Optional[Dict[str, str]] = None


def collect_facts(
    environ: Mapping[str, str], playbook: Optional[str], folder: Optional[str]
) -> Facts:
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


def _user() -> Optional[str]:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a user id without a name, as in a container
        return None
