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
from cloudmonitor_receiver import Credential, Receiver

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
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET

MODULE = "aliops.cloudmonitor.flush_outbox"
OTHER = "LTAI5tOther"
ALL_EVENTS = [START, FINISH, FAILURE]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project whose receiver knows two accounts and a temporary key."""
    keys = [Credential(KEY_ID, SECRET), Credential(OTHER, SECRET)]
    with Receiver(keys) as receiver, using(tmp_path / "project", receiver) as made:
        yield made


def flush(
    project: Project, *options: dict[str, Any], arguments: tuple[str, ...] = (), **env: str
) -> list[dict[str, Any]]:
    """Run the module once with each of the options; return the results."""
    tasks: list[dict[str, Any]] = [
        {MODULE: option, "register": f"flushed_{number}", "ignore_errors": True}
        for number, option in enumerate(options)
    ]
    names = ", ".join(f"flushed_{number}" for number in range(len(options)))
    told = f"FLUSHED:{{{{ [{names}] | to_json | b64encode }}}}:"
    ended = project.run(
        [play(*tasks, {"ansible.builtin.debug": {"msg": told}}, hosts="h1")],
        *arguments,
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


def test_it_delivers_what_is_left_and_check_mode_only_counts(project: Project) -> None:
    project.leave("A")
    project.leave("B", "permission")

    (counted,) = flush(project, {}, arguments=("--check",))
    assert told(counted) == (0, 3, 2, False, False)
    assert project.events() == []

    first, second = flush(project, {}, {})
    assert told(first) == (3, 0, 2, True, False)
    assert first["msg"] == "Delivered 3, waiting 0, refused 2."
    assert told(second) == (0, 0, 2, False, False)
    assert [event["event"] for event in project.events(id="A")] == ALL_EVENTS
    assert {letter["deployment"] for letter in second["dead"]} == {"B"}
    assert "cms:PutCustomEvent" in second["dead"][0]["reason"]
    names = [event["name"] for letter in second["dead"] for event in letter["events"]]
    assert names == ALL_EVENTS
    assert project.waiting() == []


def test_dead_letters_are_sent_again_or_dropped_when_it_is_told_so(project: Project) -> None:
    project.leave("A", "permission")
    project.receiver.set_faults(["permission"])

    again, retried, kept = flush(project, {"dead": "retry"}, {"dead": "retry"}, {})
    assert (again["failed"], again["delivered"], again["dead_count"]) == (True, 0, 2)
    assert again["error"]["kind"] == "permission"
    assert told(retried) == (3, 0, 0, True, False), retried
    assert told(kept) == (0, 0, 0, False, False)
    assert [event["event"] for event in project.events(id="A")] == ALL_EVENTS

    project.leave("B", "signature")
    dropped, after = flush(project, {"dead": "drop"}, {"dead": "retry"})
    assert (dropped["delivered"], dropped["dead_count"], dropped["changed"]) == (0, 0, True)
    assert told(after) == (0, 0, 0, False, False)
    assert project.events(id="B") == []


def lingering(project: Project, fault: str, tries: int) -> int:
    """Let a run end whose courier goes on for ten minutes; return the courier's pid."""
    project.receiver.set_faults([fault + "*inf"])
    ended = project.run(
        [play(say())],
        CLOUDMONITOR_DEPLOYMENT_ID="A",
        CLOUDMONITOR_FLUSH_TIMEOUT="0",
        CLOUDMONITOR_LINGER="600",
    )
    assert ended.may_warn().rc == 0, ended.output
    until(lambda: len(project.receiver.requests) >= tries, "its attempts")
    (courier,) = project.couriers()
    project.receiver.set_faults([])
    return courier


def test_it_takes_over_from_a_courier_that_lingers(project: Project) -> None:
    courier = lingering(project, "retry-after=600", 1)
    (flushed,) = flush(project, {})

    assert told(flushed) == (2, 0, 0, True, False)
    assert [event["event"] for event in project.events(id="A")] == [START, FINISH]
    until(lambda: courier not in project.couriers(), "an end of the courier")


def test_it_waits_for_a_courier_that_is_in_the_middle_of_a_try(project: Project) -> None:
    courier = lingering(project, "hang", 2)
    (flushed,) = flush(project, {})

    assert flushed["delivered"] in (0, 2), "the courier may have been quicker"
    assert told(flushed)[1:3] == (0, 0)
    assert [event["event"] for event in project.events(id="A")] == [START, FINISH]
    until(lambda: courier not in project.couriers(), "an end of the courier")


def test_in_an_outage_it_fails_with_advice_and_loses_nothing(project: Project) -> None:
    project.leave("A")
    project.leave("B")
    project.receiver.set_faults(["status=500*inf"])

    (failed,) = flush(project, {"retries": 0})

    assert told(failed)[:4] == (0, 6, 0, False)
    assert f"The events are safe in {project.outbox}." in failed["msg"]
    assert (failed["failed"], failed["error"]["kind"]) == (True, "server_error")
    assert project.receiver.url in failed["msg"]
    assert "undelivered" not in failed
    assert len(project.waiting()) == 2
    project.receiver.set_faults([])
    (mended,) = flush(project, {})
    assert told(mended)[:3] == (6, 0, 0)


@pytest.mark.every_core
def test_the_configuration_file_of_the_callback_counts(project: Project) -> None:
    """Its outbox, its endpoint and its id: the environment holds the secret only."""
    section = [f"outbox = {project.folder / 'configured'}"]
    section += [f"endpoint = {project.receiver.url}", f"access_key_id = {KEY_ID}"]
    project.config("\n".join(section))
    project.leave("A", CLOUDMONITOR_OUTBOX="")
    assert (project.folder / "configured" / "runs" / "A").exists()

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
