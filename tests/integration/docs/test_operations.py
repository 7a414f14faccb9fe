# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operations guide says about the outbox can be done as it stands there."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import time
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    block,
    guide,
    literals,
    tables,
)
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
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import (
    DEFAULT,
    HOUR,
    REFUSAL,
    Reader,
)

GUIDE = guide("operations")
ALL_EVENTS = [START, FINISH, FAILURE]
FLUSH = "localhost -m aliops.cloudmonitor.flush_outbox\n"
# What the guide says of a file that is being written.
SECOND_FILE = re.compile(r"\.(delivered|heartbeat|status|reserve|waited|destination)\.[0-9]+")
NO_KEY = {"ALIBABA_CLOUD_ACCESS_KEY_ID": None, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None}


@pytest.fixture
def reader(project: Project) -> Reader:
    return Reader(GUIDE, project)


def names(project: Project, name: str) -> list[str]:
    return [event["event"] for event in project.events(id=name)]


def numbers(ended: Ended) -> dict[str, int]:
    """Return the numbers of a flush from the output of the ad-hoc command."""
    assert "WARN" not in ended.output, ended.output
    found = json.loads(ended.output.partition("=>")[2])
    return {name: found[name] for name in ("delivered", "pending", "dead_count")}


def fine(ended: Ended) -> str:
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    return ended.output


def test_the_outbox_can_be_looked_at_counted_and_emptied(project: Project, reader: Reader) -> None:
    reader.leave("A")
    reader.leave("B", REFUSAL)

    looked = fine(reader.type("ls ~/.ansible"))
    assert "A\n" in looked
    assert "B.jsonl" in looked
    assert '"outcome": "outage"' in looked
    assert f'1 "destination":"key:{KEY_ID}"' in fine(reader.type('"destination":'))
    counted = reader.type(" -C ", **NO_KEY)
    assert numbers(counted) == {"delivered": 0, "pending": 3, "dead_count": 2}
    assert "It is not allowed." in fine(reader.type('"reason":'))
    reader.write("watch.yml")
    here = {**NO_KEY, **project.without()}
    status = fine(reader.type("monitor.status", lambda text: text.rstrip() + " watch.yml", **here))
    assert "1 waiting, 3 events to deliver, 2 dead letters." in status
    assert "flush_outbox -a dead=retry" in status
    assert "All assertions passed" in status
    assert project.events() == []

    flushed = reader.type(FLUSH)
    assert numbers(flushed) == {"delivered": 3, "pending": 0, "dead_count": 2}
    assert names(project, "A") == ALL_EVENTS
    again = reader.type("dead=retry")
    assert numbers(again) == {"delivered": 3, "pending": 0, "dead_count": 0}
    assert names(project, "B") == ALL_EVENTS
    reader.leave("C", REFUSAL)
    dropped = reader.type("dead=drop")
    assert numbers(dropped) == {"delivered": 0, "pending": 0, "dead_count": 0}
    assert names(project, "C") == []


def test_the_playbooks_send_also_with_another_accesskey_and_are_not_reported_when_excluded(
    project: Project, reader: Reader
) -> None:
    project.config("exclude_playbooks = flush.yml,resend.yml")
    reader.leave("A")
    reader.leave("B", REFUSAL, key="LTAI5tOld")
    reader.write("flush.yml", "resend.yml")

    # Once more: with nothing to send, it is no error.
    ended = reader.run("ansible-playbook flush.yml resend.yml resend.yml")

    assert "Delivered 3, waiting 0" in fine(ended), ended.output
    assert [event["id"] for event in project.events()] == ["A"] * 3 + ["B"] * 3
    assert names(project, "B") == ALL_EVENTS
    assert project.dead() == []


def key_file(project: Project, reader: Reader) -> None:
    """Write the file with the AccessKey, as the guide has it, with the key of the test."""
    reader.write(
        "cloudmonitor.env",
        change=lambda text: text.replace("LTAI5tExample", KEY_ID).replace("the-secret", SECRET),
    )
    project.config(f"endpoint = {project.receiver.url}")


def test_cron_delivers_with_nothing_but_the_file_with_the_accesskey(
    project: Project, reader: Reader
) -> None:
    reader.leave("A")
    key_file(project, reader)
    line = block(GUIDE, "crontab -e").text.strip()
    *_when, command = line.split(" ", 5)
    assert len(_when) == 5

    ended = reader.run(
        command.replace("/srv/deploy", str(project.folder)).replace("/opt/ansible/bin/", ""),
        CLOUDMONITOR_ENDPOINT=None,
        **NO_KEY,
    )

    assert fine(ended) == ""
    assert names(project, "A") == ALL_EVENTS


def test_the_systemd_service_delivers_with_its_file_with_the_accesskey(
    project: Project, reader: Reader
) -> None:
    reader.leave("A")
    key_file(project, reader)
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(block(GUIDE, "cloudmonitor-flush.service").text)
    service = unit["Service"]
    assert service["EnvironmentFile"] == service["WorkingDirectory"] + "/cloudmonitor.env"
    key = dict(
        line.split("=", 1)
        for line in (project.folder / "cloudmonitor.env").read_text().splitlines()
    )
    program, *arguments = shlex.split(service["ExecStart"])
    assert Path(program).name == "ansible"

    ended = reader.run(shlex.join(["ansible", *arguments]), CLOUDMONITOR_ENDPOINT=None, **key)

    assert numbers(ended) == {"delivered": 3, "pending": 0, "dead_count": 0}
    timer = configparser.ConfigParser(interpolation=None)
    timer.read_string(block(GUIDE, "cloudmonitor-flush.timer").text)
    assert "OnCalendar" in timer["Timer"]


def test_after_removing_nothing_is_left(project: Project, reader: Reader) -> None:
    reader.leave("A", REFUSAL)
    assert project.outbox.exists()

    fine(reader.type("rm -rf"))

    assert not project.outbox.exists()


def pattern(path: str) -> str:
    """Return the regular expression of a path of the guide's table."""
    quoted = re.escape(path.rstrip("/"))
    for name in ("<id>", "<module>"):
        quoted = quoted.replace(name, "[^/]+")
    for name, form in (("<pid>", "[0-9]+"), ("<month>", "[0-9]{4}-[0-9]{2}")):
        quoted = quoted.replace(name, form)
    return quoted


def test_the_table_of_the_outbox_names_everything_that_lies_there(
    project: Project, reader: Reader
) -> None:
    damaged = reader.leave("damaged")
    for name in ("journal", "heartbeat"):
        (damaged / name).write_text("no line of JSON\n")
        os.utime(damaged / name, (time.time() - HOUR,) * 2)
    reader.leave("refused", REFUSAL)
    fine(project.run([play(say())], **DEFAULT))
    project.settled()
    (project.folder / "go-on").unlink()  # the run before is over
    run = project.start(
        [play(project.wait_task())], CLOUDMONITOR_DEPLOYMENT_ID="present", **DEFAULT
    )
    project.under_way()
    project.noted("present")

    named = [path for row in tables(GUIDE)[0][1:] for path in literals(row[0])]
    found = [
        str(path.relative_to(project.outbox))
        for path in project.outbox.rglob("*")
        if path.parent.parent != project.outbox / "damaged" and not SECOND_FILE.fullmatch(path.name)
    ]
    project.release()
    told = run.ended()
    assert ["moved to" in warning for warning in told.warnings] == [True], told.output

    areas = {"runs", "dead", "damaged", "history", "cache"}
    unnamed = {
        path
        for path in set(found) - areas
        if not any(re.fullmatch(pattern(one), path) for one in named)
    }
    unseen = {one for one in named if not any(re.fullmatch(pattern(one), path) for path in found)}
    # These exist for a moment, or only with the default chain, a flush that retries, a task that
    # queues, or a full log.
    unseen -= {".probe.<pid>.<number>", "runs/<id>/destination", "dead/.retry"}
    unseen -= {"runs/<id>~queued-<number>/", "courier.log.1"}
    assert (unnamed, unseen) == (set(), set())
