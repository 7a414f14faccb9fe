# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit a checkout is at, in every layout that git makes, and in broken ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.git import git_context

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def checkout(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(folder)


def git(folder: Path, *words: str) -> str:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@example.com",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository that git itself has made, on the branch topic/one."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "checkout", "--quiet", "-b", "topic/one")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one")
    return folder


@needs_git
def test_a_checkout_tells_its_commit_and_branch(repository: Path) -> None:
    expected = {"commit": git(repository, "rev-parse", "HEAD"), "branch": "topic/one"}
    inside = repository / "a" / "b"
    inside.mkdir(parents=True)

    assert git_context(str(repository)) == expected
    assert git_context(str(inside)) == expected


@needs_git
def test_packed_refs_are_read(repository: Path) -> None:
    git(repository, "tag", "--annotate", "--message", "m", "v1")
    git(repository, "pack-refs", "--all")

    assert not (repository / ".git/refs/heads/topic/one").exists()
    assert git_context(str(repository)) == {
        "commit": git(repository, "rev-parse", "HEAD"),
        "branch": "topic/one",
    }


@needs_git
def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")

    assert git_context(str(repository)) == {"commit": git(repository, "rev-parse", "HEAD")}


@needs_git
@pytest.mark.parametrize("packed", [False, True])
def test_a_worktree_tells_its_own_branch(repository: Path, packed: bool) -> None:
    tree = repository.parent / "tree"
    git(repository, "worktree", "add", "--quiet", "-b", "two", str(tree))
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "two")
    if packed:
        git(repository, "pack-refs", "--all")

    assert git_context(str(tree)) == {"commit": git(tree, "rev-parse", "HEAD"), "branch": "two"}


@needs_git
def test_a_branch_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "symbolic-ref", "HEAD", "refs/heads/new")

    assert git_context(str(tmp_path)) == {"branch": "new"}


def test_what_only_git_can_read_counts_as_absent(tmp_path: Path) -> None:
    # So it is in every repository with reftables (git's documentation, reftable).
    folder = checkout(tmp_path, {"HEAD": "ref: refs/heads/.invalid\n"})
    assert git_context(folder) is None


def test_a_commit_may_have_the_length_of_sha_256(tmp_path: Path) -> None:
    assert git_context(checkout(tmp_path, {"HEAD": "a" * 64})) == {"commit": "a" * 64}


def test_the_loose_ref_is_newer_than_the_packed_one(tmp_path: Path) -> None:
    folder = checkout(
        tmp_path,
        {
            "HEAD": "ref: refs/heads/main\n",
            "refs/heads/main": COMMIT + "\n",
            "packed-refs": f"# pack-refs with: peeled\n{OTHER} refs/heads/main\n",
        },
    )

    assert git_context(folder) == {"commit": COMMIT, "branch": "main"}


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"HEAD": ""}, None),
        ({"HEAD": "nonsense"}, None),
        ({"HEAD": COMMIT[:39]}, None),
        ({"HEAD": "ref: "}, None),
        ({"HEAD": "ref: ../../etc/passwd"}, None),
        ({"HEAD": "ref: refs/../../secret", "../secret": COMMIT}, None),
        ({"HEAD": "ref: /etc/passwd"}, None),
        ({"HEAD": "ref: refs/heads/m", "refs/heads/m": "no commit"}, {"branch": "m"}),
        ({"HEAD": "ref: refs/heads/m", "packed-refs": "nonsense\n"}, {"branch": "m"}),
        (
            {"HEAD": "ref: refs/heads/m", "packed-refs": f"{OTHER} refs/heads/m2"},
            {"branch": "m"},
        ),
        ({"HEAD": "ref: refs/remotes/m", "refs/remotes/m": COMMIT}, {"commit": COMMIT}),
        ({"config": "no HEAD"}, None),
    ],
)
def test_broken_files_count_as_absent(
    tmp_path: Path, files: dict[str, str], found: dict[str, str] | None
) -> None:
    assert git_context(checkout(tmp_path, files)) == found


@pytest.mark.parametrize(
    "text", ["", "gitdir:", "gitdir: /no/such/folder", "gitdir: .git", "nonsense", "gitdir: a\x00b"]
)
def test_a_broken_pointer_to_the_repository_counts_as_absent(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_text(text, encoding="utf-8")

    assert git_context(str(tmp_path)) is None


def test_links_in_a_circle_count_as_absent(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / ".git").write_text("gitdir: a/x", encoding="utf-8")

    assert git_context(str(tmp_path)) is None
    assert git_context(str(tmp_path / "a")) is None


@pytest.mark.parametrize("folder", ["/no/such/folder", "a\x00b"])
def test_a_folder_that_cannot_be_has_no_commit(folder: str) -> None:
    assert git_context(folder) is None


def test_no_hook_and_no_git_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", unexpected)
    monkeypatch.setattr(os, "system", unexpected)

    assert git_context(checkout(tmp_path, {"HEAD": COMMIT})) == {"commit": COMMIT}


@given(head=st.binary(max_size=60), ref=st.binary(max_size=60), packed=st.binary(max_size=120))
def test_any_bytes_are_read_without_an_error(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, ref: bytes, packed: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / ".git/refs/heads").mkdir(parents=True)
    (folder / ".git/HEAD").write_bytes(head)
    (folder / ".git/refs/heads/m").write_bytes(ref)
    (folder / ".git/packed-refs").write_bytes(packed)

    assert set(git_context(str(folder)) or {}) <= {"commit", "branch"}
