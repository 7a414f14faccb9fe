# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CI jobs: which system runs Ansible, and what it adds to the checkout."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.ci import (
    CiJob,
    complete_checkout,
    find_ci_job,
)

COMMIT, OTHER = "a" * 40, "b" * 40
AWX = {"AWX_HOST": "https://awx.example/", "JOB_ID": "42"}
GITLAB = {"GITLAB_CI": "true", "CI_JOB_ID": "7", "CI_JOB_URL": "https://gitlab.example/-/jobs/7"}
GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_RUN_ID": "99",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
}
JENKINS = {
    "JENKINS_URL": "https://jenkins.example/",
    "BUILD_TAG": "jenkins-shop-3",
    "BUILD_NUMBER": "3",
    "BUILD_URL": "https://jenkins.example/job/shop/3/",
}


def context(environ: dict[str, str], **variables: Any) -> dict[str, str] | None:
    job = find_ci_job(environ, variables)
    return None if job is None else job.context


@pytest.mark.parametrize(
    ("environ", "system", "url", "job"),
    [
        (AWX, "awx", "https://awx.example/#/jobs/playbook/42", "42"),
        (GITLAB, "gitlab", "https://gitlab.example/-/jobs/7", "7"),
        (GITHUB, "github", "https://github.com/acme/shop/actions/runs/99", "99"),
        (JENKINS, "jenkins", "https://jenkins.example/job/shop/3/", "jenkins-shop-3"),
    ],
)
def test_each_system_names_its_job_and_its_page(
    environ: dict[str, str], system: str, url: str, job: str
) -> None:
    assert context(environ) == {"system": system, "url": url, "job": job}


def test_outside_ci_there_is_no_job() -> None:
    assert context({}) is None
    assert context({"CI": "true", "JOB_ID": "42", "BUILD_URL": "x"}) is None
    assert context({"GITLAB_CI": ""}) is None
    assert context({"JENKINS_HOME": "/var/lib/jenkins"}) is None, "a shell of the user jenkins"
    assert context({}, awx_flavour="vanilla", job_id=7) is None


@pytest.mark.parametrize(
    "environ",
    [
        {"HUDSON_URL": "https://jenkins.example/"},
        {"JENKINS_HOME": "/var/lib/jenkins", "BUILD_NUMBER": "3"},
        {"JENKINS_NODE_COOKIE": "c", "BUILD_NUMBER": "3"},
        {"BUILD_TAG": "jenkins-shop-3", "BUILD_NUMBER": "3", "JOB_NAME": "shop"},
    ],
)
def test_jenkins_is_recognized_without_its_url(environ: dict[str, str]) -> None:
    assert (context(environ) or {})["system"] == "jenkins"


@pytest.mark.parametrize("prefix", ["awx", "tower"])
def test_extra_variables_name_the_job_of_awx(prefix: str) -> None:
    variables = {f"{prefix}_job_id": 42}

    assert context({}, **variables) == {"system": "awx", "job": "42"}
    assert (context({"AWX_HOST": "https://awx.example"}, **variables) or {})["url"] == (
        "https://awx.example/#/jobs/playbook/42"
    )


@pytest.mark.parametrize(
    "environ",
    [
        {"AWX_HOST": "https://awx.example"},
        {"GITLAB_CI": "true"},
        {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"},
        {"JENKINS_URL": "https://jenkins.example/"},
    ],
)
def test_unknown_facts_of_a_job_are_omitted(environ: dict[str, str]) -> None:
    assert list(context(environ) or {}) == ["system"]


def test_the_build_number_replaces_a_missing_tag() -> None:
    environ = {"JENKINS_URL": "https://jenkins.example/", "BUILD_TAG": "", "BUILD_NUMBER": "3"}

    assert context(environ) == {"system": "jenkins", "job": "3"}


def test_awx_comes_first_if_another_system_started_it() -> None:
    assert (context({**GITLAB, **AWX}) or {})["system"] == "awx"


@pytest.mark.parametrize(
    "environ",
    [
        {**GITLAB, "CI_JOB_URL": "https://bot:pw@git.example/x"},
        {**GITHUB, "GITHUB_SERVER_URL": "https://bot:pw@git.example"},
        {**JENKINS, "BUILD_URL": "https://bot:pw@git.example/job/3"},
        {**AWX, "AWX_HOST": "https://bot:pw@git.example"},
    ],
)
def test_no_page_has_user_information(environ: dict[str, str]) -> None:
    url = (context(environ) or {})["url"]

    assert url.startswith("https://git.example")
    assert "pw" not in url


def checkout(environ: dict[str, str], **variables: Any) -> dict[str, str]:
    job = find_ci_job(environ, variables)
    assert job is not None
    return job.checkout


@pytest.mark.parametrize(
    ("environ", "branch"),
    [
        ({**GITLAB, "CI_COMMIT_SHA": COMMIT, "CI_COMMIT_REF_NAME": "main"}, "main"),
        ({**GITLAB, "CI_COMMIT_SHA": COMMIT, "CI_COMMIT_REF_NAME": "v1", "CI_COMMIT_BRANCH": "m"},
         "m"),
        ({**GITHUB, "GITHUB_SHA": COMMIT, "GITHUB_REF_NAME": "main"}, "main"),
        ({**GITHUB, "GITHUB_SHA": COMMIT, "GITHUB_REF_NAME": "7/merge", "GITHUB_HEAD_REF": "fix"},
         "fix"),
        ({**JENKINS, "GIT_COMMIT": COMMIT, "GIT_BRANCH": "origin/main"}, "main"),
        ({**JENKINS, "GIT_COMMIT": COMMIT, "GIT_BRANCH": "origin/feature/a"}, "feature/a"),
        ({**JENKINS, "GIT_COMMIT": COMMIT, "GIT_BRANCH": "refs/heads/main"}, "main"),
        ({**JENKINS, "GIT_COMMIT": COMMIT, "BRANCH_NAME": "PR-7", "CHANGE_BRANCH": "fix"}, "fix"),
    ],
)  # fmt: skip
def test_each_system_knows_commit_and_branch(environ: dict[str, str], branch: str) -> None:
    found = checkout(environ)
    found.pop("repository", None)

    assert found == {"commit": COMMIT, "branch": branch}


@pytest.mark.parametrize(
    ("environ", "repository"),
    [
        ({**GITLAB, "CI_PROJECT_URL": "https://git.example/shop"}, "https://git.example/shop"),
        (GITHUB, "https://github.com/acme/shop"),
        ({**JENKINS, "GIT_URL": "https://bot:pw@git.example/shop"}, "https://git.example/shop"),
        ({**JENKINS, "GIT_URL_1": "git@git.example:shop"}, "git@git.example:shop"),
        (GITLAB, None),
        (AWX, None),
    ],
)
def test_each_system_knows_the_repository(environ: dict[str, str], repository: str | None) -> None:
    assert checkout(environ).get("repository") == repository


def test_a_checkout_of_which_only_the_repository_is_known_gets_the_rest_from_the_job() -> None:
    job = find_ci_job({**GITLAB, "CI_COMMIT_SHA": COMMIT, "CI_PROJECT_URL": "https://other"}, {})

    assert complete_checkout({"repository": "https://own"}, job, inside=True) == {
        "commit": COMMIT,
        "repository": "https://own",
    }


@pytest.mark.parametrize("prefix", ["awx", "tower"])
def test_awx_knows_the_revision_and_the_branch_of_its_project(prefix: str) -> None:
    project = {f"{prefix}_project_revision": COMMIT, f"{prefix}_project_scm_branch": "main"}

    assert checkout(AWX, **project) == {"commit": COMMIT, "branch": "main"}
    assert checkout(AWX, **{**project, f"{prefix}_project_scm_branch": ""}) == {"commit": COMMIT}
    other = {**project, f"{prefix}_job_scm_branch": "hotfix"}
    assert checkout(AWX, **other) == {"branch": "hotfix"}, "the revision is the project's"


def test_a_detached_head_and_a_revision_of_another_system_are_omitted() -> None:
    assert checkout({**JENKINS, "GIT_COMMIT": "r1234", "GIT_BRANCH": "detached"}) == {}


JOB = CiJob({"system": "gitlab"}, {"commit": COMMIT, "branch": "main"})


@pytest.mark.parametrize(
    ("found", "job", "expected"),
    [
        (None, JOB, {"commit": COMMIT, "branch": "main"}),
        (None, None, None),
        ({"commit": COMMIT}, JOB, {"commit": COMMIT, "branch": "main"}),
        ({"commit": COMMIT, "branch": "own"}, JOB, {"commit": COMMIT, "branch": "own"}),
        ({"commit": OTHER}, JOB, {"commit": OTHER}),
        ({"commit": COMMIT, "branch": "awx_internal/6"}, JOB, JOB.checkout),
        ({"commit": OTHER, "branch": "awx_internal/6f1"}, None, {"commit": OTHER}),
        ({"branch": "unborn"}, JOB, {"branch": "unborn"}),
    ],
)  # fmt: skip
def test_the_job_supplies_only_what_the_checkout_lacks(
    found: dict[str, str] | None, job: CiJob | None, expected: dict[str, str] | None
) -> None:
    assert complete_checkout(found, job, inside=True) == expected


def test_a_job_knows_nothing_about_a_playbook_outside_its_workspace() -> None:
    assert complete_checkout(None, JOB, inside=False) is None
    assert complete_checkout({"commit": COMMIT}, JOB, inside=False) == {"commit": COMMIT}


EVERYTHING = sorted({**AWX, **GITLAB, **GITHUB, **JENKINS, "GIT_BRANCH": "", "CI_COMMIT_SHA": ""})


@given(environ=st.dictionaries(st.sampled_from(EVERYTHING), st.text(max_size=20)))
def test_any_environment_is_read_without_an_error(environ: dict[str, str]) -> None:
    found = context(environ)

    if found is not None:
        assert found["system"] in ("awx", "gitlab", "github", "jenkins")
        assert all(found.values())
