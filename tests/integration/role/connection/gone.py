# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection that nobody answers: its host is unreachable at once, without a network."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: gone
short_description: A host that cannot be reached
description: Every attempt to connect fails.
author: aliops.cloudmonitor contributors
version_added: 1.0.0
options: {}
"""


class Connection(ConnectionBase):
    """Fails whenever it is used."""

    transport = "gone"
    has_pipelining = False

    def _connect(self) -> Any:
        return self

    def exec_command(self, *_args: Any, **_options: Any) -> Any:
        """Fail as an unreachable host does."""
        raise AnsibleConnectionFailure("this host is gone")

    def put_file(self, *_args: Any, **_options: Any) -> None:
        """Fail as an unreachable host does."""
        self.exec_command()

    def fetch_file(self, *_args: Any, **_options: Any) -> None:
        """Fail as an unreachable host does."""
        self.exec_command()

    def close(self) -> None:
        """Do nothing: nothing is open."""
