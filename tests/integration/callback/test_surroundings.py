# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The courier sees what the controller sees: its packages and its relative paths."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    START,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET

# The chain's library takes a while to import on a busy machine.
NO_KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": None,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None,
    "CLOUDMONITOR_FLUSH_TIMEOUT": "60",
}
PROFILE = f"[default]\ntype = access_key\naccess_key_id = {KEY_ID}\naccess_key_secret = {SECRET}\n"

# A script that starts Ansible with packages from a folder that only the script knows.
WRAPPER = """\
import site, sys
before = list(sys.path)
site.addsitedir({packages!r})
sys.path[:] = [one for one in sys.path if one not in before] + before
from ansible.cli.playbook import main
main()
"""
# What the chain's library does, in a few lines: it proves that this copy is the one in use.
STAND_IN = """\
import configparser, os
class Found:
    def __init__(self, profile): self.profile = profile
    def get_access_key_id(self): return self.profile["access_key_id"]
    def get_access_key_secret(self): return self.profile["access_key_secret"]
    def get_security_token(self): return None
    def get_provider_name(self): return "default/profile"
class DefaultCredentialsProvider:
    def get_credentials(self):
        parser = configparser.ConfigParser()
        assert parser.read(os.environ["ALIBABA_CLOUD_CREDENTIALS_FILE"])
        return Found(parser["default"])
"""


def _is_delivered(project: Project) -> None:
    assert [event["event"] for event in project.events()] == [START, FINISH]
    assert project.waiting() == project.dead() == []


def test_packages_that_only_the_wrapper_of_ansible_knows(project: Project) -> None:
    packages = project.folder.parent / "store"
    project.write("../store/alibabacloud_credentials/__init__.py", "")
    project.write("../store/alibabacloud_credentials/provider.py", STAND_IN)
    project.write("../bin/wrapper.py", WRAPPER.format(packages=str(packages)))
    # Of these, the courier must import none: they are the user's.
    for name in ("json", "requests", "urllib3", "queue", "certifi"):
        project.write(f"{name}.py", "raise SystemExit('a file of the user was imported')\n")
    project.write("creds.ini", PROFILE)
    project.write("site.yml", [play(say())])

    ended = project.command(
        sys.executable,
        project.folder.parent / "bin" / "wrapper.py",
        "site.yml",
        ALIBABA_CLOUD_CREDENTIALS_FILE="creds.ini",
        **NO_KEY,
    ).ended()

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.settled()
    _is_delivered(project)


@pytest.mark.skipif(
    not find_spec("alibabacloud_credentials"), reason="needs alibabacloud-credentials"
)
def test_a_relative_credentials_file_home_and_outbox(project: Project) -> None:
    project.write("creds.ini", PROFILE)
    (project.folder / "creds.ini").chmod(0o600)

    ended = project.run(
        [play(say(), hosts="h1")],
        ALIBABA_CLOUD_CREDENTIALS_FILE="../project/creds.ini",
        CLOUDMONITOR_OUTBOX="somewhere/outbox",
        HOME=os.path.join(os.curdir, "home"),
        **NO_KEY,
    )

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    project.receiver.wait_for(2, deadline=30)
    assert list((project.folder / "somewhere" / "outbox" / "runs").iterdir()) == []
    _is_delivered(project)
