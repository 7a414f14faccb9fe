# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that a user has named are copied, and nothing else of theirs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    ansible_playbook,
    environment,
)

VAULTED = "canary-vault-77Kp"
LOOKED_UP = "canary-lookup-3Xn"


def encrypted(project: Project, name: str, text: str) -> str:
    """Return the YAML of a variable whose value is vaulted."""
    project.write("password", "vault-password")
    done = subprocess.run(
        [
            Path(ansible_playbook()).with_name("ansible-vault"), "encrypt_string",
            "--vault-password-file", "password", "--stdin-name", name,
        ],
        input=text,
        env=environment(project.folder),
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.every_core
def test_named_variables_are_copied_and_what_may_not_leave_is_left_out(project: Project) -> None:
    project.write("vaulted.yml", encrypted(project, "vaulted", VAULTED))
    project.write("looked-up.txt", LOOKED_UP)
    lookup = f"{{{{ lookup('ansible.builtin.file', '{project.folder}/looked-up.txt') }}}}"
    variables = {
        "stage": "blue",
        "composed": "{{ release }}-{{ stage }}",
        "encoded": "{{ stage | ansible.builtin.b64encode }}",
        "listed": [1, "two", {"three": "{{ stage }}"}],
        "long": "ö" * 2000,
        "looks": lookup,
        "indirect": "{{ looks }}",
        "hidden": "{{ vaulted }}",
        "broken": "{{ nowhere }}",
        "unnamed": "canary-unnamed-1",
    }
    names = (
        "release stage composed encoded listed long looks indirect hidden vaulted broken missing"
    )

    ended = project.run(
        [play(say(), vars=variables, vars_files=["vaulted.yml"])],
        "-e", "release=1.4.2", "-e", "other=canary-other-2",
        "--vault-password-file", "password", "-vvvv",
        CLOUDMONITOR_CONTEXT_VARS=names.replace(" ", ","),
    )  # fmt: skip

    assert ended.rc == 0, ended.output
    (warning,) = [text for text in ended.warnings if "aliops" in text]
    assert "not sent: looks, indirect, hidden, vaulted, broken, missing." in warning, warning
    start, finish = project.events()
    assert start["context"] == {"release": "1.4.2"}
    cut = finish["context"].pop("long")
    assert finish["context"] == {
        "release": "1.4.2",
        "stage": "blue",
        "composed": "1.4.2-blue",
        "encoded": "Ymx1ZQ==",
        "listed": [1, "two", {"three": "blue"}],
    }
    assert (len(cut.encode()), cut[:500], cut[-1]) == (1023, "ö" * 500, "…")
    for canary in (VAULTED, LOOKED_UP, "canary-unnamed-1", "canary-other-2"):
        assert canary not in json.dumps(project.receiver.events)


def test_a_run_without_context_vars_tells_no_variable(project: Project) -> None:
    ended = project.run([play(say(), vars={"stage": "canary-7"})], "-e", "release=canary-8")
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert "canary" not in json.dumps(project.receiver.events)


def test_a_single_name_is_enough(project: Project) -> None:
    project.config("context_vars = release")
    ended = project.run([play(say())], "-e", '{"release": {"version": 7}}')
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    told = [(event["event"], event["context"]) for event in project.events()]
    context = {"release": {"version": 7}}
    assert told == [(START, context), (FINISH, context)]
