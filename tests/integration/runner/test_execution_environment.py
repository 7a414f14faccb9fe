# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: ansible-builder finds our requirements and takes the example."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ansible_collections.aliops.cloudmonitor.tests.integration.runner.harness import FILES, tool
from ansible_collections.aliops.cloudmonitor.tests.programs import output_of

COLLECTION = FILES.parents[1]


@pytest.fixture
def builder() -> str:
    """The command ansible-builder."""
    command = tool("ansible-builder")
    if not Path(command).exists():
        pytest.skip("ansible-builder is not installed beside this Python")
    return command


def test_introspection_finds_requests_in_our_meta(builder: str, tmp_path: Path) -> None:
    # A copy of its own: the tool looks into every collection that it finds beside it.
    place = tmp_path / "ansible_collections" / "aliops" / "cloudmonitor"
    place.mkdir(parents=True)
    for name in ("galaxy.yml", "requirements.txt", "meta/execution-environment.yml"):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy2(COLLECTION / name, place / name)

    said = output_of(tmp_path, builder, "introspect", tmp_path, "--write-pip", "pip.txt")

    written = (tmp_path / "pip.txt").read_text(encoding="utf-8").splitlines()
    wanted = (COLLECTION / "requirements.txt").read_text(encoding="utf-8").split()
    assert [line.partition("#")[0].strip() for line in written if line.strip()] == wanted, said
    assert wanted[0].startswith("requests")
    assert "aliops.cloudmonitor" in written[0]


def test_the_example_makes_a_build_context_that_installs_the_collection(
    builder: str, tmp_path: Path
) -> None:
    definition = FILES / "execution-environment.yml"

    context = tmp_path / "context"
    options = ("--file", definition, "--context", context, "--output-filename", "Containerfile")
    output_of(tmp_path, builder, "create", *options)

    container = (context / "Containerfile").read_text(encoding="utf-8")
    needs = yaml.safe_load(definition.read_text(encoding="utf-8"))
    assert needs["images"]["base_image"]["name"] in container
    assert needs["dependencies"]["ansible_core"]["package_pip"] in container
    build = context / "_build"
    galaxy = yaml.safe_load((build / "requirements.yml").read_text(encoding="utf-8"))
    repository = yaml.safe_load((COLLECTION / "galaxy.yml").read_text("utf-8"))["repository"]
    assert [one["name"] for one in galaxy["collections"]] == [repository + ".git"]
    assert "alibabacloud-credentials" in (build / "requirements.txt").read_text(encoding="utf-8")
    assert "openssh-clients" in (build / "bindep.txt").read_text(encoding="utf-8")
