# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook status shows an outbox, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import code_cache
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Project,
    using,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import ansible_playbook
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.full_outbox import (
    fill,
    snapshot,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    new_outbox,
)

STATUS = "aliops.cloudmonitor.status"


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> Iterator[Project]:
    with using(tmp_path / "project", receiver) as made:
        yield made


def test_the_status_is_shown_also_as_json_and_nothing_changes(project: Project) -> None:
    outbox = new_outbox(project.folder)
    fill(outbox)
    cache = outbox.root / code_cache.FOLDER
    cache.mkdir(0o700)
    before = snapshot(outbox.root)
    variables = f"cloudmonitor_outbox={outbox.root} cloudmonitor_region=cn-beijing"
    shown = project.run(STATUS, "-e", variables, CLOUDMONITOR_OUTBOX="")  # with the callback
    ansible = Path(ansible_playbook()).with_name("ansible")
    module = ("localhost", "-C", "-m", "aliops.cloudmonitor.outbox_info")
    as_json = project.command(ansible, "-i", "localhost,", *module).ended()

    assert (shown.rc, shown.warnings, as_json.rc, as_json.warnings) == (0, [], 0, [])
    after = snapshot(outbox.root)
    # The callback stores its compiled code there, which says nothing about deployments.
    compiled = {str(cache), *map(str, cache.iterdir())}
    assert {path: after[path] for path in after.keys() - compiled} == {
        path: before[path] for path in before.keys() - compiled
    }
    assert project.receiver.requests == [], "the status is not reported"
    for text in ("running", "waiting", "export", "second", "damaged/old", "dead=retry"):
        assert text in shown.output
    table = shown.output.partition('"msg": [')[2].partition("]\n}")[0]
    assert table.count("\n") > 20
    lines = [line for line in table.splitlines() if str(outbox.root) not in line]
    assert max(len(line) for line in lines) <= 100, "only a path may be longer"
    result = json.loads(as_json.output.partition("=>")[2])
    assert (result["totals"]["running"], result["totals"]["waiting"]) == (1, 2)
    assert (result["queued"][0]["events"], result["dead"][0]["letters"]) == (3, 2)


def test_a_mistyped_variable_is_an_error_with_the_nearest_name(project: Project) -> None:
    mistyped = project.run(STATUS, "-e", "cloudmonitor_outbx=/nowhere")

    assert mistyped.rc == 2
    assert "Did you mean cloudmonitor_outbox instead of" in mistyped.output
