# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer: what it can do without a reporter, and with one in which everything fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback import observer
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.stats import PlaybookEnd


class FailingReporter:
    """A reporter in which everything goes wrong but the finish."""

    wants_variables = True

    def __init__(self) -> None:
        self.variables: Any = None

    def failed(self, _failure: Any) -> None:
        raise RuntimeError

    def finish(self, _counters: Any, end: PlaybookEnd | None, variables: Any, _render: Any) -> None:
        assert end is None
        self.variables = variables


@pytest.fixture
def found() -> Any:
    display = SimpleNamespace(verbosity=0, display=None)
    return observer.Observer(display, print, "plugin", {})


def test_before_a_playbook_has_started_there_is_nothing_to_report(found: Any) -> None:
    found.remember(object())
    found.finish(object())
    found.give_up()

    assert found._reporter is None


def test_what_cannot_be_read_costs_its_details_but_not_the_report(found: Any) -> None:
    found._reporter = reporter = FailingReporter()
    found.play = object()  # without a variable manager

    found.remember(object())
    found.finish(SimpleNamespace(processed={}))

    assert reporter.variables == {}


@pytest.mark.parametrize(("shown", "logged"), [(0, 2), (2, 0), (2, 2)])
def test_the_verbosity_is_the_highest_that_is_shown_or_logged(
    found: Any, shown: int, logged: int
) -> None:
    found._display.verbosity, found._display.log_verbosity = shown, logged

    assert found._verbosity == 2
