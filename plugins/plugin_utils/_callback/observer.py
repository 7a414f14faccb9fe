# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translates Ansible's calls of the callback for the reporter: Ansible's objects to plain data."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from ansible import context
from ansible.template import Templar
from ansible.utils.vars import load_extra_vars

from .._config import check_options
from .._outbox.launch import CourierProcess
from .compat import parse_failure, read_counters
from .executor import read_playbook_end
from .playbooks import PlaybookFile
from .reporter import Reporter, is_new_playbook


class Observer:
    """Observes the playbooks of one ansible-playbook process for the reporter."""

    def __init__(
        self, display: Any, warn: Callable[[str], None], plugin: str, options: dict[str, Any]
    ) -> None:
        """``display``: Ansible's. ``warn`` shows a warning.

        ``plugin``: the name that Ansible knows the callback by; ``options``: the callback's.
        """
        self.play: Any = None
        self._display = display
        self._warn = warn
        self._plugin = plugin
        self._options = options
        self._reporter: Reporter | None = None
        self._loader: Any = None
        self._playbooks = 0

    def start(self, playbook: Any, courier: CourierProcess | None = None) -> None:
        """Report the start of a playbook. ``courier``: one that was started for it already."""
        if not is_new_playbook(playbook):
            return
        path = str(playbook._file_name or "")
        self._playbooks += 1
        self.play, self._loader = None, playbook._loader
        if self._reporter is None:
            self._reporter = Reporter(
                self._options,
                os.environ,
                self._warn,
                partial(self._display.display, stderr=True),
                partial(check_options, self._plugin, self._options),
                verbosity=self._verbosity,
                explain=self._explain,
            )
        extra = load_extra_vars(self._loader)
        self._reporter.start(
            PlaybookFile(self._given(self._playbooks, path), path),
            self._playbooks,
            bool(context.CLIARGS.get("check")),
            extra,
            self._render(extra),
            courier,
        )

    def remember(self, result: Any) -> None:
        """Remember a failure. One that cannot be read costs its details, not the report."""
        if self._reporter is not None:
            with contextlib.suppress(Exception):
                self._reporter.failed(parse_failure(result))

    def finish(self, stats: Any) -> None:
        """Report the finish of the playbook."""
        if self._reporter is None:
            return
        variables: dict[str, Any] = {}
        if self._reporter.wants_variables and self.play is not None:
            with contextlib.suppress(Exception):
                manager = self.play.get_variable_manager()
                variables = dict(manager.get_vars(play=self.play))
        end = read_playbook_end()
        received = self._reporter.finish(
            read_counters(stats), end, variables, self._render(variables)
        )
        is_last = self._playbooks >= len(context.CLIARGS.get("args") or ())
        if received is not None and not is_last and (end is None or end.exit_status == 0):
            # It was meant for the next playbook. After the last one it changes nothing.
            signal.raise_signal(received)

    def give_up(self) -> None:
        """Report nothing any more; what is in the outbox is still delivered."""
        if self._reporter is not None:
            self._reporter.give_up()

    @staticmethod
    def _given(number: int, path: str) -> str:
        """Return how the command line names its playbook ``number`` (from 1), else its path."""
        given = context.CLIARGS.get("args") or ()
        return str(given[number - 1]) if len(given) >= number else path

    def _render(self, variables: dict[str, Any]) -> Any:
        return Templar(loader=self._loader, variables=variables).template

    @property
    def _verbosity(self) -> int:
        """The highest level of verbosity that is shown or, with log_verbosity, logged."""
        display = self._display
        return int(max(display.verbosity, getattr(display, "log_verbosity", 0)))

    def _explain(self, level: int, text: str) -> None:
        """Show a line from a level of verbosity on. Display.verbose uses standard output."""
        line = f"aliops.cloudmonitor: {text}"
        if self._display.verbosity >= level:
            self._display.display(line, stderr=True)
        else:
            self._display.display(line, log_only=True)
