# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a courier: its surroundings, its settings and its end without them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import launch
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.courier_process import (
    merged_path,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.launch import (
    CourierProcess,
    courier_environment,
    courier_import_path,
    early_courier,
    interpreter_options,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
    is_alive,
    settings_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import until

FILES = ["ALIBABA_CLOUD_CREDENTIALS_FILE", "ALIBABA_CLOUD_CONFIG_FILE",
         "ALIBABA_CLOUD_OIDC_TOKEN_FILE", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE",
         "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HOME", "TMPDIR", "VIRTUAL_ENV",
         "PYTHONUSERBASE"]  # fmt: skip
LISTS = ["PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SSL_CERT_DIR"]
TEXTS = st.text(st.characters(exclude_characters="\0"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("creds.ini", "/srv/deploy/creds.ini"),
        ("./creds.ini", "/srv/deploy/./creds.ini"),
        ("../creds.ini", "/srv/deploy/../creds.ini"),
        ("/etc/creds.ini", "/etc/creds.ini"),
        # The library opens this in the working directory, so a task does, and the courier.
        ("~/creds.ini", "/srv/deploy/~/creds.ini"),
    ],
)
def test_a_file_is_looked_for_where_ansible_was_started(
    name: str, value: str, expected: str
) -> None:
    assert courier_environment({name: value}, "/srv/deploy") == {name: expected}


@pytest.mark.parametrize("name", LISTS)
def test_every_entry_of_a_list_of_paths_is_absolute(name: str) -> None:
    environ = {name: "lib::/opt/lib:."}

    assert courier_environment(environ, "/srv") == {name: "/srv/lib:/opt/lib:/srv/."}
    assert courier_environment({name: ":"}, "/srv") == {}, "its own directory is not meant"


def test_an_empty_variable_stays_empty_or_away() -> None:
    assert courier_environment(dict.fromkeys(FILES, ""), "/srv") == {}
    assert courier_environment({"no_proxy": "", "SECRET": "x"}, "/srv") == {"no_proxy": ""}


@given(st.dictionaries(st.sampled_from([*FILES, *LISTS]), TEXTS), st.just("/srv"))
def test_no_relative_path_reaches_the_courier(environ: dict[str, str], directory: str) -> None:
    for name, value in courier_environment(environ, directory).items():
        entries = value.split(os.pathsep) if name in LISTS else [value]
        assert all(entry.startswith("/") for entry in entries)


@pytest.mark.parametrize(
    ("entries", "script_folder", "expected"),
    [
        (["/venv/bin", "/usr/lib/python3"], "/venv/bin", ("/usr/lib/python3", "/venv/bin")),
        (["", "/usr/lib/python3"], None, ("/usr/lib/python3", "/srv/")),
        ([".", "/usr/lib/python3"], None, ("/usr/lib/python3", "/srv/.")),
        (["/srv", "/usr/lib/python3"], None, ("/usr/lib/python3", "/srv")),
        (["vendor", "/usr/lib/python3"], None, ("/srv/vendor", "/usr/lib/python3")),
        (["/app.pyz", "/usr/lib/python3"], "/", ("/app.pyz", "/usr/lib/python3")),
        (["/a", "/b", "/a"], None, ("/a", "/b")),
        ([Path("/a"), "/b", None], None, ("/b",)),
    ],
)
def test_it_imports_from_where_the_controller_does(
    entries: list[object], script_folder: str | None, expected: tuple[str, ...]
) -> None:
    assert courier_import_path(entries, "/srv", script_folder) == expected


def test_what_only_the_courier_has_comes_after_what_the_controller_has() -> None:
    own = ["/script", "", "/usr/lib/python3", "/usr/lib/site"]

    assert merged_path(["/nix/store/x", "/usr/lib/site"], own, "/script") == [
        "/nix/store/x", "/usr/lib/site", "/usr/lib/python3",
    ]  # fmt: skip


@pytest.mark.parametrize("options", [["-I"], ["-S"], ["-E", "-s"]])
def test_python_is_started_as_the_controller_was(options: list[str]) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(IMPORTED_FROM)!r})\n"
        "from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import launch\n"
        "print(launch.interpreter_options())"
    )
    done = subprocess.run(
        [sys.executable, *options, "-X", "utf8=0", "-c", code],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert done.stdout.strip() == repr(options), done.stderr


def test_this_process_has_no_option() -> None:
    assert [one for one in interpreter_options() if one not in ("-X", "utf8")] == []


def _answer(courier: CourierProcess, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a courier that only tests itself."""
    courier.hand_over(settings)
    with courier.process as process:
        output, _nothing = process.communicate(timeout=60)
    found: dict[str, Any] = json.loads(output)
    return found


def test_a_courier_waits_for_its_settings_however_long_they_are(outbox: Outbox) -> None:
    courier = CourierProcess(str(outbox.root), subprocess.PIPE)
    settings = settings_for("http://127.0.0.1:9", destination="x" * 2**20).for_probe()

    assert courier.is_alive
    assert _answer(courier, settings.plain())["problem"] is None


def test_a_courier_without_settings_ends_when_ansible_does(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(IMPORTED_FROM)!r})\n"
        "from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import launch\n"
        f"courier = launch.CourierProcess({str(tmp_path)!r})\n"
        "print(courier.process.pid, flush=True)\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == -signal.SIGKILL, done.stderr
    until(lambda: not is_alive(int(done.stdout)))


def test_an_early_courier_that_is_not_needed_is_gone_at_once(outbox: Outbox) -> None:
    with early_courier(str(outbox.root)) as courier:
        assert courier is not None
        assert courier.is_alive

    assert courier.process.returncode == -signal.SIGKILL


def test_an_early_courier_that_has_its_settings_stays(outbox: Outbox) -> None:
    settings = settings_for("http://127.0.0.1:9").for_run(outbox.root, "d1")
    with early_courier(str(outbox.root)) as courier:
        assert courier is not None
        os.kill(courier.process.pid, signal.SIGSTOP)
        courier.hand_over(settings.plain())

    assert courier.is_alive
    courier.process.kill()
    courier.process.wait()


@pytest.mark.parametrize("executable", ["/no/such/python", None])
def test_an_early_courier_that_cannot_be_started_is_none(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", executable)

    with early_courier(str(outbox.root)) as courier:
        assert courier is None


def test_no_early_courier_is_started_that_is_not_wanted(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(launch, "CourierProcess")

    with early_courier(str(outbox.root), is_wanted=False) as courier:
        assert courier is None


@pytest.mark.parametrize("error", [TimeoutError(), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("is_handed_over", [False, True])
def test_a_courier_is_gone_after_an_error_or_an_interrupt(
    outbox: Outbox,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    is_handed_over: bool,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = launch._start

    def start(*given: Any) -> subprocess.Popen[bytes]:
        started.append(real(*given))
        return started[-1]

    def send(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(launch, "_start", start)
    begin: Callable[[], object] = partial(CourierProcess, str(outbox.root), subprocess.PIPE)
    if is_handed_over:
        begin = partial(CourierProcess(str(outbox.root), subprocess.PIPE).hand_over, {})
    monkeypatch.setattr(CourierProcess, "_send", send)
    with pytest.raises(type(error)):
        begin()

    [process] = started
    assert process.returncode == -signal.SIGKILL
    assert process.stdout is not None
    assert process.stdout.closed


def test_a_courier_that_does_not_take_its_settings_is_ended_and_an_error(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_HAND_OVER_SECONDS", 0.1)
    courier = CourierProcess(str(outbox.root))
    os.kill(courier.process.pid, signal.SIGSTOP)

    with pytest.raises(OSError, match="timed out"):
        courier.hand_over({"destination": "x" * 2**22})
    assert courier.process.returncode == -signal.SIGKILL


def test_settings_for_a_courier_that_has_died_cause_no_error(outbox: Outbox) -> None:
    courier = CourierProcess(str(outbox.root))
    courier.process.kill()
    courier.process.wait()

    courier.hand_over({})

    assert not courier.is_alive
