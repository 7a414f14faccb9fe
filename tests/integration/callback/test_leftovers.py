# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does with that which earlier runs have left in the outbox."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Ended,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET

OTHER = "LTAI5tOther"
ALL_EVENTS = [START, FINISH, FAILURE]
HOUR = 3600.0


def age(folder: Path, seconds: float = HOUR, host: str | None = None) -> None:
    """Make a folder of the outbox look as if nothing had touched it for so long."""
    if host is not None:
        (folder / "heartbeat").write_text(host)
    then = time.time() - seconds
    for path in (folder / "heartbeat", folder):
        if path.exists():
            os.utime(path, (then, then))


def names(project: Project, name: str, receiver: Receiver | None = None) -> list[str]:
    return [event["event"] for event in project.events(receiver, id=name)]


def healthy(project: Project, name: str = "healthy", **variables: str) -> Ended:
    """Run once more, undisturbed, and wait for all couriers."""
    ended = project.run([play(say())], CLOUDMONITOR_DEPLOYMENT_ID=name, **variables)
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert names(project, name) == [START, FINISH]
    return ended


def test_the_next_run_says_in_one_line_what_waits_and_delivers_it(project: Project) -> None:
    project.leave("A")
    project.leave("B")
    for name in ("A", "B"):
        age(project.outbox / "runs" / name)

    ended = healthy(project)

    lines = [line for line in ended.output.splitlines() if line.startswith("aliops.cloudmonitor:")]
    assert lines == [
        f"aliops.cloudmonitor: 2 earlier deployments with undelivered events in {project.outbox}"
    ]
    assert names(project, "A") == names(project, "B") == ALL_EVENTS
    assert project.waiting() == []


def test_the_time_of_an_event_is_that_of_the_happening(project: Project) -> None:
    project.leave("A")
    at = {event["event"]: event for event in _journalled(project, "A")}
    healthy(project)
    arrived = {
        event["name"]: event for event in project.receiver.events if '"A"' in event["content"]
    }
    assert set(arrived) == set(ALL_EVENTS)
    for name, event in arrived.items():
        assert (event["time"], event["content"]) == (at[name]["time"], at[name]["content"])


def _journalled(project: Project, name: str) -> list[dict[str, str]]:
    lines = (project.outbox / "runs" / name / "journal").read_text().splitlines()
    events = [event for line in lines for event in json.loads(line).get("events", [])]
    return [{**event, "event": event["name"]} for event in events]


def test_what_is_too_old_becomes_a_dead_letter_with_its_reason(project: Project) -> None:
    project.leave("A")
    note = project.outbox / "runs" / "A" / "waited"
    waited = json.loads(note.read_text())
    waited["waited"] += 8 * 24 * HOUR
    note.write_text(json.dumps(waited))

    healthy(project)

    assert names(project, "A") == []
    assert project.waiting() == []
    assert project.dead() == ["A.jsonl"]
    lines = (project.outbox / "dead/A.jsonl").read_text().splitlines()
    letters = [json.loads(line) for line in lines]
    assert [event["name"] for letter in letters for event in letter["events"]] == ALL_EVENTS
    assert all("not delivered within 168 hours" in letter["reason"] for letter in letters)


def test_events_of_another_account_wait_for_a_run_with_its_key(project: Project) -> None:
    keys = [Credential(KEY_ID, SECRET), Credential(OTHER, SECRET)]
    with Receiver(keys) as both:
        project.leave("A", ALIBABA_CLOUD_ACCESS_KEY_ID=OTHER)
        healthy(project, "mine")
        assert project.waiting() == ["A"]
        assert names(project, "A") == []
        theirs = project.run(
            [play(say())],
            CLOUDMONITOR_DEPLOYMENT_ID="theirs",
            CLOUDMONITOR_ENDPOINT=both.url,  # the endpoint is only the way
            ALIBABA_CLOUD_ACCESS_KEY_ID=OTHER,
        )
        assert (theirs.rc, theirs.warnings) == (0, []), theirs.output
        project.settled()
        assert names(project, "A", both) == ALL_EVENTS
        assert {request["access_key_id"] for request in both.requests} == {OTHER}
    assert project.waiting() == []


def test_a_deployment_of_another_host_is_lost_only_when_nothing_touches_it(
    project: Project,
) -> None:
    run = project.start([play(project.wait_task())], CLOUDMONITOR_DEPLOYMENT_ID="elsewhere")
    project.under_way()
    project.noted("elsewhere")
    for pid in (*project.couriers(), run.process.pid):
        os.kill(pid, signal.SIGKILL)
    run.ended()
    project.settled()
    folder = project.outbox / "runs" / "elsewhere"
    age(folder, 60, "another-host")

    healthy(project, "first")

    assert names(project, "elsewhere") == [START]
    age(folder, HOUR, "another-host")
    healthy(project, "second")
    assert names(project, "elsewhere") == ALL_EVENTS
    finish = project.events(id="elsewhere")[1]
    assert (finish["status"], finish["reason"]) == ("aborted", "lost")
    # The last sign of life is the best that is known.
    assert finish["duration_s"] == 0


def test_damage_is_set_aside_and_harms_no_other_deployment(project: Project) -> None:
    project.leave("A")
    project.leave("torn")
    with (project.outbox / "runs" / "torn" / "journal").open("a") as journal:
        journal.write('{"record":"events","at":1')
    runs = project.outbox / "runs"
    for name, content in (("garbage", b"\0\xff{]\n"), ("other", b'{"record": "else"}\n')):
        (runs / name).mkdir(mode=0o700)
        (runs / name / "journal").write_bytes(content)
    (runs / "empty").mkdir(mode=0o700)
    for name in ("garbage", "other", "empty"):
        (runs / name / "lock").touch()
        age(runs / name)

    healthy(project)

    assert names(project, "A") == names(project, "torn") == ALL_EVENTS
    assert project.waiting() == []
    kept = {
        path.parent.name: path.read_bytes() for path in project.outbox.glob("damaged/*/journal")
    }
    assert kept == {"garbage": b"\0\xff{]\n", "other": b'{"record": "else"}\n'}
    told, silent = (project.run([play(say())]) for _number in range(2))
    assert len(told.warnings) == 1, told.output
    assert "2 deployments" in told.warnings[0]
    assert silent.warnings == [], silent.output


def test_two_runs_with_one_id_at_the_same_time_do_not_meet(project: Project) -> None:
    project.write("site.yml", [play(say())])
    runs = [project.start("site.yml", CLOUDMONITOR_DEPLOYMENT_ID="../same id") for _number in "12"]
    for run in runs:
        ended = run.ended()
        assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert sorted(names(project, "../same id")) == sorted([START, FINISH] * 2)
    assert not (project.folder / "same id").exists()
    assert project.waiting() == []
