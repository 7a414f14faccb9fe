# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger and the outcome, also with batches that hypothesis generates."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.role_ledger import (
    Ledger,
    RoleDeployment,
    find_later_hosts,
    is_unsynchronized,
    must_fail_again,
    role_outcome,
)

SHOP = RoleDeployment(key="k1", play="p", name="shop", id="i1")
HOSTS = ("h1", "h2", "h3", "h4")


def test_a_host_that_entered_and_is_not_done_is_a_failure() -> None:
    outcome = role_outcome(replace(SHOP, entered=("h1", "h2"), done=("h1",)), ())

    assert (outcome.status, outcome.failed_hosts, outcome.is_due) == ("failed", ("h2",), True)


def test_hosts_that_never_entered_do_not_count() -> None:
    outcome = role_outcome(replace(SHOP, seen=HOSTS, entered=("h1",), done=("h1",)), ())

    assert (outcome.status, outcome.hosts, outcome.is_due) == ("succeeded", ("h1",), True)


def test_a_success_waits_for_the_last_batch_and_a_failure_does_not() -> None:
    one = replace(SHOP, entered=("h1",))

    assert not role_outcome(replace(one, done=("h1",)), ("h2",)).is_due
    assert role_outcome(one, ("h2",)).is_due


def test_a_reported_finish_is_not_due_again() -> None:
    assert not role_outcome(replace(SHOP, entered=("h1",), finished=True), ()).is_due


def test_a_given_status_takes_precedence_over_the_marks() -> None:
    assert role_outcome(replace(SHOP, entered=("h1",)), (), "succeeded").status == "succeeded"
    assert role_outcome(replace(SHOP, entered=("h1",), done=("h1",)), ("h2",), "aborted").is_due


@pytest.mark.parametrize(
    ("order", "reached", "to_come"),
    [
        (None, ("h1", "h2"), ("h3", "h4")),
        ("inventory", ("h3", "h4"), ()),
        ("reverse_inventory", ("h4", "h3"), ("h2", "h1")),
        ("sorted", ("h1",), ("h2", "h3", "h4")),
        ("reverse_sorted", ("h1",), ()),
        ("shuffle", ("h4", "h1"), ("h2", "h3")),
    ],
)
def test_the_order_of_the_play_decides_which_hosts_follow(
    order: str | None, reached: tuple[str, ...], to_come: tuple[str, ...]
) -> None:
    assert find_later_hosts(HOSTS, HOSTS, reached, order) == to_come


def test_a_batch_that_skipped_the_role_is_not_waited_for() -> None:
    assert find_later_hosts(HOSTS, HOSTS, ("h3", "h4"), None) == ()


def test_hosts_that_ansible_has_given_up_are_not_waited_for() -> None:
    assert find_later_hosts(HOSTS, ("h1", "h2", "h4"), ("h1", "h2"), None) == ("h4",)
    assert find_later_hosts(HOSTS, ("h1", "h2"), ("h1", "h2"), None) == ()


def test_the_next_batch_joins_and_a_second_use_does_not() -> None:
    ledger = Ledger().open(SHOP, ("h1", "h2"))

    assert ledger.joinable("p", "shop", "h1") is None
    joined = ledger.joinable("p", "shop", "h3")
    assert joined is not None
    assert joined.key == "k1"
    assert ledger.joinable("another play", "shop", "h3") is None
    assert ledger.joinable("p", "another name", "h3") is None


def test_the_innermost_deployment_is_current_and_its_end_uncovers_the_outer() -> None:
    outer, inner = SHOP, replace(SHOP, key="k2", name="inner")
    ledger = Ledger().open(outer, ("h1",)).open(inner, ("h1",))

    named = ledger.current("p", "shop")
    changed = ledger.current("p", "a name that is computed")
    assert named is not None
    assert changed is not None
    assert (named.key, changed.key) == ("k1", "k2")
    left = ledger.close(ledger.find("k2"))
    assert left.current("p", "") == left.find("k1")
    assert left.close(left.find("k1")).current("p", "shop") is None


def test_what_another_batch_left_open_is_not_current() -> None:
    inner = replace(SHOP, key="k2", name="inner")
    ledger = Ledger().open(inner, ("h1",))

    ledger = ledger.open(SHOP, ("h2",))

    assert ledger.opened == ("k1",)


@pytest.mark.parametrize(
    ("play", "entered_keys", "tasks_file", "inside"),
    [
        ("p", ["k0", "k1"], "deploy.yml", True),
        ("p", ["k1"], "other.yml", False),
        ("p", ["k0"], "deploy.yml", False),
        ("a later play", ["k1"], "deploy.yml", False),
    ],
)
def test_a_file_runs_for_the_hosts_that_entered_in_that_play(
    play: str, entered_keys: list[str], tasks_file: str, inside: bool
) -> None:
    one = replace(SHOP, tasks_file="deploy.yml")
    ledger = Ledger().open(one, ("h1",))

    assert ledger.runs_file(play, entered_keys, tasks_file) is inside
    assert not ledger.close(one).runs_file(play, entered_keys, tasks_file)


def test_the_newest_ledger_counts() -> None:
    older = Ledger().open(SHOP, ("h1",))
    newer = older.put(replace(older.find("k1"), started=True))

    found = Ledger.newest([None, older.dump(), {}, newer.dump(), "text", older.dump()])

    assert found == newer
    assert Ledger.newest([]) == Ledger()


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(KeyError):
        Ledger().find("k1")


@pytest.mark.parametrize(
    ("strategy", "unsynchronized"),
    [
        ("linear", False),
        ("debug", False),
        ("ansible.builtin.linear", False),
        ("free", True),
        ("ansible.builtin.free", True),
        ("ansible.builtin.host_pinned", True),
        ("mitogen_free", True),
    ],
)
def test_strategies_without_lockstep_are_known(strategy: str, unsynchronized: bool) -> None:
    assert is_unsynchronized(strategy) is unsynchronized


@pytest.mark.parametrize(
    ("core", "any_errors_fatal", "limit", "again"),
    [
        ((2, 16), False, None, False),
        ((2, 16), True, None, True),
        ((2, 17), True, None, False),
        ((2, 21), True, 0, True),
        ((2, 21), False, 30.0, True),
    ],
)
def test_a_failure_is_repeated_only_where_ansible_would_miss_it(
    core: tuple[int, int], any_errors_fatal: bool, limit: float | None, again: bool
) -> None:
    assert must_fail_again(core, any_errors_fatal, limit) is again


names = st.text("abc", min_size=1, max_size=3)


@given(
    hosts=st.lists(names, min_size=1, max_size=8, unique=True),
    size=st.integers(1, 8),
    data=st.data(),
    order=st.sampled_from([None, "inventory", "reverse_inventory", "sorted", "reverse_sorted"]),
)
def test_any_serial_play_has_one_start_and_one_correct_finish(
    hosts: list[str], size: int, data: st.DataObject, order: str | None
) -> None:
    bad = data.draw(st.sets(st.sampled_from(hosts)))
    ordered = sorted(hosts) if order in ("sorted", "reverse_sorted") else list(hosts)
    if order in ("reverse_inventory", "reverse_sorted"):
        ordered.reverse()
    alive, ledger, starts, finishes = list(hosts), Ledger(), 0, []
    for place in range(0, len(ordered), size):
        batch = ordered[place : place + size]
        one = ledger.joinable("p", "shop", batch[0]) or SHOP
        ledger = Ledger.read(ledger.open(one, batch).dump())
        one = ledger.find(one.key)
        starts += not one.started
        one = replace(one, started=True, entered=(*one.entered, *batch))
        one = replace(one, done=(*one.done, *(host for host in batch if host not in bad)))
        alive = [host for host in alive if host not in bad or host not in batch]
        outcome = role_outcome(one, find_later_hosts(hosts, alive, one.seen, order))
        finishes += [outcome.status] if outcome.is_due else []
        ledger = ledger.close(replace(one, finished=one.finished or outcome.is_due))
        if bad.issuperset(batch):
            break  # as Ansible does when nobody of a batch is left

    assert starts == 1
    reached = set(ledger.deployments[0].entered)
    assert finishes == ["failed" if bad & reached else "succeeded"]


@given(
    st.lists(
        st.builds(RoleDeployment, names, names, names, names, names), unique_by=lambda one: one.key
    )
)
def test_a_ledger_survives_being_a_variable(deployments: list[RoleDeployment]) -> None:
    ledger = Ledger()
    for one in deployments:
        ledger = ledger.open(one, ("h1",))

    assert Ledger.read(ledger.dump()) == ledger
