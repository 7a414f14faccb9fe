# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller knows by itself about a deployment."""

from __future__ import annotations

import getpass
import socket
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.facts import (
    RUN_ID_VARIABLE,
    Facts,
    collect_facts,
)


def test_the_controller_says_who_where_and_what() -> None:
    facts = collect_facts({"GITLAB_CI": "true"}, "site.yml", None, {})

    assert facts == Facts(
        parent=None,
        playbook="site.yml",
        user=getpass.getuser(),
        controller=socket.gethostname(),
        ci={"system": "gitlab"},
        git=None,
    )


def test_the_running_deployment_is_the_parent() -> None:
    assert RUN_ID_VARIABLE == "CLOUDMONITOR_RUN_ID"
    assert collect_facts({RUN_ID_VARIABLE: "run-7"}, None, None, {}).parent == "run-7"
    assert collect_facts({RUN_ID_VARIABLE: ""}, None, None, {}).parent is None


def test_the_id_of_a_parent_has_the_length_of_any_id() -> None:
    assert collect_facts({RUN_ID_VARIABLE: "x" * 500}, None, None, {}).parent == "x" * 128


def test_the_checkout_of_the_playbook_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("a" * 40, encoding="utf-8")

    assert collect_facts({}, "site.yml", str(tmp_path), {}).git == {"commit": "a" * 40}


@pytest.mark.parametrize("error", [KeyError("uid 1234"), OSError("no user name"), ImportError()])
def test_a_user_without_a_name_is_unknown(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", fail)

    assert collect_facts({}, None, None, {}).user is None


def test_a_project_without_git_gets_its_commit_from_the_ci_job(tmp_path: Path) -> None:
    (tmp_path / "work" / "deploy").mkdir(parents=True)
    environ = {
        "GITLAB_CI": "true",
        "CI_COMMIT_SHA": "b" * 40,
        "CI_COMMIT_REF_NAME": "main",
        "CI_PROJECT_DIR": str(tmp_path / "work"),
    }
    inside, outside = str(tmp_path / "work" / "deploy"), str(tmp_path)

    assert collect_facts(environ, None, inside, {}).git == {"commit": "b" * 40, "branch": "main"}
    assert collect_facts(environ, None, outside, {}).git is None
