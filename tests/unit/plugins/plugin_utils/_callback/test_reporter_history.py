# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run and the history: what it adds, what it takes from it, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.scenes import (
    FINISH,
    START,
    Scene,
    contents,
)


def test_a_run_adds_its_finish_and_names_the_deployment_before(
    scene: Scene, receiver: Receiver
) -> None:
    commit: dict[str, Any] = {
        "deployment_commit": "ABCDEF0",
        "deployment_url": "https://bot:pw@git.example/7",
    }
    for version in ("1.4.1", "1.4.2"):
        scene.run(scene.reporter(deployment_version=version, **commit))
    starts, finishes = contents(receiver, START), contents(receiver, FINISH)
    lines = scene.outbox.history.read().lines

    assert scene.warnings == []
    assert lines == [{**one, "by": "callback"} for one in finishes]
    assert "previous" not in starts[0]
    assert (
        starts[1]["previous"]
        == finishes[1]["previous"]
        == {
            "id": starts[0]["id"],
            "version": "1.4.1",
            "finished_at": finishes[0]["finished_at"],
        }
    )
    assert (lines[1]["commit"], lines[1]["url"]) == ("abcdef0", "https://git.example/7")


def test_without_a_history_a_run_is_reported_as_before(scene: Scene, receiver: Receiver) -> None:
    for _number in range(2):
        scene.run(scene.reporter(history_keep=0.0))

    assert scene.warnings == []
    assert not (scene.outbox.root / "history").exists()
    assert ["previous" in one for one in contents(receiver, START)] == [False, False]


def test_a_history_that_cannot_be_written_is_one_warning(scene: Scene, receiver: Receiver) -> None:
    (scene.outbox.root / "history").write_text("a file")
    scene.run()

    assert len(scene.warnings) == 1
    assert "this deployment is missing in the history, because" in scene.warnings[0]
    assert len(contents(receiver, FINISH)) == 1


def test_a_wrong_commit_is_a_warning_before_anything_is_reported(
    scene: Scene, receiver: Receiver
) -> None:
    scene.run(scene.reporter(deployment_commit="main"))

    assert len(scene.warnings) == 1
    assert "this run is not reported. deployment_commit: must be" in scene.warnings[0]
    assert receiver.events == []
    assert scene.outbox.history.read().lines == []
