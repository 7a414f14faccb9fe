# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs on one outbox. The chaos test, in tests/chaos, kills and stops them."""

from __future__ import annotations

from collections import Counter

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    fail,
    play,
    say,
)


def test_runs_at_once_on_one_outbox_deliver_every_event_once(project: Project) -> None:
    project.write("works.yml", [play(say(), hosts="h1")])
    project.write("fails.yml", [play(fail(), hosts="h1")])
    # The same id twice: these two do not meet. It does not lead out of the outbox either.
    started = [("works", "../same id"), ("works", "../same id"), ("works", "A"), ("fails", "B")]
    runs = [
        project.start(
            f"{name}.yml",
            CLOUDMONITOR_DEPLOYMENT_ID=identifier,
            CLOUDMONITOR_LINGER="30",
            CLOUDMONITOR_FLUSH_TIMEOUT="30",
        )
        for name, identifier in started
    ]
    for (name, _identifier), run in zip(started, runs, strict=True):
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (2 if name == "fails" else 0, []), ended.output
    project.settled()
    counted = Counter((event["id"], event["event"]) for event in project.events())
    expected = Counter((name, event) for _name, name in started for event in (START, FINISH))
    assert counted == expected + Counter({("B", FAILURE): 1})
    assert project.waiting() == project.dead() == []
    assert not (project.folder / "same id").exists()
