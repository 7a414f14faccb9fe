# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the service answers, every event is sent, a dead letter or still waiting, in order."""

from __future__ import annotations

import errno
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import Outcome
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.dead_letters import (
    DeadLetters,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.delivery import Delivery
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.liveness import Uptime
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.records import is_final
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    DamagedFolder,
    Folder,
    Outbox,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.outboxes import (
    DESTINATION,
    Service,
    all_letters,
    finish_record,
    left_behind,
    names_of,
    new_outbox,
    run_of,
)

NOW = 1_763_900_000.0
ANSWERS = ("delivered", "keep", "refused", "bad_request")


def _record(*names: str, at: float = NOW) -> dict[str, Any]:
    events = [{"name": name, "content": "c", "group_id": 0, "time": "1"} for name in names]
    return {"record": "events", "at": at, "final": False, "events": events}


def _folder(outbox: Outbox, *records: dict[str, Any]) -> Folder:
    folder = outbox.create("d1")
    folder.append(run_of().dump())
    for record in records:
        folder.append(record)
    return folder


def _delivery(outbox: Outbox, folder: Folder, ttl: float = 3600.0) -> Delivery:
    delivery = Delivery(outbox, folder, ttl, lambda: NOW)
    delivery.refresh()
    return delivery


def _dead_events(outbox: Outbox) -> list[str]:
    return [
        name
        for _path, letters in all_letters(outbox)
        for letter in letters
        for name in names_of(letter["events"] or [])
    ]


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return new_outbox(tmp_path)


@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=12),
    answers=st.lists(st.sampled_from(ANSWERS), max_size=30),
    bad=st.sets(st.integers(0, 20)),
    crashes=st.sets(st.integers(0, 30)),
)
def test_no_sequence_of_answers_loses_or_reorders_an_event(
    sizes: list[int], answers: list[str], bad: set[int], crashes: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as place:
        outbox = new_outbox(Path(place))
        names = [f"e{number}" for number in range(sum(sizes))]
        rest = iter(names)
        folder = _folder(
            outbox, *[_record(*(next(rest) for _unused in range(size))) for size in sizes]
        )
        service = Service(answers, [f"e{number}" for number in bad])
        delivery = _delivery(outbox, folder)
        for number in range(60):
            if number in crashes:
                delivery = _delivery(outbox, folder)  # another process goes on
            if not delivery.pending:
                break
            delivery.step(service.send)

        done = [*service.accepted, *_dead_events(outbox)]
        assert delivery.pending == 0
        assert sorted(done) == sorted(names), "each exactly once"
        assert service.accepted == [name for name in names if name in service.accepted]
        assert _dead_events(outbox) == [name for name in names if name in _dead_events(outbox)]


def test_what_waits_goes_in_one_request(outbox: Outbox) -> None:
    service = Service()
    delivery = _delivery(outbox, _folder(outbox, _record("a"), _record("b", "c")))

    assert (delivery.pending, delivery.events) == (2, 3)
    assert delivery.step(service.send) is None
    assert service.requests == [["a", "b", "c"]]


def test_a_request_never_has_more_events_than_the_service_takes(outbox: Outbox) -> None:
    service = Service()
    delivery = _delivery(outbox, _folder(outbox, *[_record("x", "y") for _unused in range(120)]))
    while delivery.pending:
        delivery.step(service.send)

    assert sum(map(len, service.requests)) == 240
    assert max(map(len, service.requests)) <= 100


def test_trouble_keeps_everything_where_it_is(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"), _record("b"))
    delivery = _delivery(outbox, folder)
    error = delivery.step(Service(["keep"]).send)

    assert error is not None
    assert error.keep
    assert (delivery.pending, folder.delivered(), _dead_events(outbox)) == (2, 0, [])


def test_the_wrong_event_of_a_batch_is_found_and_the_others_arrive(outbox: Outbox) -> None:
    service = Service(bad=["c"])
    delivery = _delivery(outbox, _folder(outbox, *map(_record, "abcde")))
    while delivery.pending:
        delivery.step(service.send)

    assert service.accepted == ["a", "b", "d", "e"]
    assert _dead_events(outbox) == ["c"]


def test_a_refused_event_is_kept_with_reason_and_destination(outbox: Outbox) -> None:
    delivery = _delivery(outbox, _folder(outbox, _record("a")))
    delivery.step(Service(["refused"]).send)
    [(path, [letter])] = all_letters(outbox)

    assert path.stem == "d1"
    assert letter["reason"] == "the service says refused"
    assert (letter["destination"], letter["added_at"], letter["at"]) == (DESTINATION, NOW, NOW)


def test_an_event_that_has_waited_too_long_is_given_up_with_the_reason(outbox: Outbox) -> None:
    service = Service()
    seconds = [0.0]
    folder = _folder(outbox, _record("old"))
    delivery = Delivery(outbox, folder, 3600.0, lambda: NOW, lambda: Uptime("boot", seconds[0]))
    delivery.refresh()
    seconds[0] = 10.0
    folder.append(_record("new"))
    delivery.refresh()
    seconds[0] = 3601.0
    while delivery.pending:
        delivery.step(service.send)

    assert service.accepted == ["new"]
    [(_path, [letter])] = all_letters(outbox)
    assert letter["reason"] == "not delivered within 1 hours"


def test_a_clock_set_back_gives_nothing_up(outbox: Outbox) -> None:
    service = Service()
    delivery = _delivery(outbox, _folder(outbox, _record("future", at=NOW + 1e6)))
    delivery.step(service.send)

    assert service.accepted == ["future"]


def test_a_refusal_that_can_pass_keeps_everything_where_it_is(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"), _record("b"))
    delivery = _delivery(outbox, folder)
    error = delivery.step(Service(["later"]).send)

    assert error is not None
    assert error.outcome is Outcome.REFUSED_FOR_NOW
    assert (delivery.pending, folder.delivered(), _dead_events(outbox)) == (2, 0, [])
    service = Service()
    assert _delivery(outbox, folder).step(service.send) is None
    assert service.accepted == ["a", "b"]


def test_a_refusal_that_cannot_be_kept_yet_is_not_asked_for_again(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = _delivery(outbox, _folder(outbox, _record("a"), _record("b")))
    service = Service(["refused"])

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "add", full)
        for _attempt in range(3):
            with pytest.raises(OSError, match="No space"):
                delivery.step(service.send)
    delivery.step(service.send)

    assert service.requests == [["a", "b"]]
    assert _dead_events(outbox) == ["a", "b"]


@pytest.mark.parametrize("position", [0, 1])
def test_of_two_finishes_only_the_first_is_sent(outbox: Outbox, position: int) -> None:
    finishes = [finish_record(at=NOW), finish_record(status="aborted", at=NOW + 1)]
    folder = _folder(outbox, _record("a"), finishes[position], finishes[1 - position])
    service = Service()
    delivery = _delivery(outbox, folder)
    while delivery.pending:
        delivery.step(service.send)

    failure = ["deployment-failure"] if position else []
    assert service.accepted == ["a", "deployment-finish", *failure]
    assert delivery.done
    assert _dead_events(outbox) == []


def test_the_second_finish_is_not_sent_by_a_later_process_either(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"), finish_record(at=NOW))
    _delivery(outbox, folder).step(Service().send)
    folder.append(finish_record(status="aborted", at=NOW + 1))
    delivery = _delivery(outbox, folder)

    assert delivery.done


def test_a_finish_that_was_cut_before_its_newline_is_none(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"))
    line = json.dumps(finish_record(at=NOW)).encode()
    for cut in (len(line), len(line) - 1, 1):
        with (folder.path / "journal").open("ab") as journal:
            journal.write(line[:cut])
        delivery = _delivery(outbox, folder)
        assert not delivery.ended
        folder.append(_record("b"))
    delivery.refresh()
    delivery.end("lost", NOW)
    service = Service()
    while delivery.pending:
        delivery.step(service.send)

    assert service.accepted == ["a", "b", "b", "b", "deployment-finish", "deployment-failure"]
    assert _dead_events(outbox) == []


def test_a_finish_that_cannot_be_sent_is_none(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"), {**finish_record(at=NOW), "events": [{"name": ""}]})
    delivery = _delivery(outbox, folder)
    delivery.end("lost", NOW)

    assert delivery.ended
    assert [line.record for line in folder.entries() if is_final(line.record or {})] != []


def test_the_journal_is_read_again_before_a_finish_is_written(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"))
    delivery = _delivery(outbox, folder)
    folder.append(finish_record(at=NOW))
    before = folder.size()
    delivery.end("killed", NOW)

    assert folder.size() == before


def test_half_a_surrogate_pair_cannot_be_sent_and_holds_nobody_up(outbox: Outbox) -> None:
    service = Service()
    delivery = _delivery(outbox, _folder(outbox, _record("\ud83d"), _record("b")))
    while delivery.pending:
        delivery.step(service.send)

    assert service.accepted == ["b"]


@given(data=st.binary(max_size=200), step=st.floats(-1e12, 1e12))
def test_whatever_the_files_hold_only_two_kinds_of_error_come_of_it(
    data: bytes, step: float
) -> None:
    with tempfile.TemporaryDirectory() as place:
        outbox = new_outbox(Path(place))
        folder = left_behind(outbox)
        whole = (folder.path / "journal").read_bytes()
        for name in ("journal", "delivered", "waited"):
            at = len(data) % (len(whole) if name == "journal" else 1 + len(data))
            (folder.path / name).write_bytes(
                whole[:at] + data + whole[at + len(data) :] if name == "journal" else data
            )
            delivery = Delivery(outbox, folder, 3600.0, lambda: NOW + step)
            with suppress(OSError, DamagedFolder):
                delivery.refresh()
                delivery.end("lost", NOW + step)
                for _number in range(9):
                    delivery.step(Service(["bad_request"]).send)


def test_a_line_that_cannot_be_read_is_kept_as_it_is_and_holds_nobody_up(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"))
    with (folder.path / "journal").open("ab") as file:
        file.write(b"\xff\x00 torn {\n")
    folder.append({"record": "events", "at": NOW, "events": [{"name": ""}]})
    folder.append(_record("b"))
    service = Service()
    delivery = _delivery(outbox, folder)
    while delivery.pending:
        delivery.step(service.send)

    assert service.accepted == ["a", "b"]
    [(_path, letters)] = all_letters(outbox)
    assert {line.decision.value for line in outbox.log.lines()} == {"unreadable"}
    assert [letter["reason"] for letter in letters] == [
        "the line of the journal cannot be read"
    ] * 2
    assert "torn {" in letters[0]["text"]
    assert letters[1]["events"] == [{"name": ""}]


def test_a_position_beyond_the_journal_loses_nothing(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"))
    folder.set_delivered(10**9)
    service = Service()
    _delivery(outbox, folder).step(service.send)

    assert service.accepted == ["a"]


def test_what_is_done_with_is_not_sent_by_the_next_process(outbox: Outbox) -> None:
    folder = _folder(outbox, _record("a"))
    _delivery(outbox, folder).step(Service().send)
    folder.append(_record("b"))
    service = Service()
    _delivery(outbox, folder).step(service.send)

    assert service.accepted == ["b"]


def test_a_full_disk_does_not_stop_delivery(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(outbox, _record("a"), finish_record(at=NOW))

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Folder, "set_delivered", full)
    service = Service()
    delivery = _delivery(outbox, folder)
    assert delivery.step(service.send) is None

    assert service.accepted == ["a", "deployment-finish"]
    assert delivery.done


def test_an_event_that_cannot_become_a_dead_letter_stays(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(outbox, _record("a"))

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DeadLetters, "add", full)
    with pytest.raises(OSError, match="No space"):
        _delivery(outbox, folder).step(Service(["refused"]).send)
    assert _delivery(outbox, folder).pending == 1


def test_a_folder_that_is_removed_meanwhile_is_no_error(outbox: Outbox) -> None:
    delivery = _delivery(outbox, _folder(outbox, _record("a"), finish_record(at=NOW)))
    delivery.folder.remove()
    delivery.refresh()
    delivery.step(Service().send)

    assert delivery.done


def test_the_missing_finish_is_written_once(outbox: Outbox) -> None:
    folder = left_behind(outbox)
    delivery = _delivery(outbox, folder)
    delivery.end("killed", NOW)
    delivery.end("lost", NOW)

    assert delivery.ended
    assert len([e for e in folder.entries() if (e.record or {}).get("final")]) == 1


@pytest.mark.parametrize("torn", [b"", b'{"record":"events","at":1'])
def test_a_run_killed_before_its_start_was_written_gets_both(outbox: Outbox, torn: bytes) -> None:
    folder = _folder(outbox)
    with (folder.path / "journal").open("ab") as journal:
        journal.write(torn)
    delivery = _delivery(outbox, folder)
    delivery.end("lost", NOW)

    sent = [event for entry in folder.entries() for event in (entry.record or {}).get("events", ())]
    run = run_of()
    naming = run.naming
    names = [naming.start_event, naming.finish_event, naming.failure_event]
    assert [event["name"] for event in sent] == names
    assert json.loads(sent[0]["content"])["status"] == "running"
    assert json.loads(sent[1]["content"])["reason"] == "lost"


def test_a_run_that_cannot_be_read_gets_no_finish(outbox: Outbox) -> None:
    folder = outbox.create("d1")
    folder.append({"record": "run", "version": 99})
    delivery = _delivery(outbox, folder)
    delivery.end("lost", NOW)

    assert delivery.run is None
    assert len(folder.entries()) == 1
