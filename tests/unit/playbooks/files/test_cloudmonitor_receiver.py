# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver as a command: its arguments, its files, and how it ends."""

from __future__ import annotations

import ast
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cloudmonitor_receiver
import pytest
from cloudmonitor_receiver import Receiver
from receiver.faults import KINDS

from ansible_collections.aliops.cloudmonitor.tests.unit.playbooks.files.raw_client import (
    CREDENTIAL,
    PATIENCE,
    TEMPORARY,
    body_of,
    connect,
    control,
    exchange,
    on_the_wire,
    signed,
)

SCRIPT = Path(cloudmonitor_receiver.__file__)
KEY = {
    "RECEIVER_ACCESS_KEY_ID": CREDENTIAL.id,
    "RECEIVER_ACCESS_KEY_SECRET": CREDENTIAL.secret,
}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-B", str(SCRIPT), *arguments]


def environment(key: Mapping[str, str] | None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RECEIVER_")}
    return {**kept, **(KEY if key is None else key)}


@contextmanager
def running(
    *arguments: str, key: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A receiver as a process of its own, and its port."""
    with subprocess.Popen(
        command(*arguments), env=environment(key), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://127.0.0.1:")
            yield process, int(line.rpartition(":")[2])
        finally:
            process.kill()


@pytest.fixture
def failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """A function that returns what a receiver that does not start reports."""
    # Signals are those of a process that only runs the receiver.
    monkeypatch.setattr(cloudmonitor_receiver, "_StopSignals", lambda: None)

    def report(*arguments: str, key: Mapping[str, str] | None = None) -> str:
        with pytest.raises(SystemExit) as caught:
            cloudmonitor_receiver.main(arguments, KEY if key is None else key)
        said = capsys.readouterr()
        assert (caught.value.code, said.out) == (2, "")
        return said.err

    return report


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_with_0_although_clients_hang(
    number: signal.Signals, tmp_path: Path
) -> None:
    port_file = tmp_path / "port"
    arguments = ["--port-file", str(port_file), "--fault", "hang", "--fault", "slow=600"]
    with running(*arguments) as (process, port):
        assert port_file.read_text() == f"{port}\n"
        assert stat.S_IMODE(port_file.stat().st_mode) == 0o600
        with connect(port) as first, connect(port) as second, connect(port):
            for sock in (first, second):
                sock.sendall(on_the_wire(signed()))
            poll(lambda: control(port, "GET", "/control/state").json["requests"] == 2)
            start = time.monotonic()
            process.send_signal(number)
            assert process.wait(PATIENCE) == 0
            assert time.monotonic() - start < 5.0
        assert list(tmp_path.iterdir()) == []


def poll(done: Callable[[], bool]) -> None:
    """Call ``done`` until it is true."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)


def test_accepted_events_and_all_requests_are_written_for_the_owner_only(tmp_path: Path) -> None:
    events, requests = tmp_path / "events.jsonl", tmp_path / "requests.jsonl"
    with running("--events", str(events), "--requests", str(requests)) as (_unused, port):
        exchange(
            port, signed(body_of({"name": "部署", "content": "1"}, {"name": "b", "content": ""}))
        )
        exchange(port, signed(changes={"x-cms-ip": "nowhere"}))
        # The answer comes after the record, so nothing has to be waited for.
        assert [line[:18] for line in events.read_text("utf-8").splitlines()] == [
            '{"name": "部署", "co',
            '{"name": "b", "con',
        ]
        assert len(requests.read_text("utf-8").splitlines()) == 2
        for path in (events, requests):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert CREDENTIAL.secret not in path.read_text("utf-8")


def test_it_takes_a_temporary_key_from_the_environment() -> None:
    key = {
        "RECEIVER_ACCESS_KEY_ID": TEMPORARY.id,
        "RECEIVER_ACCESS_KEY_SECRET": TEMPORARY.secret,
        "RECEIVER_SECURITY_TOKEN": TEMPORARY.token or "",
    }
    with running(key=key) as (_unused, port):
        assert exchange(port, signed(credential=TEMPORARY)).status == 200
        assert exchange(port).status == 403


def test_its_clock_its_window_and_its_faults_can_be_set() -> None:
    arguments = ["--date-window", "50", "--clock-offset", "-100", "--host", "localhost"]
    with running(*arguments, "--fault", "status=503", "--fault", "ok*3") as (_unused, port):
        assert exchange(port).status == 503
        assert exchange(port, signed(now=time.time() - 100)).status == 200
        assert re.search(r"the header Date is (99|100) s ahead of", exchange(port).json["msg"])
        assert control(port, "GET", "/control/state").json["faults"] == ["ok"]


def test_its_rate_can_be_set() -> None:
    with running("--rate", "1") as (_unused, port):
        said = [exchange(port).json["msg"] for _unused in range(20)]
    assert said[0] == ""
    assert any("rate limit" in msg for msg in said)


def test_it_ends_after_its_lifetime() -> None:
    with running("--lifetime", "0.1") as (process, _unused):
        assert process.wait(PATIENCE) == 0
        assert process.stdout is not None
        assert process.stdout.read() == "stopped after 0.1 s (--lifetime)\n"


def test_it_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    # The parent starts it, waits for its port and dies; the pipe's end comes when the receiver has
    # gone, too.
    port_file = tmp_path / "port"
    parent = (
        "import os, subprocess, sys, time\n"
        "subprocess.Popen(sys.argv[2:])\n"
        "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
        "os._exit(3)\n"
    )
    receiver = command("--exit-with-parent", "--lifetime", "60", "--port-file", str(port_file))
    done = subprocess.run(
        [sys.executable, "-c", parent, str(port_file), *receiver],
        env=environment(KEY),
        stdout=subprocess.PIPE,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout.startswith("listening on ")
    assert not port_file.exists()


@pytest.mark.parametrize("missing", KEY)
def test_without_a_key_it_names_the_variable_that_is_missing(
    failure: Callable[..., str], missing: str
) -> None:
    rest = {name: value for name, value in KEY.items() if name != missing}
    said = failure(key=rest)
    assert missing in said
    assert not any(value in said for value in rest.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0 is not a loopback address"),
        (["--fault", "nonsense"], "unknown fault 'nonsense'"),
        (["--group", "shop"], "shop is not like 4711=shop"),
        (["--call-fault", "nonsense"], "unknown fault 'nonsense'"),
        (["--rate", "0"], "0 is not a number from 1 on"),
        (["--lifetime", "never"], "never is not a number of seconds over 0"),
        (["--clock-offset", "nan"], "nan is not a number of seconds"),
        (["--clock-offset", "1e300"], "1e300 is not a number of seconds"),
        (["--date-window", "-1"], "-1 is not a number of seconds over 0"),
        (["--port", "65536"], "port must be 0-65535"),
        (["--events", "/nowhere/x"], "/nowhere/x"),
        (["--tls-cert", "/nowhere/x"], "No such file"),
        (["--tls-key", "/nowhere/x"], "--tls-key needs --tls-cert"),
    ],
)
def test_a_wrong_argument_is_explained(
    failure: Callable[..., str], arguments: Sequence[str], words: str
) -> None:
    assert words in failure(*arguments)


def test_a_taken_port_and_a_port_file_that_cannot_be_written_are_explained(
    failure: Callable[..., str],
) -> None:
    with Receiver([CREDENTIAL]) as taken:
        assert "in use" in failure("--port", str(taken.port))
    assert "/nowhere" in failure("--port-file", "/nowhere/port")


def test_the_help_names_every_fault_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cloudmonitor_receiver.main(["--help"], {})
    said = capsys.readouterr().out
    assert caught.value.code == 0
    for name in [*KINDS, *KEY, "RECEIVER_SECURITY_TOKEN", "/control/state"]:
        assert name in said


def test_it_needs_the_standard_library_only_and_nothing_of_the_client() -> None:
    files = sorted(SCRIPT.parent.rglob("*.py"))
    own = {"receiver", *(path.stem for path in files)}
    assert SCRIPT.stem in own
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"), feature_version=(3, 8))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                top = name.partition(".")[0]
                assert top in own or top in sys.stdlib_module_names, (path.name, name)
