# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No run may warn unless its test asks for the warnings: Ansible's, and Python's about our code.

A helper that runs something hands the output to hear(). A test that wants warnings reads them
with judge(), mostly as ``.warnings`` of what the helper returned; what nobody read by the end of
a test fails it (a fixture in conftest.py sees to that). Deprecations always fail.

A courier inherits PYTHONPATH, so a warning of Python about our code is also an error there. Its
output goes nowhere: the test sees that events are missing.
"""

from __future__ import annotations

import re
from pathlib import Path

_STRICT = Path(__file__).with_name("strict")

_WARNING = re.compile(r"^\[WARNING\].*", re.MULTILINE)
_NEVER = re.compile(r"^(?:\[DEPRECATION WARNING\].*|.*\b[A-Z][A-Za-z]+Warning: .*)", re.MULTILINE)
# ansible-core before 2.19 breaks long warnings at the width of the terminal.
_BROKEN = re.compile(r"\n(?=\S)(?!\[|PLAY|TASK|ERROR|<|\w+: \[)")


class Said(str):
    """What one run said. Two runs may say the same: this one is meant, and not its text."""

    __slots__ = ()


_unread: list[Said] = []


def strict() -> dict[str, str]:
    """Return variables for a run: deprecations are shown, Python warnings about our code raise.

    About the code of others, Python is as silent as it is for users. A test that sets PYTHONPATH
    does without errors for Python warnings.
    """
    return {"ANSIBLE_DEPRECATION_WARNINGS": "true", "PYTHONPATH": str(_STRICT)}


def hear(output: str) -> Said:
    """Note what a run said, and return it for judge(). Raises AssertionError at a deprecation."""
    deprecations = _NEVER.findall(output)
    assert not deprecations, "\n".join([*deprecations, output])
    said = Said(output)
    _unread.append(said)
    return said


def judge(said: Said) -> list[str]:
    """Return the warnings of a run, each on one line; what they may be is up to the caller."""
    _unread[:] = [one for one in _unread if one is not said]
    return _warnings(said)


def unread() -> list[str]:
    """Return the warnings that nobody has asked for, and forget them."""
    found = [warning for said in _unread for warning in _warnings(said)]
    _unread.clear()
    return found


def _warnings(output: str) -> list[str]:
    return _WARNING.findall(_BROKEN.sub(" ", output))
