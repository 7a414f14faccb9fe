# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide to the check shows what the check does."""

from __future__ import annotations

import re

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    blocks,
    guide,
    literals,
    tables,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.check.conftest import (
    Checked,
    shown,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("check")
COMMAND = "ansible-playbook -i localhost, aliops.cloudmonitor.check"


def test_the_commands_and_the_lists_are_as_the_guide_says(project: Checked) -> None:
    reader = Reader(GUIDE, project)

    ended = reader.type(COMMAND)
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert [event["name"] for event in project.receiver.events] == ["deployment-check"]
    no_outbox = str(project.folder / "hosts")
    broken = reader.type("cloudmonitor_check_send=false", CLOUDMONITOR_OUTBOX=no_outbox)
    assert (broken.rc, shown(broken).wrong) == (2, ["outbox"]), broken.output
    assert "cloudmonitor_check_send" in shown(broken).checks["test event"]
    assert len(project.receiver.events) == 1
    receipt = reader.type("cloudmonitor_check_receipt=true")
    assert (receipt.rc, receipt.warnings) == (0, []), receipt.output

    names = list(shown(broken).checks)
    lists, checks = tables(GUIDE)
    documented = [name for row in checks[1:] for name in literals(row[0])]
    assert documented == [*names, "receipt"] == list(shown(receipt).checks)
    (sample,) = blocks(GUIDE, "text")
    sampled = re.findall(r"^(?:ok|WRONG|skipped) +(\w+(?: event)?) ", sample.text, re.MULTILINE)
    assert sampled == names
    for row in lists[1:]:
        assert f"TASK [{literals(row[0])[0]}]" in broken.output
