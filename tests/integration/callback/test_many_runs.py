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


def test_ten_runs_at_once_on_one_outbox_deliver_every_event_once(project: Project) -> None:
    project.write("works.yml", [play(say())])
    project.write("fails.yml", [play(fail())])
    runs = {
        f"run-{number}": project.start(
            "fails.yml" if number % 2 else "works.yml",
            CLOUDMONITOR_DEPLOYMENT_ID=f"run-{number}",
            CLOUDMONITOR_LINGER="30",
            CLOUDMONITOR_FLUSH_TIMEOUT="30",
        )
        for number in range(10)
    }
    for name, run in runs.items():
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (2 * (int(name[-1]) % 2), []), ended.output
    project.settled()
    counted = Counter((event["id"], event["event"]) for event in project.events())
    expected = {(name, event) for name in runs for event in (START, FINISH)}
    expected |= {(f"run-{number}", FAILURE) for number in range(1, 10, 2)}
    assert counted == dict.fromkeys(expected, 1)
    assert project.waiting() == project.dead() == []
