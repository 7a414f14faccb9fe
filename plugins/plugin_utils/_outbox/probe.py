# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a courier that only tests itself, for the check."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace

from ...module_utils._api.frozen import frozen
from .courier_settings import CourierSettings
from .launch import CourierProcess

# Importing takes a second on a slow machine, and the default chain is given up after ten.
PROBE_SECONDS = 20.0


@frozen
class ProbeResult:
    """What a courier reported about itself.

    ``problem`` is None if it could deliver; otherwise it and ``advice`` are text for people, and
    ``option`` is the option that is wrong, None if there is no such option.
    ``access_key_id`` is the id of the AccessKey that it uses, None if it found none.
    ``credentials_source``: ``options``, ``environment`` or ``chain``. ``seconds``: the time that it
    took.
    """

    problem: str | None
    advice: str = ""
    option: str | None = None
    access_key_id: str | None = None
    credentials_source: str | None = None
    seconds: float = 0.0


def probe(settings: CourierSettings, seconds: float = PROBE_SECONDS) -> ProbeResult:
    """Start a courier that only tests itself, wait for it, and return what it reported.

    It starts as the courier of a run does. It imports everything, finds the AccessKey (with the
    default chain if ``settings.credentials`` is None), and opens the outbox, if ``settings.outbox``
    is not empty. It sends nothing and writes nothing. Takes at most about ``seconds``.
    """
    begin = time.monotonic()
    try:
        courier = CourierProcess(None, subprocess.PIPE)
        courier.hand_over(settings.for_probe().plain())
    except OSError as exc:
        return ProbeResult(f"the courier could not be started ({exc.strerror or exc})")
    with courier.process as process:
        try:
            output, _nothing = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return ProbeResult(
                f"the courier did not report within {seconds:g} s",
                seconds=time.monotonic() - begin,
            )
    took = time.monotonic() - begin
    try:
        return replace(ProbeResult(**json.loads(output)), seconds=took)
    except (ValueError, TypeError):
        return ProbeResult(
            f"the courier ended with exit status {process.returncode} and no report",
            "Compare the Python and the packages that ansible-playbook uses with "
            f"{sys.executable}.",
            seconds=took,
        )


def report_to_probe(result: ProbeResult) -> None:
    """Send the result of a self-test to the process that waits for it in ``probe``."""
    sys.stdout.write(json.dumps(asdict(result)))
    sys.stdout.flush()
