# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history as tasks use it: it may be off, or not usable, and no task fails for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.event import parse_event
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
    render,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks import (
    history as task_history,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.history import TaskHistory

ONE = Deployment("d1", "shop", "succeeded", version="1", started_at=1.0, finished_at=2.0)
FINISH = parse_event({"name": "deployment-finish", "content": render(ONE)}, 2.0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(task_history, "configured_options", lambda _names: {})
    return tmp_path / "home" / "outbox"


def test_a_task_makes_the_outbox_and_adds_to_its_history(place: Path) -> None:
    history = TaskHistory(str(place), {}, "role")
    history.add(FINISH)
    history.add(FINISH, "refused")
    lines = Outbox(place).history.read().lines

    assert history.problem is None
    assert [(one["by"], one.get("delivery")) for one in lines] == [
        ("role", None),
        ("role", "refused"),
    ]
    assert history.previous(Deployment("d2", "shop")) == {
        "id": "d1",
        "version": "1",
        "finished_at": "1970-01-01T00:00:02.000Z",
    }


def test_a_place_that_cannot_be_used_is_one_line_of_text(place: Path) -> None:
    place.parent.mkdir()
    place.write_text("a file")
    history = TaskHistory(str(place), {}, "task")
    history.add(FINISH)

    assert "missing in the history, because" in (history.problem or "")
    assert history.previous(ONE) is None


def test_an_option_that_is_wrong_is_named_and_zero_days_turn_the_history_off(place: Path) -> None:
    off = TaskHistory(str(place), {"CLOUDMONITOR_HISTORY_KEEP": "0"}, "task")
    wrong = TaskHistory(str(place), {"CLOUDMONITOR_HISTORY_KEEP": "-1"}, "task")
    for history in (off, wrong):
        history.add(FINISH)
        assert history.previous(ONE) is None

    assert off.problem is None
    assert "history_keep: must be a number" in (wrong.problem or "")
    assert not place.exists()
