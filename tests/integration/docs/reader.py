# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader who follows a guide, in a project with an outbox in the default place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    DeliveryError,
    Outcome,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.status import (
    DeliveryStatus,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import Block, block, shell
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    Ended,
    Project,
    Running,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    ansible_playbook,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    deployment,
)

# The home directory is the project, and no variable names the outbox: the default counts.
DEFAULT = {"CLOUDMONITOR_OUTBOX": None}
HOUR = 3600.0
OUTAGE = DeliveryError("It is down.", "connection", Outcome.OUTAGE)
REFUSAL = DeliveryError("It is not allowed.", "permission", Outcome.REFUSED)


class Reader:
    """Follows the code blocks of one guide."""

    def __init__(self, guide: Path, project: Project) -> None:
        project.outbox = project.folder / ".ansible" / "aliops.cloudmonitor"
        self._guide = guide
        self._project = project

    def write(self, *titles: str, change: Callable[[str], str] = str) -> None:
        """Write the blocks with these titles to files of that name."""
        for title in titles:
            self._project.write(title, change(block(self._guide, title).text))

    def command(self, words: str) -> Block:
        """Return the shell block that is these words, or the only one that contains them."""
        known = shell(self._guide)
        found = [one for one in known if one.text.strip() == words]
        found = found or [one for one in known if words in one.text]
        assert len(found) == 1, f"{self._guide.name}: {len(found)} blocks with {words!r}"
        return found[0]

    def type(
        self, words: str, change: Callable[[str], str] = str, /, **variables: str | None
    ) -> Ended:
        """Run the shell block of these words."""
        return self.run(change(self.command(words).text), **variables)

    def run(self, script: str, **variables: str | None) -> Ended:
        """Run a script, with the Ansible under test on PATH."""
        return self.start(script, **variables).ended()

    def start(self, script: str, **variables: str | None) -> Running:
        """Start a script, with the Ansible under test on PATH."""
        beside = str(Path(ansible_playbook()).parent)
        path = os.pathsep.join([beside, os.environ["PATH"]])
        given = {**DEFAULT, "PATH": path, **variables}
        return self._project.command("bash", "-e", "-c", script, **given)

    def leave(self, name: str, error: DeliveryError = OUTAGE, key: str = KEY_ID) -> Path:
        """Write three events of an earlier run, of which an attempt failed with this error."""
        outbox = Outbox(self._project.outbox)
        folder = self._project.store(
            name,
            deployment=deployment(name, started_at=time.time()),
            destination=f"key:{key}",
        )
        folder.set_status(DeliveryStatus().after_attempt(error, finish_is_known=True).dump())
        delivery = Delivery(outbox, folder, HOUR, time.time)
        delivery.step(lambda _events: error)
        if delivery.done:
            folder.remove()
        return folder.path
