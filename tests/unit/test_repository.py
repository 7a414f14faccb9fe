# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files around the collection: workflows, forms, hooks, release and licences."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
sys.path.insert(0, str(ROOT / "tests" / "tools"))
import check_galaxy  # noqa: E402
import check_tag  # noqa: E402

WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
VERSION = "1.0.0"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def make_targets() -> set[str]:
    found = re.search(r"^TARGETS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    return set(found.group(1).split())


def jobs() -> list[Any]:
    return [
        pytest.param(job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS
        for name, job in load(path)["jobs"].items()
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_and_gives_way_to_its_successor(path: Path) -> None:
    workflow = load(path)

    assert workflow["permissions"] == {"contents": "read"}
    assert "cancel-in-progress" in workflow["concurrency"]
    # YAML 1.1 takes the word "on" for a boolean.
    assert "pull_request_target" not in workflow[True]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version_beside_it(path: Path) -> None:
    uses = re.findall(r"uses: *(.*)", path.read_text(encoding="utf-8"))

    assert uses
    for use in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use), use
    assert len({use.split("#")[0] for use in uses}) == len({use.split("@")[0] for use in uses})


@pytest.mark.parametrize("job", jobs())
def test_a_job_ends_and_keeps_no_token(job: dict[str, Any]) -> None:
    assert job["timeout-minutes"]
    assert "permissions" not in job
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        # What others write (a branch's name, a title) is data, never part of a command.
        assert "${{" not in step.get("run", "")


def test_workflows_run_the_make_targets_that_people_run() -> None:
    texts = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    (matrix,) = [
        job["strategy"]["matrix"]["include"]
        for job in load(WORKFLOWS[0])["jobs"].values()
        if "strategy" in job
    ]
    named = {one["target"] for one in matrix} | set(re.findall(r"make ([a-z-]+)", texts))

    assert {"test", "galaxy"} <= named
    assert named <= make_targets()


def test_hooks_run_make_targets_and_fetch_nothing() -> None:
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]

    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert re.fullmatch("make ([a-z-]+)", hook["entry"])
        assert hook["entry"].split()[1] in make_targets()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_github_wants_and_asks_at_least_one_thing(path: Path) -> None:
    form = load(path)

    assert form["name"]
    assert form["description"]
    asked = [item for item in form["body"] if item["type"] != "markdown"]
    assert any(item.get("validations", {}).get("required") for item in asked)
    assert len({item["id"] for item in asked}) == len(asked)
    assert all(item["attributes"]["label"] for item in asked)


def test_a_form_names_parts_that_there_are() -> None:
    text = (GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8")
    for module in sorted((ROOT / "plugins" / "modules").glob("*_event.py")):
        assert module.stem in text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for title in re.findall(r'"([A-Z][a-z ]+)" in the README|the README under "([^"]+)"', text):
        assert f"## {''.join(title)}\n" in readme


def test_a_form_leads_to_the_troubleshooting_guide() -> None:
    text = (GITHUB / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8")
    links = re.findall(r"https://github\.com/aliops/cloudmonitor/blob/main/([^\s)]+)", text)

    assert "docs/docsite/rst/guide_troubleshooting.rst" in links
    assert all((ROOT / link).is_file() for link in links)


def test_the_tag_of_this_version_can_be_released() -> None:
    version = load(ROOT / "galaxy.yml")["version"]
    left = [fault for fault in check_tag.faults(version, ROOT) if "fragments" not in fault]

    assert left == []  # between two releases there are fragments


def checkout(
    folder: Path, version: str = VERSION, released: str = VERSION, pinned: str = VERSION
) -> Path:
    (folder / "changelogs" / "fragments").mkdir(parents=True)
    (folder / "changelogs" / "fragments" / ".keep").touch()
    (folder / "galaxy.yml").write_text(f"name: x\nversion: {version}\n", encoding="utf-8")
    changes = f"---\nreleases:\n  {released}:\n    changes: {{}}\n"
    (folder / "changelogs" / "changelog.yaml").write_text(changes, encoding="utf-8")
    for name in check_tag.PINNED:
        (folder / name).parent.mkdir(parents=True)
        text = f"  - name: {check_tag.SOURCE}\n    type: git\n    version: {pinned}\n"
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_tag_is_the_version_and_nothing_else(tmp_path: Path) -> None:
    folder = checkout(tmp_path)

    assert check_tag.faults(VERSION, folder) == []
    assert check_tag.main(VERSION, folder) == 0
    for tag in ("v1.0.0", "1.0", "1.0.1", "1x0.0", ""):
        assert check_tag.main(tag, folder) == 1


def test_a_tag_without_release_notes_is_refused(tmp_path: Path) -> None:
    (fault,) = check_tag.faults(VERSION, checkout(tmp_path, released="0.9.0"))

    assert "no release 1.0.0" in fault


def test_a_tag_with_fragments_left_is_refused(tmp_path: Path) -> None:
    folder = checkout(tmp_path)
    (folder / "changelogs" / "fragments" / "7-a-fix.yml").touch()

    (fault,) = check_tag.faults(VERSION, folder)
    assert "7-a-fix.yml" in fault


def test_a_tag_is_refused_when_awx_would_install_another_version(tmp_path: Path) -> None:
    faults = check_tag.faults(VERSION, checkout(tmp_path, pinned="main"))

    assert faults == [f"{name} installs main, not 1.0.0" for name in check_tag.PINNED]


def test_every_complaint_of_galaxy_s_importer_counts() -> None:
    output = "Importing\nWARNING: no tag\n  ERROR: bad\nLoading role warning\nCRITICAL: worse\n"

    assert check_galaxy.complaints(output) == ["WARNING: no tag", "  ERROR: bad", "CRITICAL: worse"]


def test_an_importer_that_has_found_nothing_has_not_looked() -> None:
    content = [{"content_type": kind, "name": name} for kind, name in check_galaxy.EXPECTED]

    assert check_galaxy.missing({"contents": content}) == []
    assert len(check_galaxy.missing({"contents": content[1:]})) == 1


def test_galaxy_s_importer_is_asked_for_everything_that_users_name() -> None:
    kinds = {"module": "plugins/modules", "callback": "plugins/callback", "role": "roles"}
    for kind, name in check_galaxy.EXPECTED:
        folder = ROOT / kinds.get(kind, "playbooks")
        assert [*folder.glob(f"{name}*")], name


def text_files() -> list[Path]:
    """Return what is written by hand: neither hidden folders but one, nor what tools leave."""
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") for part in parts[:-1]) and parts[0] != ".github"
        made = "__pycache__" in parts or parts[:2] == ("tests", "output")
        if not hidden and not made and path.is_file() and path.suffix not in {".png", ".svg"}:
            found.append(path)
    return found


def test_files_keep_to_the_editor_s_configuration() -> None:
    assert len(text_files()) > 200
    for path in text_files():
        text = path.read_bytes().decode("utf-8")
        assert text.endswith("\n") or not text, path
        assert not text.endswith("\n\n"), path
        assert "\r" not in text, path
        assert path.name == "Makefile" or "\t" not in text, path
        assert not re.search("[ ]$", text, re.MULTILINE), path


def test_the_licence_is_the_one_that_every_file_names() -> None:
    licence = (ROOT / "COPYING").read_text(encoding="utf-8")

    assert (ROOT / "LICENSES" / "GPL-3.0-or-later.txt").read_text(encoding="utf-8") == licence
    assert [path.name for path in (ROOT / "LICENSES").iterdir()] == ["GPL-3.0-or-later.txt"]


def test_the_changelog_is_the_one_of_the_data() -> None:
    releases = load(ROOT / "changelogs" / "changelog.yaml")["releases"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("\\", "")

    assert re.findall(r"^## v(\S+)$", text, re.MULTILINE) == sorted(releases, reverse=True)
    modules = {
        path.stem
        for path in (ROOT / "plugins" / "modules").glob("*.py")
        for added in re.findall(r"^version_added: (\S+)$", path.read_text("utf-8"), re.MULTILINE)
        if added in releases  # what is new since the last release is not in its notes
    }
    listed = {one["name"] for release in releases.values() for one in release.get("modules", [])}
    assert listed == modules
    assert all(f"aliops.cloudmonitor.{name} - " in text for name in listed)
