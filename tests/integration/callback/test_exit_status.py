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


NO_START = "no task to start at"
HANDLER: dict[str, Any] = {"handlers": [fails(name="Restart")]}
# Each is the playbooks of one command line. Which exit status they have is Ansible's business.
CASES = {
    "unreachable, cleared": once(play(reach(), CLEAR, say())),
    "both, cleared": once(play(reach(), CLEAR, fails(), CLEAR, say())),
    "cleared, fails again": once(play(reach(), CLEAR, fails())),
    "cleared, another host fails": once(
        play(reach(), CLEAR, fail(when="inventory_hostname == 'h2'"))
    ),
    "failed, cleared by a later play": once(play(fails()), play(CLEAR, say())),
    "cleared by a later play, then nobody": once(
        play(reach()), play(CLEAR, say()), play(say(), hosts="nobody")
    ),
    "all hosts unreachable, cleared": once(play(reach(when=True)), play(CLEAR, say())),
    "cleared in batches": once(play(reach(), CLEAR, say(), serial=1, hosts="h2,h1")),
    # Failures that do not count, and those that do
    "rescued": once(play({"block": [fails()], "rescue": [say()]})),
    "the rescue fails": once(play({"block": [fails()], "rescue": [fails()]})),
    "errors ignored": once(play(fails(ignore_errors=True))),
    "unreachable ignored": once(play(reach(ignore_unreachable=True))),
    "any_errors_fatal, rescued": once(
        play({"block": [fails()], "rescue": [say()]}, any_errors_fatal=True)
    ),
    "max_fail_percentage not reached": once(play(fails(), say(), max_fail_percentage=60)),
    "run_once": once(play(fail(run_once=True), say())),
    # The end of a play
    "end_play after a failure": once(play(fails(), END_PLAY, fail())),
    "a handler fails": once(play(NOTIFY, **HANDLER)),
    "force_handlers": once(
        play(NOTIFY, fails(), force_handlers=True, handlers=[say(name="Restart")])
    ),
    "a batch fails": once(play(fails(), serial=1)),
    "free": once(play(fails(), strategy="ansible.builtin.free")),
    "a delegated host is unreachable": once(play(reach(delegate_to="elsewhere"))),
    # Several plays and playbooks
    "a later play for nobody": once(play(fails()), play(say(), hosts="nobody")),
    "the second playbook fails": [[play(say())], [play(fails())]],
    "the first playbook clears in a later play": [
        [play(reach()), play(CLEAR, say())],
        [play(say())],
    ],
    "the second playbook is for nobody": [
        [play(reach()), play(CLEAR, say())],
        [play(say(), hosts="nobody")],
    ],
    NO_START: once(play(say())),
}
AT_ONCE = 9


@pytest.mark.every_core
@pytest.mark.parametrize("first", range(0, len(CASES), AT_ONCE))
def test_a_deployment_failed_exactly_if_ansible_did(project: Project, first: int) -> None:
    names = list(CASES)[first : first + AT_ONCE]
    runs = {}
    for number, name in enumerate(names):
        files = [f"{number}-{part}.yml" for part in range(len(CASES[name]))]
        for part, plays in enumerate(CASES[name]):
            project.write(files[part], plays)
        start_at = ("--start-at-task", "nowhere") if name == NO_START else ()
        runs[name] = project.start(
            files[0],
            *files[1:],
            *start_at,
            CLOUDMONITOR_DEPLOYMENT_ID=f"{number}.",
            ANSIBLE_RETRIES="0",
        )

    ended = {name: run.ended().may_warn() for name, run in runs.items()}
    project.settled()
    for number, name in enumerate(names):
        mine = [one for one in project.events() if one["id"].startswith(f"{number}.")]
        finishes = [one for one in mine if one["event"] == FINISH]
        states = [one["status"] for one in finishes]
        assert ended[name].rc in (0, 2, 4), (name, ended[name].output)
        failed = ["failed"] if ended[name].rc else []
        assert [state for state in states if state not in ("succeeded", "empty")] == failed, name
        assert states[-1:] == failed or not failed, name
        assert len([one for one in mine if one["event"] == FAILURE]) == len(failed), name
        for finish in finishes:
            assert bool(finish.get("failures")) is (finish["status"] == "failed"), (name, finish)
