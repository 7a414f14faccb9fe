# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of ansible-core and Python that the collection is tested on."""

from __future__ import annotations

import os
import sys

from workspace import link_pythons

# ansible-core: the Pythons of a controller (the first one found is used) and of targets, as its
# own ansible-test lists them (_util/target/common/constants.py).
_TO_313 = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
CORES = {
    "2.16": (("3.10", "3.11"), _TO_313[:-1]),
    "2.17": (("3.11", "3.10"), _TO_313[:-1]),
    "2.18": (("3.12", "3.13", "3.11"), _TO_313),
    "2.19": (("3.11", "3.12", "3.13"), _TO_313),
    "2.20": (("3.12", "3.13"), _TO_313[1:]),
    "2.21": (("3.13", "3.12"), _TO_313[1:]),
}
OLDEST_CORE, *_OTHERS, NEWEST_CORE = CORES
WITH_SANITY = ("2.16", "2.19", "2.21")

PYTHONS = link_pythons(_TO_313)


def _first(pythons: tuple[str, ...]) -> str:
    """Return the first of these Pythons that works here; nox skips a session without one."""
    return next((version for version in pythons if version in PYTHONS), pythons[0])


def controller(core: str) -> str:
    """Return the Python that runs this ansible-core here."""
    return _first(CORES[core][0])


# The Python of most sessions.
NEWEST = _first(("3.13", "3.12", "3.11"))
# Continuous integration requires the complete matrix; elsewhere, a missing Python is skipped.
COMPLETE = os.environ.get("CI", "") not in ("", "0", "false") and "matrix" in " ".join(sys.argv)
