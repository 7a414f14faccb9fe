# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commit a checkout is at, in every layout that git makes, and in broken ones."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment import (
    git as git_files,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
SECONDS = 5.0

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git_context(folder: str, **environ: str) -> dict[str, str] | None:
    return git_files.git_context(folder, environ)


def within_seconds(folder: Path) -> dict[str, str] | None:
    """Look, and let the test fail if the look-up blocks."""

    def blocked(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("the look-up blocks")

    before = signal.signal(signal.SIGALRM, blocked)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return git_context(str(folder))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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


@needs_git
def test_a_submodule_tells_its_own_commit(repository: Path) -> None:
    source = repository.parent / "source"
    source.mkdir()
    git(source, "init", "--quiet", "-b", "library")
    git(source, "commit", "--quiet", "--allow-empty", "--message", "library")
    allow = ("-c", "protocol.file.allow=always")
    git(repository, *allow, "submodule", "--quiet", "add", str(source), "module")

    assert (repository / "module" / ".git").is_file()
    assert git_context(str(repository / "module")) == {
        "commit": git(source, "rev-parse", "HEAD"),
        "branch": "library",
        "repository": str(source),
    }


@needs_git
@pytest.mark.parametrize("option", ["--object-format=sha256", "--ref-format=reftable"])
def test_other_formats_of_repositories(tmp_path: Path, option: str) -> None:
    try:
        git(tmp_path, "init", "--quiet", "-b", "main", option)
    except subprocess.CalledProcessError:
        pytest.skip(f"this git does not know {option}")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "one")
    commit = git(tmp_path, "rev-parse", "HEAD")

    known = {"commit": commit, "branch": "main"}
    assert git_context(str(tmp_path)) == (None if "reftable" in option else known)


def test_a_symbolic_ref_is_followed_to_its_branch_but_not_in_a_circle(tmp_path: Path) -> None:
    files = {
        "HEAD": "ref: refs/heads/alias",
        "refs/heads/alias": "ref: refs/heads/main",
        "refs/heads/main": COMMIT,
        "refs/heads/circle": "ref: refs/heads/circle",
    }
    folder = checkout(tmp_path, files)
    assert git_context(folder) == {"commit": COMMIT, "branch": "main"}
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/circle")
    assert git_context(folder) == {"branch": "circle"}


def test_a_head_that_is_a_symbolic_link_to_a_ref_is_read(tmp_path: Path) -> None:
    folder = checkout(tmp_path, {"refs/heads/main": COMMIT})
    (tmp_path / ".git" / "HEAD").symlink_to("refs/heads/main")
    assert git_context(folder) == {"commit": COMMIT, "branch": "main"}


@pytest.mark.parametrize(
    "name", ["a..b", "a b", "a\x01b", "a~1", "a:b", "a.lock", ".a", "a/", "@{"]
)
def test_a_ref_that_git_forbids_is_absent(tmp_path: Path, name: str) -> None:
    assert git_context(checkout(tmp_path, {"HEAD": f"ref: refs/heads/{name}"})) is None


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        before = os.getcwd()
        os.chdir(path.parent)  # the address of a socket has at most 107 bytes
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


def _device(path: Path) -> None:
    path.symlink_to("/dev/tty")


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 2**30)


def _elsewhere(path: Path) -> None:
    other = path.with_name(path.name + ".outside")
    other.write_text(OTHER)
    path.symlink_to(other)


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


ODD_FILES: list[Callable[[Path], None]] = [
    _fifo, _folder, _socket, _device, _endless, _huge, _elsewhere, _circle,
]  # fmt: skip
COMPLETE = {
    "HEAD": "ref: refs/heads/main",
    "refs/heads/main": COMMIT,
    "packed-refs": f"{OTHER} refs/heads/main",
}


@pytest.mark.parametrize("make", ODD_FILES)
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("HEAD", None),
        ("commondir", {"commit": COMMIT, "branch": "main"}),
        ("refs/heads/main", {"commit": OTHER, "branch": "main"}),
        ("packed-refs", {"commit": COMMIT, "branch": "main"}),
    ],
)
def test_a_file_of_the_repository_that_is_no_regular_small_file_is_absent(
    tmp_path: Path, make: Callable[[Path], None], name: str, found: dict[str, str] | None
) -> None:
    checkout(tmp_path, COMPLETE)
    path = tmp_path / ".git" / name
    path.unlink(missing_ok=True)
    make(path)

    assert within_seconds(tmp_path) == found


@pytest.mark.parametrize("make", ODD_FILES)
def test_a_git_file_that_is_no_regular_small_file_is_absent(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / ".git")

    assert within_seconds(tmp_path) is None


@pytest.mark.parametrize("make", ODD_FILES)
@pytest.mark.parametrize("name", ["HEAD", "commondir", "refs/heads/main", "packed-refs"])
def test_a_pointer_leads_to_a_repository_with_an_odd_file(
    tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    project, deep = tmp_path / "project", tmp_path / "project" / "a" / "b"
    deep.mkdir(parents=True)
    checkout(tmp_path, COMPLETE)
    path = tmp_path / ".git" / name
    path.unlink(missing_ok=True)
    make(path)
    (project / ".git").write_text(f"gitdir: {tmp_path / '.git'}")

    found = within_seconds(deep)
    assert found is None or set(found) == {"commit", "branch"}


@pytest.mark.parametrize(
    "target", ["/dev", "/dev/zero", "/dev/tty", "/proc", "/proc/self", "/", ".git", "../b/.git"]
)
def test_a_pointer_to_something_else_ends_the_search(tmp_path: Path, target: str) -> None:
    checkout(tmp_path, COMPLETE)
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        pointer = target if target != "../b/.git" else f"../{other}/.git"
        (tmp_path / name / ".git").write_text(f"gitdir: {pointer}")

    assert within_seconds(tmp_path / "a") is None


def test_a_linked_folder_inside_the_repository_is_not_followed(tmp_path: Path) -> None:
    folder = checkout(tmp_path, {"HEAD": "ref: refs/heads/team/x"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text(OTHER)
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "refs" / "heads" / "team").symlink_to(tmp_path / "outside")

    assert git_context(folder) == {"branch": "team/x"}


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change owners")


@needs_root
@pytest.mark.parametrize("name", [".", ".git", "pointer", "worktree", "common"])
def test_a_repository_of_another_owner_is_ignored(tmp_path: Path, name: str) -> None:
    top = tmp_path / "top"
    checkout(top, COMPLETE)
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    private = top / ".git" / "worktrees" / "worktree"
    private.mkdir(parents=True)
    (private / "HEAD").write_text(OTHER)
    (private / "commondir").write_text("../..")
    (worktree / ".git").write_text(f"gitdir: {private}")
    assert git_context(str(worktree)) == {"commit": OTHER}
    changed = {
        ".": top, ".git": top / ".git", "pointer": worktree / ".git",
        "worktree": worktree, "common": top / ".git",
    }[name]  # fmt: skip
    os.lchown(changed, 12345, -1)
    asked = top if name in (".", ".git") else worktree

    assert git_context(str(asked)) is None
    assert git_context(str(asked), SUDO_UID="54321") is None
    assert git_context(str(asked), SUDO_UID="no number") is None
    assert git_context(str(asked), SUDO_UID="12345") is not None


@needs_root
def test_the_search_ends_at_the_border_of_a_file_system(tmp_path: Path) -> None:
    checkout(tmp_path, COMPLETE)
    inside = tmp_path / "mounted"
    inside.mkdir()
    with ExitStack() as cleanup:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "none", str(inside)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("mounting is not permitted")
        cleanup.callback(subprocess.run, ["umount", str(inside)], check=True)
        assert git_context(str(inside)) is None
    assert git_context(str(inside)) == {"commit": COMMIT, "branch": "main"}


def test_the_search_ends_after_many_parents(tmp_path: Path) -> None:
    checkout(tmp_path, COMPLETE)
    deep = tmp_path
    for _number in range(200):
        deep /= "d"
    deep.mkdir(parents=True)

    assert git_context(str(deep)) is None


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


@needs_git
@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/shop.git",
        "git@git.example:shop.git",
        'https://git.example/a b"c#d;e',
        "C:\\shop",
        "/srv/git/商店",
    ],
)
def test_the_repository_is_the_remote_that_git_itself_reads(repository: Path, url: str) -> None:
    git(repository, "config", "remote.Origin.url", "https://other.example")
    git(repository, "config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    git(repository, "config", "remote.origin.url", url)

    assert git(repository, "config", "remote.origin.url") == url
    assert (git_context(str(repository)) or {})["repository"] == url


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ('[remote "origin"]\n\turl = https://bot:pw@git.example/x\n', "https://git.example/x"),
        ('[REMOTE "origin"] URL=https://git.example/x # why\n', "https://git.example/x"),
        ('[remote "origin"]\nurl = https://git.exa\\\nmple/x\n', "https://git.example/x"),
        ('[remote "origin"]\nurl = a\nurl = b\n', "a"),
        ('[remote "origin"]\n[core]\nurl = x\n', None),
        ('[remote "Origin"]\nurl = x\n', None),
        ('[remote "origin"]\nurl\nurl = ""\n', None),
        ('[remote "origin"]\nurl = ' + "x" * 257, None),
        ('[remote "origin"]\nurl = a\x01b', None),
        ('[remote "origin"]\nurl = x\\', "x"),
        ("", None),
    ],
)
def test_a_configuration_names_the_repository_without_passwords(
    config: str, expected: str | None
) -> None:
    assert git_files.parse_origin_url(config) == expected
