# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report is written completely or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.output import (
    check_file,
    write_file,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    before = os.umask(0o027)
    try:
        write_file(check_file(str(path)), b"one")
        assert mode(path) == 0o640
        path.chmod(0o604)
        write_file(check_file(str(path)), b"two")
    finally:
        os.umask(before)

    assert (path.read_bytes(), mode(path)) == (b"two", 0o604)
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "page.html").symlink_to("www/index.html")
    write_file(check_file(str(tmp_path / "page.html")), b"one")

    assert (tmp_path / "page.html").is_symlink()
    assert (tmp_path / "www" / "index.html").read_bytes() == b"one"


def test_after_an_error_the_old_file_is_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        write_file(check_file(str(path)), b"new")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("page.html", b"old")]


def test_what_cannot_be_written_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, problem in {
        tmp_path: "is a directory",
        tmp_path / "pipe": "is not a regular file",
        tmp_path / "missing" / "page.html": "there is no directory",
        tmp_path / ("x" * 300): "cannot be written",
        "a\0b": "cannot be written",
        tmp_path / "pipe" / "page.html": "there is no directory",
    }.items():
        with pytest.raises(ConfigurationError, match=problem) as caught:
            check_file(str(path))
        assert caught.value.option == "path"
    assert os.listdir(tmp_path) == ["pipe"]
