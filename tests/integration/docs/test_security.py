# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed collection can be verified, upgraded and removed as the guides say."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

ROOT = Path(__file__).resolve().parents[3]
OWN = {"ANSIBLE_COLLECTIONS_PATH": None}


def fine(ended: Ended) -> str:
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    return ended.output


def test_what_is_installed_is_verified_until_somebody_changes_it_and_can_be_removed(
    project: Project,
) -> None:
    operations = Reader(guide("operations"), project)
    security = Reader(guide("security"), project)
    build, checksum, install = security.command("sha256sum").text.splitlines()
    fine(security.run(f"{build} {ROOT}", **OWN))
    assert "aliops-cloudmonitor-" in fine(security.run(checksum, **OWN))
    installed = project.folder / ".ansible/collections/ansible_collections/aliops/cloudmonitor"

    fine(security.run(install + " --offline", **OWN))
    # A run leaves nothing behind that verifying would take for a change.
    fine(security.run("ansible-doc -t callback aliops.cloudmonitor.deployment_events", **OWN))
    fine(operations.type("--upgrade", lambda text: text.rstrip() + " --offline", **OWN))
    fine(security.type("verify --offline", **OWN))
    changed = installed / "plugins/module_utils/_api/signature.py"
    changed.write_text("")
    found = security.type("verify --offline", **OWN)

    assert found.rc != 0
    assert "signature.py" in found.output
    project.outbox.mkdir()
    fine(operations.type("rm -rf", **OWN))
    assert not installed.exists()
    assert not project.outbox.exists()
