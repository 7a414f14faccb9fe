# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other plugins, odd paths and playbooks of collections: the run works, and its report is right."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    FINISH,
    Project,
    play,
    say,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import ansible_playbook

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"

# A stdout callback whose output is one JSON document, as ansible.posix.json's is.
AS_JSON = """\
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "as_json"

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in stats.processed}
        self._display.display(json.dumps(hosts))
"""


@pytest.mark.parametrize("verbosity", [(), ("-vvvv",)])
def test_standard_output_belongs_to_ansible(project: Project, verbosity: tuple[str, ...]) -> None:
    project.leave("earlier")
    project.receiver.set_faults(["status=500*inf"])
    project.write("callback_plugins/as_json.py", AS_JSON)
    project.write("site.yml", [play(say())])
    done = subprocess.run(
        [ansible_playbook(), "site.yml", *verbosity],
        cwd=project.folder,
        env=project.environment(
            ANSIBLE_STDOUT_CALLBACK="as_json",
            ANSIBLE_CALLBACK_PLUGINS=str(project.folder / "callback_plugins"),
            CLOUDMONITOR_LINGER="0",
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    ours = [line for line in done.stdout.splitlines() if "aliops.cloudmonitor: " in line]
    assert ours == []
    assert "aliops.cloudmonitor: " in done.stderr
    if not verbosity:  # Ansible's own lines of -v go to standard output
        assert set(json.loads(done.stdout)) == {"h1", "h2"}


@pytest.mark.parametrize("enabled", ["deployment_events", "aliops.cloudmonitor.deployment_events"])
def test_loaded_from_its_path_it_reports_once(project: Project, enabled: str) -> None:
    ended = project.run(
        [play(say())],
        ANSIBLE_CALLBACK_PLUGINS=str(PLUGINS / "callback"),
        ANSIBLE_CALLBACKS_ENABLED=enabled,
    )

    assert (ended.rc, ended.warnings) == (0, []), ended.output
    assert len(project.events(event=FINISH, status="succeeded")) == 1


def test_loaded_from_its_path_without_the_collection_it_warns_once(project: Project) -> None:
    ended = project.run(
        [play(say())],
        ANSIBLE_CALLBACK_PLUGINS=str(PLUGINS / "callback"),
        ANSIBLE_CALLBACKS_ENABLED="deployment_events",
        ANSIBLE_COLLECTIONS_PATH=str(project.folder),
    )

    assert ended.rc == 0, ended.output
    (warning,) = ended.warnings
    assert "Remove callback_plugins and install aliops.cloudmonitor" in warning
    assert project.events() == []


def test_a_playbook_of_a_collection_is_reported_by_its_full_name(project: Project) -> None:
    root = project.folder / "ansible_collections" / "acme" / "shop"
    project.write("ansible_collections/acme/shop/playbooks/release.yml", [play(say())])
    project.write("ansible_collections/acme/shop/galaxy.yml", "namespace: acme\nname: shop\n")
    ours = project.environment()["ANSIBLE_COLLECTIONS_PATH"]
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{ours}:{project.folder}"}

    assert project.run("acme.shop.release", **paths).rc == 0
    assert project.run(str(root / "playbooks" / "release.yml"), **paths).rc == 0
    excluded = {"CLOUDMONITOR_EXCLUDE_PLAYBOOKS": "acme.shop.release"}
    assert project.run("acme.shop.release", **paths, **excluded).rc == 0

    finishes = project.events(event=FINISH)
    assert [one["playbook"] for one in finishes] == [
        "acme.shop.release",
        str(root / "playbooks" / "release.yml"),
    ]
    assert {one["name"] for one in finishes} == {"release"}


def test_a_pattern_matches_a_path_that_begins_with_a_dot(project: Project) -> None:
    project.config("exclude_playbooks = maintenance/*")
    project.write("maintenance/x.yml", [play(say())])
    project.write("site.yml", [play(say())])

    assert project.run("./maintenance/x.yml").rc == 0
    assert project.run("site.yml").rc == 0

    assert [one["playbook"] for one in project.events(event=FINISH)] == ["site.yml"]
