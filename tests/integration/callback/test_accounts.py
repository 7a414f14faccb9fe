# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No account ever gets the events of another one, wherever its AccessKey comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FAILURE,
    FINISH,
    START,
    Project,
    play,
    say,
    using,
)

ALL_EVENTS = [START, FINISH, FAILURE]
SECRET = "canary-secret-of-all"
KEYS = {name: f"LTAI5tAccount{name.upper()}" for name in "abc"}
NO_KEY: dict[str, Any] = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": None,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None,
}
STS = "STS.temporary"
# The default chain, as far as these tests need it, where the package is not installed.
PACKAGE = """\
import json, os
class DefaultCredentialsProvider:
    def get_credentials(self):
        with open(os.path.expanduser("~/.aliyun/config.json")) as file:
            config = json.load(file)
        name = os.environ.get("ALIBABA_CLOUD_PROFILE") or config["current"]
        return Found(next(one for one in config["profiles"] if one["name"] == name))
class Found:
    def __init__(self, profile):
        self.get_access_key_id = lambda: profile["access_key_id"]
        self.get_access_key_secret = lambda: profile["access_key_secret"]
        self.get_security_token = lambda: profile.get("sts_token")
        kind = "static_sts" if profile.get("sts_token") else "static_ak"
        self.get_provider_name = lambda: "default/cli_profile/" + kind
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A project whose receiver knows the permanent keys of all accounts and two temporary ones."""
    keys = [Credential(key_id, SECRET) for key_id in KEYS.values()]
    keys += [Credential(STS + str(number), SECRET, f"token{number}") for number in (1, 2)]
    with Receiver(keys) as receiver, using(tmp_path / "project", receiver) as made:
        if not find_spec("alibabacloud_credentials"):
            made.write("packages/alibabacloud_credentials/__init__.py", "")
            made.write("packages/alibabacloud_credentials/provider.py", PACKAGE)
        yield made


def profiles(project: Project, current: str = "a", **keys: str) -> dict[str, Any]:
    """Write the profiles; return the variables of a run that uses them."""
    entries: list[dict[str, str]] = []
    for name, key_id in {**KEYS, **keys}.items():
        entry = {"name": name, "mode": "AK", "access_key_id": key_id, "access_key_secret": SECRET}
        if key_id.startswith("STS."):
            entry.update(mode="StsToken", sts_token="token" + key_id[-1])
        entries.append(entry)
    config = {"current": current, "profiles": entries}
    project.write(".aliyun/config.json", json.dumps(config))
    return {**NO_KEY, "PYTHONPATH": str(project.folder / "packages")}


def given(name: str) -> dict[str, Any]:
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEYS[name],
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
    }


def signed_by(project: Project, name: str) -> dict[str, list[str]]:
    """Return the events of a deployment that were accepted, by the id that signed them."""
    events = iter(project.receiver.events)
    found: dict[str, list[str]] = {}
    for request in project.receiver.requests:
        for _number in range(request["events"]):
            event = next(events)
            if json.loads(event["content"])["id"] == name:
                found.setdefault(request["access_key_id"], []).append(event["name"])
    return found


def test_a_profile_delivers_only_its_own_events(project: Project) -> None:
    chain = profiles(project)
    project.leave("of-a", **chain, ALIBABA_CLOUD_PROFILE="a")

    ended = project.run(
        [play(say(), hosts="h1")], CLOUDMONITOR_DEPLOYMENT_ID="of-b", **chain,
        ALIBABA_CLOUD_PROFILE="b",
    )  # fmt: skip

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    assert signed_by(project, "of-a") == {}
    assert signed_by(project, "of-b") == {KEYS["b"]: [START, FINISH]}
    assert project.waiting() == ["of-a"]

    # The profile is the current one at the start, and another one is at the end of the run.
    run = project.start(
        [play(project.wait_task(go_on="switched"), hosts="h1")],
        CLOUDMONITOR_DEPLOYMENT_ID="switched",
        CLOUDMONITOR_FLUSH_TIMEOUT="20",
        **chain,
    )
    project.under_way()
    project.noted("switched")
    profiles(project, current="b")
    project.release("switched")

    assert run.ended().rc == 0
    project.settled()
    assert signed_by(project, "switched") == {KEYS["a"]: [START, FINISH]}
    assert signed_by(project, "of-a") == {KEYS["a"]: ALL_EVENTS}
    assert project.waiting() == []
