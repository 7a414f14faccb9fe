# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that measures the time inside our callback: all its hooks, and its options."""

from __future__ import annotations

import functools
import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: time_callback
type: aggregate
short_description: Measures the time inside another callback
version_added: 1.0.0
description: For the benchmark of callbacks only.
author: aliops.cloudmonitor contributors (@aliops)
"""

MEASURED = "ansible_collections.aliops.cloudmonitor.plugins.callback.deployment_events"


class CallbackModule(CallbackBase):
    """Wraps the hooks of the measured class; it must be enabled before the measured one."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "time_callback"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._seconds = 0.0
        began = time.perf_counter()
        measured = importlib.import_module(MEASURED).CallbackModule
        self._seconds += time.perf_counter() - began
        for name, value in list(vars(measured).items()):
            if name.startswith("v2_") or name in ("__init__", "set_options"):
                setattr(measured, name, self._timed(value))

    def _timed(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(hook)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return hook(*args, **kwargs)
            finally:
                self._seconds += time.perf_counter() - began
                # Written each time: which hook is the last one, only Ansible knows.
                Path(os.environ["BENCH_INSIDE"]).write_text(str(self._seconds))

        return timed
