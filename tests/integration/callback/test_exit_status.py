# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a deployment always agrees with the exit status of Ansible."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    Plays,
    Project,
    fail,
    play,
    say,
)

H1 = {"when": "inventory_hostname == 'h1'"}
CLEAR = {"ansible.builtin.meta": "clear_host_errors"}
END_PLAY = {"ansible.builtin.meta": "end_play"}
END_HOST = {"ansible.builtin.meta": "end_host"}
NOTIFY = say(notify="Restart")


def reach(**keywords: Any) -> dict[str, Any]:
    """Return a task whose host h1 is unreachable."""
    gone = {"ansible_connection": "gone"}
    return {"name": "Reach", "ansible.builtin.raw": "true", "vars": gone, **H1, **keywords}


def fails(**keywords: Any) -> dict[str, Any]:
    """Return a task that fails on h1."""
    return fail(**H1, **keywords)


def once(*plays: dict[str, Any]) -> list[Plays]:
    """Return one playbook."""
    return [list(plays)]


HANDLER: dict[str, Any] = {"handlers": [fails(name="Restart")]}
# Each is one playbook. Which exit status it has is Ansible's business.
CASES: dict[str, Plays] = {
    "unreachable, cleared": [play(reach(), CLEAR, say())],
    "rescued and ignored": [
        play({"block": [fails()], "rescue": [say()]}, fails(ignore_errors=True),
             reach(ignore_unreachable=True)),
    ],
    "nobody, after a playbook with failures that do not count": [play(say(), hosts="nobody")],
    "cleared, another host fails": [
        play(reach(), CLEAR, fail(when="inventory_hostname == 'h2'"))
    ],
    "failed, cleared by a later play": [play(fails()), play(CLEAR, say())],
    "both, cleared": [play(reach(), CLEAR, fails(), CLEAR, say())],
    "all hosts unreachable, cleared by a later play, then nobody": [
        play(reach(when=True)), play(CLEAR, say()), play(say(), hosts="nobody"),
    ],
    "a handler fails": [play(NOTIFY, **HANDLER)],
    "free": [play(fails(), strategy="ansible.builtin.free")],
    "a delegated host is unreachable": [play(reach(delegate_to="elsewhere"))],
    "a later play for nobody": [play(fails(), END_PLAY, fail()), play(say(), hosts="nobody")],
}  # fmt: skip


@pytest.mark.every_core
def test_a_deployment_failed_exactly_if_ansible_did(project: Project) -> None:
    for number, plays in enumerate(CASES.values()):
        project.write(f"{number}.yml", plays)
    names, first = list(CASES), 0
    while first < len(names):
        files = [f"{number}.yml" for number in range(first, len(names))]
        before = len(project.events())

        # Ansible goes on with the next playbook until one fails.
        ended = project.start(*files, ANSIBLE_RETRIES="0").ended().may_warn()

        project.settled()
        events = project.events()[before:]
        finishes = [event for event in events if event["event"] == FINISH]
        finishes.sort(key=lambda event: files.index(event["playbook"]))
        assert ended.rc in (0, 2, 4), ended.output
        assert [finish["playbook"] for finish in finishes] == files[: len(finishes)] != []
        assert ended.rc or len(finishes) == len(files)
        named = dict(zip(names[first:], finishes, strict=False))
        failed = [name for name, finish in named.items() if finish["status"] == "failed"]
        told = [name for name, finish in named.items() if finish.get("failures")]
        first += len(finishes)
        assert failed == told == ([names[first - 1]] if ended.rc else []), ended.output
        assert len([one for one in events if one["event"] == FAILURE]) == len(failed)
        assert {one["status"] for one in finishes} <= {"succeeded", "empty", "failed"}
