# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history on disk: complete after every crash, whatever is in the place of its files."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.query import (
    Filters,
    query,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import files
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import (
    history as history_file,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import (
    storage as storage_file,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.current import follow
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.history import (
    CURRENT,
    History,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import (
    finish_content,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.writer import OutboxWriter
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    settings_for,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    DAY,
    finish,
    invented,
    write_history,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    KINDS,
    finish_record,
    in_place_of,
    new_outbox,
    run_of,
    start_record,
)

NOW = 1_790_000_000.0
MONTH = "2026-09.jsonl"


def current(history: History) -> dict[tuple[str, str | None], str]:
    """The content of current.json, as anybody can read it."""
    text = (history.folder / CURRENT).read_text(encoding="utf-8")
    return {(one["name"], one["environment"]): one["id"] for one in json.loads(text)["current"]}


def expected(history: History) -> dict[tuple[str, str | None], str]:
    """What current.json has to contain, from all lines."""
    entries: dict[tuple[str, str | None], Any] = {}
    for line in history.read().lines:
        key = (line["name"], line.get("environment"))
        entries[key] = follow(entries.get(key), line)
    return {key: entry["id"] for key, entry in entries.items() if entry is not None}


def before(history: History, deployment_id: str = "new") -> str | None:
    found = history.previous("shop", "production", deployment_id)
    return None if found is None else found["id"]


def test_a_line_is_the_content_of_the_finish_and_who_reported_it(outbox: Outbox) -> None:
    content = finish_content(finish_record("d1", "succeeded"))
    assert content is not None
    assert outbox.history.add(content, "callback", NOW) is None

    path = outbox.root / "history" / MONTH
    assert json.loads(path.read_text()) == {**content, "by": "callback"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert outbox.history.previous("shop", None, "d2") == {
        "id": "d1",
        "finished_at": content["finished_at"],
    }


_LINES = st.lists(
    st.builds(
        lambda number, status, name, parent: finish(
            f"d{number}", NOW, status, name=name, parent=parent
        ),
        st.integers(1, 6),
        st.sampled_from(["succeeded", "failed", "aborted", "empty"]),
        st.sampled_from(["shop", "mail"]),
        st.sampled_from([None, None, "d1", "d2"]),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(lines=_LINES, damage=st.sets(st.integers(0, 11)))
def test_current_json_is_what_all_lines_give_even_if_it_is_damaged_meanwhile(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, Any]], damage: set[int]
) -> None:
    history = History(tmp_path_factory.mktemp("outbox") / "history")
    for number, line in enumerate(lines):
        if number in damage:
            with suppress(OSError):
                os.truncate(history.folder / CURRENT, number * 20)
        history.add(line, "task", NOW + number // 3 * 20 * DAY)  # the month changes in between

        assert current(history) == expected(history)
        assert before(history) == expected(history).get(("shop", "production"))
    shutil.rmtree(history.folder, ignore_errors=True)


def test_lines_of_others_count_before_anybody_has_updated_current_json(outbox: Outbox) -> None:
    outbox.history.add(finish("a", NOW), "callback", NOW)
    stale = (outbox.history.folder / CURRENT).read_bytes()
    write_history(outbox.root, [finish("b", NOW), finish("c", NOW, "failed")])
    assert before(outbox.history) == "b"

    # Everything is read if the files are not those that current.json was made from.
    (outbox.history.folder / MONTH).write_text(json.dumps(finish("d", NOW, version="1")) + "\n")
    (outbox.history.folder / CURRENT).write_bytes(stale)
    assert before(outbox.history) == "d"
    (outbox.history.folder / CURRENT).unlink()
    assert before(outbox.history) == "d"
    outbox.history.maintain(NOW)
    assert current(outbox.history) == {("shop", "production"): "d"}
    assert before(outbox.history, "d") is None


def test_maintenance_repairs_damage_that_no_run_has_met(outbox: Outbox) -> None:
    write_history(outbox.root, [finish("a", NOW), finish("m", NOW, name="mail")])
    outbox.history.maintain(NOW)
    path = outbox.history.folder / CURRENT
    path.write_bytes(path.read_bytes().replace(b'"mail"', b'"ma\0l"'))
    outbox.history.maintain(NOW)

    assert current(outbox.history) == expected(outbox.history)


def test_a_run_never_reads_a_long_history_as_a_whole(outbox: Outbox) -> None:
    lines = invented(4_000, NOW, names=("shop", "mail"), environments=("production",))
    write_history(outbox.root, [finish("old", NOW - 300 * DAY, name="gone"), *lines])
    last = next(
        one["id"]
        for one in reversed(lines)
        if one["name"] == "shop" and one["status"] == "succeeded"
    )

    assert before(outbox.history) == last
    assert outbox.history.previous("gone", "production", "new") is None, "too far back"
    outbox.history.add(finish("next", NOW), "callback", NOW)
    assert not (outbox.history.folder / CURRENT).exists(), "left to the courier"
    outbox.history.maintain(NOW)
    assert (outbox.history.previous("gone", "production", "new") or {})["id"] == "old"


def test_a_run_does_not_rewrite_a_long_current_json(outbox: Outbox) -> None:
    write_history(outbox.root, (finish(f"{n}", NOW, name=f"s{n}") for n in range(1_000)))
    outbox.history.maintain(NOW)
    path = outbox.history.folder / CURRENT
    written = path.read_bytes()
    outbox.history.add(finish("a", NOW), "callback", NOW)

    assert path.read_bytes() == written
    assert before(outbox.history) == "a"
    outbox.history.maintain(NOW)
    assert current(outbox.history) == expected(outbox.history)


def test_months_that_are_too_old_are_removed_and_forgotten(outbox: Outbox) -> None:
    write_history(
        outbox.root,
        [finish("old", NOW - 430 * DAY, name="old"), finish("a", NOW - 380 * DAY)],
    )
    outbox.history.maintain(NOW - 20 * DAY)
    assert set(current(outbox.history)) == {("old", "production"), ("shop", "production")}
    (outbox.history.folder / "notes.txt").touch()
    outbox.history.maintain(NOW)

    assert [path.stem for path in outbox.history.files()] == ["2025-09"]
    assert current(outbox.history) == {("shop", "production"): "a"}
    assert (outbox.history.folder / "notes.txt").exists()


def test_zero_days_turn_the_history_off(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", history_keep=0)
    outbox.prepare()
    write_history(outbox.root, [finish("a", NOW - 500 * DAY)])
    before_names = sorted(outbox.root.rglob("*"))
    assert outbox.history.add(finish("b", NOW), "callback") is None
    outbox.history.maintain(NOW)

    assert before(outbox.history) is None
    assert sorted(outbox.root.rglob("*")) == before_names
    assert [one["id"] for one in outbox.history.read().lines] == ["a"]


def test_a_torn_line_does_not_swallow_the_next_one(outbox: Outbox) -> None:
    write_history(outbox.root, [finish("a", NOW)])
    with (outbox.history.folder / MONTH).open("a") as file:
        file.write('{"id": "torn", "name": "sh')
    outbox.history.maintain(NOW)
    outbox.history.add(finish("b", NOW), "callback", NOW)

    assert [one["id"] for one in outbox.history.read().lines] == ["a", "b"]
    assert before(outbox.history) == "b"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [MONTH, CURRENT, ".lock", "2026-08.jsonl"])
def test_whatever_is_in_the_place_of_a_file_the_line_is_kept_and_nothing_blocks(
    outbox: Outbox, name: str, kind: str
) -> None:
    (outbox.root / "history").mkdir(mode=0o700)
    with in_place_of(outbox.root / "history" / name, kind):
        assert before(outbox.history) is None
        assert outbox.history.add(finish("a", NOW), "callback", NOW) is None
        outbox.history.maintain(NOW)

        assert before(outbox.history) == "a"
        assert [one["id"] for one in query(outbox.root, Filters(), NOW).deployments] == ["a"]


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_not_ours_is_one_line_of_text(
    outbox: Outbox, tmp_path: Path, kind: str
) -> None:
    place = outbox.root / "history"
    if kind == "link":
        (tmp_path / "theirs").mkdir()
        place.symlink_to(tmp_path / "theirs")
    else:
        place.touch()

    problem = outbox.history.add(finish("a", NOW), "callback", NOW)
    assert problem is not None
    assert "cannot be written" in problem
    assert (before(outbox.history), outbox.history.read().lines) == (None, [])


def test_nobody_waits_for_a_process_that_keeps_the_lock(outbox: Outbox) -> None:
    outbox.history.add(finish("a", NOW), "callback", NOW)
    descriptor = os.open(outbox.history.folder / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    begin = time.monotonic()
    outbox.history.add(finish("b", NOW), "callback", NOW)
    took = time.monotonic() - begin

    assert took < 1.0
    assert current(outbox.history) == {("shop", "production"): "a"}
    assert before(outbox.history) == "b"
    os.close(descriptor)
    outbox.history.add(finish("c", NOW, "failed"), "callback", NOW)
    assert current(outbox.history) == {("shop", "production"): "b"}


# What changes a file. A process may end after each of these calls, and in the middle of a write.
CALLS = ("write", "fsync", "replace", "rename", "link", "unlink", "mkdir", "ftruncate")
STOPPED = 7


def stop_after(calls: int, half: bool) -> None:
    """End this process after that call; with ``half``, in the middle of that call of write."""
    left = [calls]

    def stopping(name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def call(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and half:
                original(args[0], args[1][: len(args[1]) // 2])
                os._exit(STOPPED)
            try:
                return original(*args, **options)
            finally:
                if left[0] == 0:
                    os._exit(STOPPED)

        return call

    for name in ("write",) if half else CALLS:
        setattr(os, name, stopping(name))


def in_a_child(work: Callable[[], None]) -> int:
    child = get_context("fork").Process(target=work)
    child.start()
    child.join(30)
    assert child.exitcode is not None
    return child.exitcode


def finish_as_the_run(outbox: Outbox, folder: Folder) -> None:
    writer = OutboxWriter(outbox, settings_for("http://127.0.0.1:9"))
    writer._folder = folder
    writer.write(finish_record("d1", "succeeded"))


def test_on_a_full_disk_the_line_is_written_after_the_finish_has_freed_the_reserve(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = outbox.create("d1")
    folder.reserve()
    folder.append(run_of("d1").dump(), start_record("d1"))
    append = files.append_records

    def on_a_full_disk(path: Path, *records: Any, **options: Any) -> None:
        if (folder.path / "reserve").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(path, *records, **options)

    monkeypatch.setattr(history_file, "append_records", on_a_full_disk)
    monkeypatch.setattr(storage_file, "append_records", on_a_full_disk)
    finish_as_the_run(outbox, folder)

    assert [one["id"] for one in outbox.history.read().lines] == ["d1"]
    assert len(folder.entries()) == 3


def finish_as_another(outbox: Outbox, folder: Folder, reason: str = "killed") -> None:
    delivery = Delivery(outbox, folder, 3600.0, time.time)
    delivery.end(reason, NOW)
    while delivery.pending:
        assert delivery.step(lambda _events: None) is None
    folder.remove()
    outbox.history.maintain(time.time())


@pytest.mark.parametrize("half", [False, True], ids=["after a call", "in the middle of a write"])
@pytest.mark.parametrize("writer", [finish_as_the_run, finish_as_another])
def test_a_stop_at_any_call_that_writes_leaves_one_finish_and_readable_files(
    tmp_path: Path, writer: Callable[[Outbox, Folder], None], half: bool
) -> None:
    for calls in range(1, 200):
        outbox = new_outbox(tmp_path / str(calls))
        outbox.history.add(finish("d0", NOW, environment=None), "callback")
        folder = outbox.create("d1")
        folder.append(run_of("d1").dump(), start_record("d1"))

        def work(calls: int = calls, outbox: Outbox = outbox, folder: Folder = folder) -> None:
            stop_after(calls, half)
            writer(outbox, folder)

        code = in_a_child(work)
        with suppress(ValueError):  # every reader copes with what is there now
            current(outbox.history)
        assert query(outbox.root, Filters(), NOW).damaged == 0
        if folder.exists():
            finish_as_another(outbox, folder, "lost")
        answer = query(outbox.root, Filters(), NOW + 1e9)

        assert sorted(one["id"] for one in answer.deployments) == ["d0", "d1"], calls
        assert (answer.damaged, answer.unknown) == (0, 0)
        assert current(outbox.history) == expected(outbox.history), calls
        shutil.rmtree(outbox.root)
        if code == 0:
            assert calls > (2 if half else 6)
            return
        assert code == STOPPED
    pytest.fail("it never came to its end")


def test_twenty_processes_at_once_add_every_line(outbox: Outbox) -> None:
    def work(number: int) -> None:
        for step in range(5):
            identifier = f"{number}-{step}"
            outbox.history.add(finish(identifier, NOW, name=f"s{number}"), "task")

    children = [get_context("fork").Process(target=work, args=(number,)) for number in range(20)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    outbox.history.maintain(time.time())
    found = outbox.history.read()

    assert len({one["id"] for one in found.lines}) == len(found.lines) == 100
    assert (found.damaged, found.unknown) == (0, 0)
    assert current(outbox.history) == expected(outbox.history)
    assert len(current(outbox.history)) == 20
