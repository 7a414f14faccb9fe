# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the property tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir

# Its notes would otherwise lie in the checkout.
set_hypothesis_home_dir(Path(tempfile.gettempdir(), "aliops-cloudmonitor-hypothesis"))

# The same examples every time, so that a change is to blame when a test fails.
settings.register_profile(
    "default",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
# Many and new ones, to look for trouble: pytest --hypothesis-profile=search
settings.register_profile(
    "search", settings.get_profile("default"), derandomize=False, max_examples=2000
)
# Few, and the first failure is enough: for runs on the oldest ansible-core, and for "nox -s
# mutation", which runs the tests a thousand times.
settings.register_profile(
    "few",
    settings.get_profile("default"),
    max_examples=30,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("default")
