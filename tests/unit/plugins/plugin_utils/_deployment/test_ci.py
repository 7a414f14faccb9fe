# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which CI system runs this, as far as its variables tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.ci import ci_context

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


@pytest.mark.parametrize(
    ("environ", "system", "url", "job"),
    [
        (AWX, "awx", "https://awx.example/#/jobs/playbook/42", "42"),
        (GITLAB, "gitlab", "https://gitlab.example/-/jobs/7", "7"),
        (GITHUB, "github", "https://github.com/acme/shop/actions/runs/99", "99"),
        (JENKINS, "jenkins", "https://jenkins.example/job/shop/3/", "jenkins-shop-3"),
    ],
)
def test_each_system_tells_its_job_and_its_page(
    environ: dict[str, str], system: str, url: str, job: str
) -> None:
    assert ci_context(environ) == {"system": system, "url": url, "job": job}


def test_outside_ci_there_is_nothing_to_tell() -> None:
    assert ci_context({}) is None
    assert ci_context({"CI": "true", "JOB_ID": "42", "BUILD_URL": "x"}) is None
    assert ci_context({"GITLAB_CI": ""}) is None


@pytest.mark.parametrize(
    "environ",
    [
        {"AWX_HOST": "https://awx.example"},
        {"GITLAB_CI": "true"},
        {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com"},
        {"JENKINS_URL": "https://jenkins.example/"},
    ],
)
def test_what_a_system_does_not_tell_is_absent(environ: dict[str, str]) -> None:
    assert list(ci_context(environ) or {}) == ["system"]


def test_the_build_number_stands_in_for_the_tag() -> None:
    environ = {"JENKINS_URL": "https://jenkins.example/", "BUILD_TAG": "", "BUILD_NUMBER": "3"}

    assert ci_context(environ) == {"system": "jenkins", "job": "3"}


def test_awx_wins_when_it_was_started_by_another_system() -> None:
    assert (ci_context({**GITLAB, **AWX}) or {})["system"] == "awx"


EVERYTHING = {**AWX, **GITLAB, **GITHUB, **JENKINS}


@given(environ=st.dictionaries(st.sampled_from(sorted(EVERYTHING)), st.text(max_size=20)))
def test_any_environment_is_read_without_an_error(environ: dict[str, str]) -> None:
    found = ci_context(environ)

    if found is not None:
        assert found["system"] in ("awx", "gitlab", "github", "jenkins")
        assert all(found.values())
