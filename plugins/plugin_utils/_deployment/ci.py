# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CI system runs this, from its environment variables. Pure."""

from __future__ import annotations

from collections.abc import Mapping

# System, the variable that gives it away, and the variables of the job and its page: the
# first that is set counts. Sources: the documentation of AWX ("extra environment of a job"),
# GitLab ("predefined variables"), GitHub Actions ("default variables") and Jenkins
# ("environment variables").
_SYSTEMS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("awx", "AWX_HOST", ("JOB_ID",), ()),
    ("gitlab", "GITLAB_CI", ("CI_JOB_ID",), ("CI_JOB_URL",)),
    ("github", "GITHUB_ACTIONS", ("GITHUB_RUN_ID",), ()),
    ("jenkins", "JENKINS_URL", ("BUILD_TAG", "BUILD_NUMBER"), ("BUILD_URL",)),
)


def ci_context(environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return ``system``, ``url`` and ``job`` of the CI job that runs this; None outside CI.

    ``url`` and ``job`` are absent when the system does not tell them.
    """
    for system, mark, jobs, urls in _SYSTEMS:
        if not environ.get(mark):
            continue
        found = {
            "system": system,
            "url": _page(system, environ) or _first(environ, urls),
            "job": _first(environ, jobs),
        }
        return {name: value for name, value in found.items() if value}
    return None


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _page(system: str, environ: Mapping[str, str]) -> str:
    """Return the page of a job of the systems that give its parts only."""
    job = environ.get("JOB_ID", "")
    if system == "awx" and job:
        return f"{environ['AWX_HOST'].rstrip('/')}/#/jobs/playbook/{job}"
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY")]
    run = environ.get("GITHUB_RUN_ID", "")
    if system == "github" and all(parts) and run:
        return f"{'/'.join(parts)}/actions/runs/{run}"
    return ""
