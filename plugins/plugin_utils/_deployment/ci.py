# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CI job that runs Ansible, and what it knows about the checkout. Pure.

Sources: AWX's documentation ("extra variables", ``awx_*`` and the older ``tower_*``) and its
job environment; GitLab's "predefined CI/CD variables"; GitHub Actions' "default environment
variables"; Jenkins' "Using environment variables" and the environment of its Git plugin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ...module_utils._api.frozen import frozen
from ...module_utils._api.redact import without_userinfo

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# Jenkins' Git plugin puts the remote's name before the branch.
_REMOTE = re.compile(r"(refs/heads/|refs/remotes/origin/|remotes/origin/|origin/)")
# AWX checks a job's revision out under a name like this.
_AWX_BRANCH = "awx_internal/"
_TEXT_LIMIT = 256


@frozen
class CiSystem:
    """One CI system: how to recognize it, and the variables to read, the first one set first.

    ``marks``: sets of variables; the system is recognized if all variables of a set are there.
    """

    name: str
    marks: tuple[frozenset[str], ...]
    job: tuple[str, ...]
    url: Callable[[Mapping[str, str]], str]
    commit: tuple[str, ...]
    branch: tuple[str, ...]
    workspace: str = ""
    repository: Callable[[Mapping[str, str]], str] | None = None

    def is_running(self, known: Mapping[str, str]) -> bool:
        """Return whether ``known`` are the variables of a job of this system."""
        return any(all(known.get(name) for name in mark) for mark in self.marks)


def _awx_url(known: Mapping[str, str]) -> str:
    host, job = known.get("AWX_HOST", ""), _first(known, _AWX_JOB)
    return f"{host.rstrip('/')}/#/jobs/playbook/{job}" if host and job else ""


def _github_url(known: Mapping[str, str]) -> str:
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, run = (known.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""


def _github_repository(known: Mapping[str, str]) -> str:
    server, repository = known.get("GITHUB_SERVER_URL", ""), known.get("GITHUB_REPOSITORY", "")
    return f"{server}/{repository}" if server and repository else ""


def _marks(*marks: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(mark.split()) for mark in marks)


_AWX_JOB = ("awx_job_id", "tower_job_id", "JOB_ID")
_SYSTEMS = (
    CiSystem(
        "awx",
        _marks("AWX_HOST", "awx_job_id", "tower_job_id", "JOB_ID AWX_PRIVATE_DATA_DIR"),
        _AWX_JOB,
        _awx_url,
        ("awx_project_revision", "tower_project_revision"),
        ("awx_job_scm_branch", "tower_job_scm_branch",
         "awx_project_scm_branch", "tower_project_scm_branch"),
    ),
    CiSystem(
        "gitlab",
        _marks("GITLAB_CI"),
        ("CI_JOB_ID",),
        lambda known: known.get("CI_JOB_URL", ""),
        ("CI_COMMIT_SHA",),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH", "CI_COMMIT_REF_NAME"),
        "CI_PROJECT_DIR",
        lambda known: known.get("CI_PROJECT_URL", ""),
    ),
    CiSystem(
        "github",
        _marks("GITHUB_ACTIONS"),
        ("GITHUB_RUN_ID",),
        _github_url,
        ("GITHUB_SHA",),
        ("GITHUB_HEAD_REF", "GITHUB_REF_NAME"),
        "GITHUB_WORKSPACE",
        _github_repository,
    ),
    CiSystem(
        "jenkins",
        # JENKINS_URL is set only if an administrator has configured it.
        _marks(
            "JENKINS_URL", "HUDSON_URL", "JENKINS_HOME BUILD_NUMBER", "HUDSON_HOME BUILD_NUMBER",
            "JENKINS_NODE_COOKIE BUILD_NUMBER", "JENKINS_SERVER_COOKIE BUILD_NUMBER",
            "BUILD_TAG BUILD_NUMBER JOB_NAME",
        ),
        ("BUILD_TAG", "BUILD_NUMBER"),
        lambda known: known.get("BUILD_URL", ""),
        ("GIT_COMMIT",),
        ("CHANGE_BRANCH", "GIT_LOCAL_BRANCH", "BRANCH_NAME", "GIT_BRANCH"),
        "WORKSPACE",
        lambda known: known.get("GIT_URL") or known.get("GIT_URL_1", ""),
    ),
)  # fmt: skip


@frozen
class CiJob:
    """The CI job of this run.

    ``context``: ``system``, ``url`` and ``job`` as the event has them, without what is unknown.
    ``checkout``: ``commit``, ``branch`` and ``repository`` as far as the system knows them.
    ``workspace``: the directory of the checkout, empty if the system does not name it.
    """

    context: dict[str, str]
    checkout: dict[str, str]
    workspace: str = ""


def find_ci_job(environ: Mapping[str, str], variables: Mapping[str, Any]) -> CiJob | None:
    """Return the CI job that runs Ansible, None outside CI.

    ``environ``: environment variables; ``variables``: extra variables, of which those of AWX
    count. If several systems are recognized, AWX comes first, since others start its jobs.
    """
    of_awx = {
        name: str(value)
        for name, value in variables.items()
        if str(name).startswith(("awx_", "tower_")) and isinstance(value, (str, int))
    }
    known = {**environ, **of_awx}
    for system in _SYSTEMS:
        if system.is_running(known):
            context = {
                "system": system.name,
                "url": without_userinfo(system.url(known)),
                "job": _first(known, system.job),
            }
            return CiJob(
                {name: value for name, value in context.items() if value},
                _checkout(system, known),
                known.get(system.workspace, ""),
            )
    return None


def complete_checkout(
    found: Mapping[str, str] | None, job: CiJob | None, inside: bool
) -> dict[str, str] | None:
    """Return ``commit``, ``branch`` and ``repository`` of the playbook's checkout.

    None if all of them are unknown.

    ``found``: what its ``.git`` says, None without one. ``inside``: whether the playbook is in
    the workspace of ``job``. The CI system supplies what is missing: everything if AWX has
    copied the project without ``.git``, the branch if the head is detached. It knows nothing
    about a checkout of another commit.
    """
    git = dict(found or {})
    if git.get("branch", "").startswith(_AWX_BRANCH):
        del git["branch"]  # a name that only AWX knows
    known = job.checkout if job is not None and inside else {}
    has_head = "commit" in git or "branch" in git
    if has_head and known.get("commit", git.get("commit")) != git.get("commit"):
        known = {}
    names = ("commit", "branch", "repository")
    merged = {name: git.get(name) or known.get(name, "") for name in names}
    return {name: value for name, value in merged.items() if value} or None


def _checkout(system: CiSystem, known: Mapping[str, str]) -> dict[str, str]:
    commit = _first(known, system.commit).lower()
    branch = _REMOTE.sub("", _first(known, system.branch), count=1)[:_TEXT_LIMIT]
    # A job of AWX may choose another branch than the project's; the revision is the project's.
    own = _first(known, system.branch[:2]) if system.name == "awx" else ""
    if own and own != _first(known, system.branch[2:]):
        commit = ""
    repository = system.repository(known) if system.repository else ""
    found = {
        "commit": commit if _COMMIT.fullmatch(commit) else "",
        "branch": "" if branch in ("HEAD", "detached") else branch,
        "repository": without_userinfo(repository)[:_TEXT_LIMIT],
    }
    return {name: value for name, value in found.items() if value}


def _first(known: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((known[name] for name in names if known.get(name)), "")
