# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who types what the quick start says, in an empty folder, sees what it says."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import blocks, guide, shell
from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Ended,
    Project,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET
from ansible_collections.aliops.cloudmonitor.tests.integration.docs.reader import Reader

GUIDE = guide("quickstart")
ROOT = Path(__file__).resolve().parents[3]
SOURCE = "git+https://github.com/aliops/cloudmonitor.git"
INSTALL, RECEIVER, RUN, LOOK, FAIL, STOP, REAL, CHECK = [found.text for found in shell(GUIDE)]

# What a reader has not set. The tests' own way to the collection is not used either.
NOTHING_SET = dict.fromkeys(
    [
        "ANSIBLE_COLLECTIONS_PATH",
        "ANSIBLE_CONFIG",
        "ANSIBLE_CONNECTION_PLUGINS",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING",
        "ANSIBLE_LOCALHOST_WARNING",
        "ANSIBLE_PYTHON_INTERPRETER",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "CLOUDMONITOR_ENDPOINT",
        "CLOUDMONITOR_LINGER",
        "CLOUDMONITOR_TIMEOUT",
    ]
)
LISTENS = """
for i in $(seq 600); do (: < /dev/tcp/127.0.0.1/8095) 2>/dev/null && break; sleep 0.05; done
"""


@pytest.fixture
def reader(project: Project, tmp_path: Path) -> Reader:
    """A reader who has installed the collection and written the files of the guide."""
    for path in project.folder.iterdir():
        path.unlink()
    reader = Reader(GUIDE, project)
    build = f"ansible-galaxy collection build {ROOT} --output-path {tmp_path}"
    (archive,) = re.findall(r"at (\S+\.tar\.gz)", fine(reader.run(build)))
    *environment, install = INSTALL.splitlines()
    assert environment == [
        "python3 -m venv venv",
        ". venv/bin/activate",
        "python -m pip install ansible-core requests",
    ]
    assert SOURCE in install
    fine(reader.run(install.replace(SOURCE, archive + " --offline"), **NOTHING_SET))
    reader.write("hosts", "site.yml", "ansible.cfg")
    return reader


def fine(ended: Ended) -> str:
    assert (ended.rc, ended.warnings) == (0, []), ended.output
    return ended.output


def test_a_reader_of_the_quick_start_sees_what_it_shows(project: Project, reader: Reader) -> None:
    try_the_receiver(project, reader)
    report_to_the_endpoint(project, reader)
    mistype_the_accesskey(project, reader)


def try_the_receiver(project: Project, reader: Reader) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    failing, grep = FAIL.splitlines()
    script = "".join([RECEIVER, LISTENS, RUN, LOOK, failing, " || test $? = 2\n", grep, "\n", STOP])

    output = fine(reader.run(script.replace("8095", port), **NOTHING_SET))

    assert f"listening on http://127.0.0.1:{port}" in output
    written = (project.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in written]
    names = [event["name"] for event in events]
    assert names == [START, FINISH, START, FINISH, FAILURE]
    assert output.count(written[0]) == 1  # seen with cat
    assert output.count(written[4]) == 1  # seen with grep
    first, second = (json.loads(events[number]["content"]) for number in (1, 4))
    assert (first["status"], second["status"]) == ("succeeded", "failed")
    assert second["failures"] == [{"host": "localhost", "task": "Install the release"}]
    assert keys(sample()) == keys(events[1])
    assert list((project.folder / ".ansible/aliops.cloudmonitor/runs").iterdir()) == []


def sample() -> dict[str, Any]:
    """Return the event that the guide shows; it is broken into lines there."""
    (shown,) = blocks(GUIDE, "text")
    found: dict[str, Any] = json.loads("".join(line.strip() for line in shown.text.splitlines()))
    return found


def keys(event: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return the keys of an event and of its content; some are not known everywhere."""
    return set(event), set(json.loads(event["content"])) - {"user", "ci", "git"}


def report_to_the_endpoint(project: Project, reader: Reader) -> None:
    script = REAL.replace("your AccessKey id", KEY_ID).replace("its secret", SECRET)
    assert KEY_ID in script
    assert SECRET in script

    there = {**NOTHING_SET, "CLOUDMONITOR_ENDPOINT": project.receiver.url}
    fine(reader.run(script + CHECK, **there))

    reported = [(event["event"], event["name"]) for event in project.events(schema="deployment/1")]
    assert reported[:2] == [(START, "site"), (FINISH, "site")]
    assert "deployment-check" in [event["name"] for event in project.receiver.events]
    assert (project.folder / "release.txt").read_text() == "1.4.2\n"


def mistype_the_accesskey(project: Project, reader: Reader) -> None:
    there = {**NOTHING_SET, "CLOUDMONITOR_ENDPOINT": project.receiver.url}
    ended = reader.run(
        REAL.replace("your AccessKey id", "LTAI").replace("its secret", "x"), **there
    )

    assert ended.rc == 0
    (warning,) = ended.warnings
    assert "aliops.cloudmonitor: The signature was refused. Check the AccessKey." in warning
