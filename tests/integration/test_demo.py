# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo, run as a user runs it: from an installed collection, by its name."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration import quiet

T = TypeVar("T")

COLLECTION = Path(__file__).resolve().parents[2]
SECONDS = 240
RUN = "ansible/aliops.cloudmonitor/runs/*"  # once a deployment is reported
# In place of each duration stands SOME.
TABLE = [
    "deployment-start callback website 2.0.0 running",
    "deployment-finish callback website 2.0.0 succeeded SOME s",
    "deployment-start callback website 2.1.0 running",
    "deployment-finish callback website 2.1.0 failed SOME s Try the page",
    "deployment-failure callback website 2.1.0 failed SOME s Try the page",
    "deployment-start callback website 2.2.0 running",
    "deployment-overdue callback website 2.2.0 running SOME s",
    "deployment-finish callback website 2.2.0 aborted SOME s killed",
    "deployment-failure callback website 2.2.0 aborted SOME s killed",
    "deployment-start role shop 1.4.2 running",
    "deployment-finish role shop 1.4.2 succeeded SOME s",
    "deployment-start role shop 1.5.0 running ticket OPS-1234",
    "deployment-finish role shop 1.5.0 failed SOME s ticket OPS-1234",
    "deployment-failure role shop 1.5.0 failed SOME s ticket OPS-1234",
    "deployment-start task price-list 2026-11 running",
    "deployment-finish task price-list 2026-11 succeeded SOME s articles 1",
    "page-cached task 250 events",
]


@dataclass(frozen=True)
class Place:
    """A folder with the collection installed, a home and a folder for temporary files."""

    root: Path

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def collections(self) -> Path:
        return self.root / "collections"

    def start(self, *args: str, **variables: str) -> subprocess.Popen[str]:
        beside = Path(sys.executable).with_name("ansible-playbook")
        executable = os.environ.get("ANSIBLE_PLAYBOOK") or str(beside)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.temporary),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            **quiet.strict(),
            "ANSIBLE_NOCOLOR": "true",
            "COLUMNS": "4000",
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }
        return subprocess.Popen(
            [executable, "aliops.cloudmonitor.demo", *args],
            env=env,
            cwd=self.root / "home",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(
        self, *args: str, meanwhile: Callable[[], object] = bool, **variables: str
    ) -> tuple[int, str]:
        """Run the demo to its end; return its exit status and its output."""
        process = self.start(*args, **variables)
        try:
            meanwhile()
            output, _unused = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            process.wait()
        return process.returncode, quiet.hear(output)

    def file(self, pattern: str) -> Path:
        """Wait for a file of the demo; raise AssertionError if it does not appear."""
        found = until(lambda: list(self.temporary.glob(f"cloudmonitor-demo.*/{pattern}")), pattern)
        return found[0]

    def files(self) -> set[Path]:
        return set(self.collections.rglob("*"))

    def leftovers(self) -> list[str]:
        """Temporary folders, and processes that run something from this place."""
        left = [str(path) for path in self.temporary.glob("cloudmonitor-demo.*")]
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it has just ended
                continue
            if str(self.collections) in command:
                left.append(command)
        return left


@pytest.fixture
def place(tmp_path: Path) -> Place:
    target = tmp_path / "collections" / "ansible_collections" / "aliops" / "cloudmonitor"
    for folder in ("meta", "playbooks", "plugins", "roles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(COLLECTION / folder, target / folder, ignore=ignored)
    for folder in ("home", "tmp"):
        (tmp_path / folder).mkdir()
    (tmp_path / "ansible.cfg").touch()
    return Place(tmp_path)


def until(found: Callable[[], T], what: str) -> T:
    deadline = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return value


def table(output: str) -> list[str]:
    """The rows of the table; in place of each duration, which must be above 0, stands SOME."""
    shown = output.partition("TASK [What arrived]")[2].partition("TASK [")[0]
    rows = re.findall(r'^ +"(deployment-\w+ .*|page-cached .*)",?$', shown, re.MULTILINE)
    took = re.compile(r"\d+\.\d(?= s\b)")
    assert all(float(seconds) > 0 for row in rows for seconds in took.findall(row)), rows
    return [took.sub("SOME", " ".join(row.split())) for row in rows]


@pytest.mark.every_core
def test_demo_shows_every_event_whatever_the_user_has_set_but_no_secret_and_leaves_nothing(
    place: Place,
) -> None:
    installed = place.files()
    secrets: list[tuple[str, int]] = []

    def read_secret() -> None:
        secret = place.file("port").with_name("secret")
        secrets.append((secret.read_text().strip(), secret.stat().st_mode & 0o777))

    rc, output = place.run(
        "-vvvv",
        meanwhile=read_secret,
        ALIBABA_CLOUD_ACCESS_KEY_ID="users-id",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET="users-secret",
        ALIBABA_CLOUD_SECURITY_TOKEN="users-token",
        CLOUDMONITOR_ENDPOINT="http://127.0.0.1:9",
        CLOUDMONITOR_NETWORK="nonsense",
        CLOUDMONITOR_DEPLOYMENT_NAME="users-name",
        CLOUDMONITOR_OUTBOX=str(place.root / "users-outbox"),
        CLOUDMONITOR_RUN_ID="users-run",
        http_proxy="http://127.0.0.1:9",
        ANSIBLE_STRATEGY="free",
        ANSIBLE_ANY_ERRORS_FATAL="true",
    )

    assert rc == 0, output
    assert table(output) == TABLE
    assert '"266 events in ' in output
    assert '"3 failed deployments: shop 1.5.0, website 2.1.0, website 2.2.0"' in output
    (page,) = re.findall(r"in a browser: ([^\"]+)\"", output)
    rows = re.findall(r"<tr id=d.*", Path(page).read_text("utf-8"))
    shown = [re.findall(r"<th scope=row>(\S+?)<td>.*?<td class=(\w+)>", row)[0] for row in rows]
    assert shown == [
        ("price-list", "succeeded"),
        ("shop", "failed"),
        ("shop", "succeeded"),
        ("website", "aborted"),
        ("website", "failed"),
        ("website", "succeeded"),
    ]
    ((secret, mode),) = secrets
    assert (len(secret), mode) == (50, 0o600)
    assert secret not in output
    # With -v, the output also has that of the runs, which is hidden otherwise.
    assert "WARN" not in output, output
    assert "DEPRECAT" not in output, output
    assert "\\n" not in output.partition("TASK [What arrived]")[2].partition("TASK [")[0]
    until(lambda: not place.leftovers(), "something is left")
    assert place.files() == installed
    # Neither events nor the history of the demo are in the outbox of the user.
    assert not (place.root / "users-outbox").exists()
    assert not list(place.root.rglob("home/.ansible/aliops.cloudmonitor"))


def test_a_demo_that_breaks_off_shows_why_and_leaves_nothing(place: Place) -> None:
    def break_off() -> None:
        run = place.file(RUN)
        os.kill(int(run.parents[3].joinpath("pid").read_text()), signal.SIGTERM)

    rc, output = place.run(meanwhile=break_off)

    assert rc == 2, output
    assert "The receiver of the demo has ended." in output
    until(lambda: not place.leftovers(), "something is left")


def test_an_interrupted_demo_leaves_nothing_either(place: Place) -> None:
    process = place.start()
    try:
        place.file(RUN)
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)

    until(lambda: not place.leftovers(), "something is left")


@pytest.mark.parametrize(
    ("args", "advice"),
    [((), "-m pip install requests"), (("--check",), "Run it without --check")],
    ids=["without_requests", "check_mode"],
)
def test_what_the_demo_needs_is_said_before_anything_starts(
    place: Place, args: tuple[str, ...], advice: str
) -> None:
    (place.root / "requests.py").write_text("raise ImportError('made to fail')\n")

    rc, output = place.run(*args, PYTHONPATH=str(place.root))

    assert rc == 2, output
    assert advice in output
    assert not place.leftovers()
