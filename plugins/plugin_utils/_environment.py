# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback needs before its options are known: the environment as it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible import constants as C

# Empty, this variable disables the failure event.
_MAY_BE_EMPTY = "CLOUDMONITOR_FAILURE_EVENT"


@contextmanager
def without_empty_variables() -> Iterator[None]:
    """Hide empty environment variables of the collection from Ansible for a moment."""
    ours = ("CLOUDMONITOR_", "ALIBABA_CLOUD_", "ALICLOUD_")
    empty = [
        name
        for name, value in os.environ.items()
        if value == "" and name.startswith(ours) and name != _MAY_BE_EMPTY
    ]
    for name in empty:
        del os.environ[name]
    try:
        yield
    finally:
        for name in empty:
            os.environ[name] = ""


def default_outbox() -> str:
    """Return the outbox that is used when none is configured. It follows ANSIBLE_HOME.

    It is computed here, because a templated default does not work in callbacks.
    """
    return str(Path(C.config.get_config_value("ANSIBLE_HOME")) / "aliops.cloudmonitor")
