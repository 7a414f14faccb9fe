# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one command of a step: shown, without input, in bounded time, nothing of it left behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class StepFailed(Exception):
    """A command of a step failed; the text says which and how."""


class StepSkipped(Exception):
    """A step cannot run here; the text says what is missing."""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process group, gently first when its leader is still there, so that it can tidy up."""
    with suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        os.killpg(process.pid, signal.SIGKILL)


def call(
    command: Sequence[str | Path], cwd: Path, env: Mapping[str, str], seconds: float = 600
) -> None:
    """Run a command to its end.

    It is the leader of a process group of its own, which is gone when this returns, however it
    returns. Raises StepFailed when the command fails or takes longer than allowed.
    """
    words = [str(word) for word in command]
    name = Path(words[0]).name
    print("+", shlex.join([name, *words[1:]]), flush=True)
    process = subprocess.Popen(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        status = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise StepFailed(f"{name} was stopped after {seconds:.0f} s") from None
    finally:
        _end(process)
        process.wait()
    if status:
        raise StepFailed(f"{name} failed ({status})")
