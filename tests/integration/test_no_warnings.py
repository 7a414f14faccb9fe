# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No warning goes unnoticed: what the other tests rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import Run

PACKAGE = "ansible_collections.aliops.cloudmonitor.plugins."


def test_a_warning_that_no_test_reads_is_reported_at_its_end(playbook: Callable[..., Run]) -> None:
    # Ansible warns of a pattern that no host matches.
    run = playbook([{"hosts": "nowhere", "gather_facts": False, "tasks": []}])
    assert run.rc == 0
    (unread,) = quiet.unread()
    assert "nowhere" in unread


def test_a_warning_that_a_test_reads_is_its_own_business(playbook: Callable[..., Run]) -> None:
    run = playbook([{"hosts": "nowhere", "gather_facts": False, "tasks": []}])
    assert len(run.warnings) == 1
    assert quiet.unread() == []


def test_of_two_runs_that_say_the_same_each_has_to_be_read() -> None:
    one, _other = (quiet.hear("[WARNING]: the same words\n") for _number in range(2))
    assert quiet.judge(one) == quiet.judge(one) == ["[WARNING]: the same words"]
    assert quiet.unread() == ["[WARNING]: the same words"]


def test_a_deprecation_fails_even_a_test_that_reads_warnings() -> None:
    with pytest.raises(AssertionError, match="old_option"):
        quiet.hear("PLAY [all]\n[DEPRECATION WARNING]: old_option is going away.\n")


def test_a_warning_of_python_fails() -> None:
    with pytest.raises(AssertionError, match="utcnow"):
        quiet.hear("x.py:7: DeprecationWarning: datetime.utcnow() is deprecated\n")


@pytest.mark.parametrize("name", ["callback.deployment_events", "module_utils._api.transport"])
def test_python_warnings_about_our_lines_raise_and_about_others_do_not(name: str) -> None:
    code = "import warnings; warnings.warn_explicit('w', DeprecationWarning, 'f.py', 7, %r)"
    for module, wanted in ((PACKAGE + name, 1), ("ansible.executor", 0)):
        done = subprocess.run(
            [sys.executable, "-c", code % module],
            env={**os.environ, **quiet.strict()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == wanted, done.stderr
