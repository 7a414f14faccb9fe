# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the courier, which it is given over its standard input."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...module_utils._api.connection import Connection
from ...module_utils._api.credentials import Credentials
from ...module_utils._api.frozen import frozen
from .history import DEFAULT_KEEP_DAYS
from .launch import absolute, working_directory
from .overdue import OverdueLimit


@frozen
class CourierSettings:
    """Everything that the courier is given, as one line of JSON.

    ``credentials`` is None if the courier is to find them with the default chain of
    alibabacloud-credentials. ``ttl``: seconds until an undelivered event is given up.
    ``linger``: seconds for which delivery continues after Ansible has exited. ``flush_timeout``:
    seconds for which Ansible waits at the end of a run. ``overdue``: when the run is overdue,
    None for never. ``history_keep``: days for which the
    history is kept; 0 turns it off.

    The others are filled in by ``for_run`` and ``for_probe``: the directory of the outbox, the
    name of the run's folder in it, the pid of Ansible, and the directory in which Ansible was
    started. With ``self_test`` the courier delivers nothing; see ``probe``. ``lock`` is the file
    descriptor of the folder's lock, which the courier receives beside its settings.
    """

    connection: Connection
    credentials: Credentials | None
    destination: str
    ttl: float
    linger: float
    flush_timeout: float
    overdue: OverdueLimit | None = None
    history_keep: float = DEFAULT_KEEP_DAYS
    outbox: str = ""
    folder: str = ""
    parent: int = 0
    directory: str = "/"
    self_test: bool = False
    lock: int = -1

    def for_run(self, outbox: Path, folder: str) -> CourierSettings:
        """Return the settings of the courier of one run's folder."""
        return replace(self, outbox=str(outbox), folder=folder)._from_here()

    def for_probe(self) -> CourierSettings:
        """Return the settings of a courier that only tests itself."""
        return replace(self, self_test=True)._from_here()

    def plain(self) -> dict[str, Any]:
        """Return the settings as JSON has them."""
        return asdict(self)

    @staticmethod
    def parse(text: str) -> CourierSettings:
        """Return the settings that ``plain`` gave. Raises ValueError, LookupError or TypeError."""
        raw: Mapping[str, Any] = json.loads(text)
        key = raw["credentials"]
        return CourierSettings(
            **{
                **raw,
                "connection": Connection(**raw["connection"]),
                "credentials": Credentials(**key) if key else None,
                "overdue": OverdueLimit.parse(raw["overdue"]) if raw["overdue"] else None,
            }
        )

    def _from_here(self) -> CourierSettings:
        """Return the settings with what the courier has to know about this process."""
        directory = working_directory()
        ca_path = self.connection.ca_path
        return replace(
            self,
            connection=replace(
                self.connection, ca_path=absolute(ca_path, directory) if ca_path else ca_path
            ),
            outbox=absolute(self.outbox, directory) if self.outbox else "",
            parent=os.getpid(),
            directory=directory,
        )
