# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible ends a playbook; tests/integration/callback/test_exit_status.py has real runs."""

from __future__ import annotations

from ansible.executor.playbook_executor import PlaybookExecutor

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.executor import (
    read_playbook_end,
)


def test_the_end_is_unknown_outside_of_the_executor() -> None:
    assert read_playbook_end() is None


def test_a_function_of_the_same_name_is_not_mistaken_for_the_executor() -> None:
    def run() -> object:
        result = 0
        return (result, read_playbook_end())

    assert run() == (0, None)


def test_ansible_still_keeps_the_exit_status_where_it_is_read() -> None:
    names = PlaybookExecutor.run.__code__.co_varnames

    assert {"self", "result"} <= set(names)
