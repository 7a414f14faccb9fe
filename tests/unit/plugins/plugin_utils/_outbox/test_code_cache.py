# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code cache: it returns the code of the source or nothing, whatever is in its folder."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import code_cache
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.code_cache import (
    CodeCache,
)

SOURCE = b"def answer():\n    return 42\n"
CODE = compile(SOURCE, "module.py", "exec")
SCRIPT = Path(code_cache.__file__)
# Imports files as a courier does, and prints how many it compiled from their source.
IMPORT = """
import sys
from importlib.machinery import SourceFileLoader
cache = SourceFileLoader("code_cache", sys.argv[1]).load_module()
compiled = []
sys.addaudithook(lambda name, args: name == "compile" and compiled.append(str(args[1])))
module = cache.import_file("plugin_utils._outbox.storage", sys.argv[2])
assert module.Outbox.__module__ == "aliops_cloudmonitor_plugins.plugin_utils._outbox.storage"
assert module.__file__ == sys.argv[1].replace("code_cache", "storage"), module.__file__
ours = [path for path in compiled if path.startswith(sys.argv[1].partition("_outbox")[0])]
print(len(ours), sys.dont_write_bytecode, sys.pycache_prefix)
"""


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    folder = tmp_path / "outbox"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def stored(outbox: Path) -> Path:
    """A file with compiled code."""
    CodeCache(str(outbox)).write("module", SOURCE, CODE)
    (file,) = (outbox / "cache").iterdir()
    return file


def read(outbox: Path, source: bytes = SOURCE) -> bool:
    """Return whether there is code for a source, and check that it is the right one."""
    found = CodeCache(str(outbox)).read("module", source)
    assert found in (None, CODE)
    return found is not None


def test_code_is_found_again_for_the_same_source_only(outbox: Path, stored: Path) -> None:
    assert read(outbox)
    assert not read(outbox, SOURCE + b"\n")
    assert CodeCache(str(outbox)).read("other", SOURCE) is None
    assert sys.implementation.cache_tag in stored.name
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert stat.S_IMODE(stored.parent.stat().st_mode) == 0o700


def test_a_new_source_replaces_the_code_of_the_old_one(outbox: Path, stored: Path) -> None:
    CodeCache(str(outbox)).write("module", b"", compile(b"", "module.py", "exec"))

    assert list(stored.parent.iterdir()) == [stored]
    assert CodeCache(str(outbox)).read("module", b"") is not None
    assert not read(outbox)


def test_a_file_that_was_cut_anywhere_is_not_used(outbox: Path, stored: Path) -> None:
    data = stored.read_bytes()
    for length in range(len(data)):
        stored.write_bytes(data[:length])
        assert not read(outbox), length


@given(st.data())
def test_a_file_that_was_changed_anywhere_is_not_used(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    outbox = tmp_path_factory.mktemp("outbox")
    CodeCache(str(outbox)).write("module", SOURCE, CODE)
    (file,) = (outbox / "cache").iterdir()
    good = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(good) - 1))
    good[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(good)

    assert not read(outbox)


def open_to_others(file: Path) -> None:
    file.chmod(0o644)


def folder_open_to_others(file: Path) -> None:
    file.parent.chmod(0o750)


def link(file: Path) -> None:
    file.rename(file.parent.parent / "elsewhere")
    file.symlink_to(file.parent.parent / "elsewhere")


def linked_folder(file: Path) -> None:
    file.parent.rename(file.parent.parent / "elsewhere")
    file.parent.symlink_to(file.parent.parent / "elsewhere")


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir(mode=0o700)


def file_instead_of_the_folder(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()
    file.parent.touch(0o600)


def no_outbox(file: Path) -> None:
    file.unlink()
    file.parent.rmdir()
    file.parent.parent.rmdir()


CHANGES = [open_to_others, folder_open_to_others, link, linked_folder, fifo, directory,
           file_instead_of_the_folder, no_outbox]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_anything_but_a_private_file_in_a_private_folder_is_not_used(
    outbox: Path, stored: Path, change: Callable[[Path], None]
) -> None:
    change(stored)
    begin = time.monotonic()
    found = read(outbox)
    CodeCache(str(outbox)).write("module", SOURCE, CODE)

    assert not found
    assert time.monotonic() - begin < 5
    # A file is replaced. The folder is never made private again, because of what may be in it.
    assert read(outbox) == (change in (open_to_others, link, fifo))


def test_the_code_of_another_user_is_not_used(
    outbox: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = stored.stat().st_uid + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)

    assert not read(outbox)


@pytest.mark.parametrize("call", ["mkdir", "open", "urandom", "replace"])
def test_a_disk_that_takes_nothing_is_tried_once_and_keeps_nothing(
    outbox: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    calls = []

    def fail(*given: object, **_named: object) -> int:
        calls.append(given)
        raise OSError(28, "No space left on device")

    cache = CodeCache(str(outbox))
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        cache.write("module", SOURCE, CODE)
        cache.write("other", SOURCE, CODE)

    assert len(calls) == 1
    assert [path for path in outbox.rglob("*") if path.is_file()] == []


def test_code_is_stored_once_the_outbox_is_there(tmp_path: Path) -> None:
    cache = CodeCache(str(tmp_path / "outbox"))
    cache.write("early", SOURCE, CODE)
    (tmp_path / "outbox").mkdir(mode=0o700)
    cache.write("late", SOURCE, CODE)

    assert [path.name[:4] for path in (tmp_path / "outbox" / "cache").iterdir()] == ["late"]


def test_what_a_killed_process_has_left_is_removed_after_an_hour(
    outbox: Path, stored: Path
) -> None:
    old, new = (stored.with_name(f".{stored.name}.{number}.0123456789ab") for number in (1, 2))
    for path, age in ((old, 3700), (new, 60), (stored, 3700)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    CodeCache(str(outbox)).write("other", SOURCE, CODE)

    assert (old.exists(), new.exists(), stored.exists()) == (False, True, True)


def start(outbox: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", IMPORT, str(SCRIPT), str(outbox)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_several_processes_fill_it_at_once_and_the_next_compiles_nothing(outbox: Path) -> None:
    at_once = [start(outbox) for _number in range(3)]
    compiled = [process.communicate(timeout=120)[0].split() for process in at_once]
    names = sorted(path.name for path in (outbox / "cache").iterdir())
    last = start(outbox).communicate(timeout=120)[0].split()

    # One that starts late finds everything.
    assert any(int(number) > 0 for number, *_settings in compiled)
    assert last == ["0", "True", "None"]
    assert sorted(path.name for path in (outbox / "cache").iterdir()) == names
    assert len(names) == len({name.split(".cpython")[0] for name in names}) > 5
    assert not any(name.startswith(".") for name in names)
