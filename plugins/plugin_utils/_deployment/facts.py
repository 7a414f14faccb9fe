# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller knows about a deployment besides what the user says."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from typing import Any

from ...module_utils._api.frozen import frozen
from .ci import CiJob, complete_checkout, find_ci_job
from .git import git_context

RUN_ID_VARIABLE = "CLOUDMONITOR_RUN_ID"
_PARENT_LIMIT = 128


@frozen
class Facts:
    """Facts of the controller; None means unknown. The names are those of the event's content."""

    parent: str | None = None
    playbook: str | None = None
    user: str | None = None
    controller: str | None = None
    ci: dict[str, str] | None = None
    git: dict[str, str] | None = None


def collect_facts(
    environ: Mapping[str, str],
    playbook: str | None,
    folder: str | None,
    variables: Mapping[str, Any],
) -> Facts:
    """Return the facts for a deployment by ``playbook``, whose checkout contains ``folder``.

    ``environ`` names the CI job and the deployment that this one is a part of; ``variables``:
    the extra variables, which name the job of AWX.
    """
    job = find_ci_job(environ, variables)
    return Facts(
        parent=(environ.get(RUN_ID_VARIABLE) or "")[:_PARENT_LIMIT] or None,
        playbook=playbook,
        user=_user(),
        controller=socket.gethostname() or None,
        ci=None if job is None else job.context,
        git=None if folder is None else _checkout(folder, job, environ),
    )


def _checkout(folder: str, job: CiJob | None, environ: Mapping[str, str]) -> dict[str, str] | None:
    inside = True
    if job is not None and job.workspace:
        workspace = os.path.join(os.path.realpath(job.workspace), "")
        inside = os.path.join(os.path.realpath(folder), "").startswith(workspace)
    return complete_checkout(git_context(folder, environ), job, inside)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a user id without a name, as in a container
        return None
