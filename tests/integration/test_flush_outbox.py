# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""flush_outbox delivers what earlier runs could not."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    play,
    say,
    until,
    using,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID

MODULE = "aliops.cloudmonitor.flush_outbox"
ALL_EVENTS = [START, FINISH, FAILURE]


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[Project]:
    """A project that reports to the receiver."""
    with using(tmp_path / "project", receiver) as made:
        yield made


def flush(
    project: Project, *options: dict[str, Any], count_first: bool = False, **env: str
) -> list[dict[str, Any]]:
    """Run the module once with each of the options, the first time in check mode if told so."""
    tasks: list[dict[str, Any]] = [
        {MODULE: option, "register": f"flushed_{number}", "ignore_errors": True}
        for number, option in enumerate(options)
    ]
    tasks[0]["check_mode"] = count_first
    names = ", ".join(f"flushed_{number}" for number in range(len(options)))
    told = f"FLUSHED:{{{{ [{names}] | to_json | b64encode }}}}:"
    ended = project.run(
        [play(*tasks, {"ansible.builtin.debug": {"msg": told}}, hosts="h1")],
        **{**project.without(), **env},
    )
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    text = ended.output.split("FLUSHED:")[1].split(":")[0]
    results: list[dict[str, Any]] = json.loads(base64.b64decode(text))
    return results


def told(result: dict[str, Any]) -> tuple[int, int, int, bool, bool]:
    """Return the numbers of a result, and whether it changed something or failed."""
    numbers = (result["delivered"], result["pending"], result["dead_count"])
    return (*numbers, result["changed"], result["failed"])


def test_it_counts_loses_nothing_in_an_outage_and_delivers_what_is_left(project: Project) -> None:
    project.store("A")
    project.store("B")
    project.receiver.set_faults(["status=500"])

    counted, failed, first, second = flush(project, {}, {"retries": 0}, {}, {}, count_first=True)

    assert told(counted) == (0, 6, 0, False, False)
    assert told(failed) == (0, 6, 0, False, True)
    assert f"The events are safe in {project.outbox}." in failed["msg"]
    assert failed["error"]["kind"] == "server_error"
    assert project.receiver.url in failed["msg"]
    assert "undelivered" not in failed
    assert told(first) == (6, 0, 0, True, False)
    assert first["msg"] == "Delivered 6, waiting 0, refused 0."
    assert told(second) == (0, 0, 0, False, False)
    for name in "AB":
        assert [event["event"] for event in project.events(id=name)] == ALL_EVENTS
    assert project.waiting() == []


def test_dead_letters_are_sent_again_or_dropped_when_it_is_told_so(project: Project) -> None:
    project.leave("A", "permission")
    project.store("B")
    theirs = {"deployment": "theirs", "destination": "key:LTAI5tOther", "reason": "refused"}
    Outbox(project.outbox).dead_letters.add("theirs", {**theirs, "events": []})
    project.receiver.set_faults(["ok", "permission"])

    kept, refused, retried, dropped, nothing = flush(
        project, {}, {"dead": "retry"}, {"dead": "retry"}, {"dead": "drop"}, {}
    )

    assert told(kept) == (3, 0, 3, True, False)
    assert kept["msg"] == "Delivered 3, waiting 0, refused 3."
    letters = [letter for letter in kept["dead"] if letter["deployment"] == "A"]
    assert len(letters) == 2
    assert "cms:PutCustomEvent" in letters[0]["reason"]
    assert [event["name"] for letter in letters for event in letter["events"]] == ALL_EVENTS
    assert (refused["failed"], refused["delivered"], refused["dead_count"]) == (True, 0, 3)
    assert refused["error"]["kind"] == "permission"
    assert told(retried) == (3, 0, 1, True, False), retried
    assert told(dropped) == (0, 0, 0, True, False)
    assert told(nothing) == (0, 0, 0, False, False)
    assert [event["event"] for event in project.events(id="A")] == ALL_EVENTS


def test_it_takes_over_from_a_courier_that_lingers(project: Project) -> None:
    project.receiver.set_faults(["retry-after=600"])
    ended = project.run(
        [play(say(), hosts="h1")],
        CLOUDMONITOR_DEPLOYMENT_ID="A",
        CLOUDMONITOR_FLUSH_TIMEOUT="0",
        CLOUDMONITOR_LINGER="600",
    )
    assert ended.may_warn().rc == 0, ended.output
    until(lambda: project.receiver.requests, "its attempt")
    (courier,) = project.couriers()

    (flushed,) = flush(project, {})

    assert told(flushed) == (2, 0, 0, True, False)
    assert [event["event"] for event in project.events(id="A")] == [START, FINISH]
    until(lambda: courier not in project.couriers(), "an end of the courier")


@pytest.mark.every_core
def test_the_configuration_file_of_the_callback_counts(project: Project) -> None:
    """Its outbox, its endpoint and its id: the environment holds the secret only."""
    section = [f"outbox = {project.folder / 'configured'}"]
    section += [f"endpoint = {project.receiver.url}", f"access_key_id = {KEY_ID}"]
    project.config("\n".join(section))
    project.outbox = project.folder / "configured"
    project.store("A")

    (found,) = flush(
        project,
        {},
        CLOUDMONITOR_OUTBOX="",
        CLOUDMONITOR_ENDPOINT="",
        CLOUDMONITOR_TIMEOUT="",
        ALIBABA_CLOUD_ACCESS_KEY_ID="",
        ANSIBLE_CONFIG=str(project.folder / "ansible.cfg"),
        CLOUDMONITOR_EXCLUDE_PLAYBOOKS="*",
    )

    assert told(found) == (3, 0, 0, True, False)
