# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a process of an earlier run can still be alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import (
    host_identity,
    process_mark,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    until,
)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate(timeout=10)


def test_a_living_process_keeps_its_mark(sleeper: subprocess.Popen[bytes]) -> None:
    first = process_mark(sleeper.pid)
    assert first
    assert process_mark(sleeper.pid) == first
    _end(sleeper)
    assert process_mark(sleeper.pid) is None


def test_a_process_that_nobody_has_reaped_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, 9)
    until(lambda: process_mark(sleeper.pid) is None)
    _end(sleeper)


@needs_proc
def test_two_processes_have_two_marks_though_the_pid_be_the_same() -> None:
    # The mark is the time of the start in ticks: nobody can make two processes of one pid here.
    stat = Path(f"/proc/{os.getpid()}/stat").read_text()
    assert process_mark(os.getpid()) == stat.rpartition(")")[2].split()[19]
    assert process_mark(1) != process_mark(os.getpid())


@needs_proc
def test_a_name_with_brackets_and_spaces_does_not_confuse(tmp_path: Path) -> None:
    odd = tmp_path / ") 1 Z ("
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([odd, "60"])
    mark = until(lambda: process_mark(process.pid))
    _end(process)
    assert mark.isdigit()


@needs_proc
def test_a_name_that_the_kernel_has_cut_in_a_character_does_not_confuse(tmp_path: Path) -> None:
    odd = tmp_path / "deploy-a\u90e8\u7f72\u811a\u672c\u8fd0\u884c"  # 15 bytes end in the third
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([odd, "60"])
    mark = until(lambda: process_mark(process.pid))
    _end(process)
    assert mark.isdigit()


def test_a_host_is_the_same_for_all_its_processes() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(IMPORTED_FROM)!r})\n"
        f"from {host_identity.__module__} import host_identity; print(host_identity())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert other.stdout.strip() == host_identity()
    assert os.uname().nodename in host_identity()


def test_without_proc_a_pid_that_answers_counts_as_alive(
    monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    def gone(_path: Path, *_args: object, **_named: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", gone)
    monkeypatch.setattr(Path, "exists", lambda _path: False)
    assert process_mark(sleeper.pid) == "alive"
    _end(sleeper)
    assert process_mark(sleeper.pid) is None
