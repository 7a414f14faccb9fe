# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that a user has named are copied, and nothing else of theirs."""

from __future__ import annotations

import json

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    play,
    say,
)

VAULTED = "canary-vault-77Kp"
LOOKED_UP = "canary-lookup-3Xn"


def encrypted(project: Project, name: str, text: str) -> str:
    """Return the YAML of a variable whose value is vaulted."""
    project.write("password", "vault-password")
    secret = VaultSecret(b"vault-password")
    lines = VaultLib([("default", secret)]).encrypt(text, secret).decode().splitlines()
    return "\n  ".join([f"{name}: !vault |", *lines]) + "\n"


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
        [play(say(), hosts="h1", vars=variables, vars_files=["vaulted.yml"])],
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
