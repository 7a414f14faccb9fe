# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: ids that never meet, checked options, and webhooks that stay hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    InvalidInput,
    Outcome,
    ServiceError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._openapi.rules import (
    check_contact_groups,
    check_group,
    default_rule_id,
    parse_rule,
    write_rule,
)

PARAMS: dict[str, Any] = {
    "event_name": "deployment-failure",
    "group_id": 0,
    "contact_groups": ["oncall"],
    "level": "CRITICAL",
    "threshold": 1,
    "period": 60,
    "effective_interval": "00:00-23:59",
}


class Account:
    """An account with these objects, in pages of two."""

    def __init__(self, contact_groups: list[Any], groups: Mapping[Any, str]) -> None:
        self.contact_groups = contact_groups
        self.groups = groups
        self.error: ServiceError | None = None

    def call(self, _action: str, _parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.error is not None:
            raise self.error
        return {}

    def pages(self, action: str, parameters: Mapping[str, Any], *path: str) -> Iterator[list[Any]]:
        found: list[Any] = self.contact_groups
        if action == "DescribeMonitorGroups":
            wanted = str(parameters.get("GroupId", ""))
            found = [
                {"GroupId": number, "GroupName": name}
                for number, name in self.groups.items()
                if wanted in str(number)  # as fuzzy as a name
            ]
        for at in range(0, len(found), 2):
            yield found[at : at + 2]


PAIRS = st.tuples(
    st.integers(0, 2**40) | st.integers(0, 120),
    st.text(min_size=1) | st.text("a1-_. ", min_size=1, max_size=4) | st.just("x" * 65),
)


@given(one=PAIRS, other=PAIRS)
def test_different_pairs_have_different_ids(one: tuple[int, str], other: tuple[int, str]) -> None:
    assert (default_rule_id(*one) == default_rule_id(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "1-a"), (11, "a")),
        ((1, "-1"), (1, "_1")),
        ((0, "a b"), (0, "a  b")),
        ((4, "部"), (4, "署")),
    ],
)
def test_pairs_that_look_alike_have_different_ids(
    one: tuple[int, str], other: tuple[int, str]
) -> None:
    assert default_rule_id(*one) != default_rule_id(*other)
    hashed = default_rule_id(1, "a b").rpartition("_")[2]
    assert default_rule_id(1, hashed) != default_rule_id(1, "a b")


def test_the_name_of_a_rule_does_not_change_its_id() -> None:
    rule = parse_rule(PARAMS)
    named = parse_rule({**PARAMS, "rule_name": "Failed deployments", "level": "INFO"})

    assert (rule.rule_id, rule.rule_name) == ("aliops-0-deployment-failure", "deployment-failure")
    assert (named.rule_id, named.rule_name) == (rule.rule_id, "Failed deployments")
    assert parse_rule({**PARAMS, "rule_id": "mine"}).rule_id == "mine"


def test_contact_groups_are_sent_once_each_in_their_order() -> None:
    rule = parse_rule({**PARAMS, "contact_groups": [" b", "a", "b", ""]})

    assert rule.parameters()["ContactGroups"] == "b,a"


@pytest.mark.parametrize(
    "changed",
    [
        {"event_name": " "},
        {"group_id": -1},
        {"contact_groups": []},
        {"contact_groups": [" "]},
        {"contact_groups": ["a,b"]},
        {"threshold": 0},
        {"period": 0},
        {"period": 90},
        {"effective_interval": "00:00-24:00"},
        {"effective_interval": "0:00-8:00"},
        {"webhook": "hooks.example/hunter2"},
        {"webhook": "ftp://hooks.example/hunter2"},
        {"webhook": "https://hooks.example:port/hunter2"},
        {"webhook": "https://hooks.example/hunter2 and more"},
    ],
)
def test_a_wrong_option_is_named_and_a_webhook_is_not_shown(changed: dict[str, Any]) -> None:
    (option,) = changed

    with pytest.raises(InvalidInput) as caught:
        parse_rule({**PARAMS, **changed})

    assert caught.value.option == option
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("webhook", "shown", "hidden"),
    [
        (
            "https://hooks.example/robot/send?access_token=ab%2Bcd",
            "hooks.example",
            ["ab%2Bcd", "ab+cd"],
        ),
        ("https://u:pw-of-user@hooks.example:8443/", "hooks.example:8443", ["pw-of-user"]),
        (
            "http://hooks.example/services/T0001/B0002/XXXX",
            "hooks.example",
            ["/services/T0001/B0002/XXXX"],
        ),
    ],
)
def test_a_webhook_is_sent_whole_and_shown_without_its_secrets(
    webhook: str, shown: str, hidden: list[str]
) -> None:
    rule = parse_rule({**PARAMS, "webhook": f" {webhook}\n"})

    assert rule.parameters()["Webhook"] == webhook
    result = json.dumps(rule.as_result())
    assert f"{shown}/********" in result
    assert not any(text in result for text in hidden)
    assert {webhook, *hidden} <= set(rule.secrets)


def test_a_webhook_that_is_only_a_host_hides_nothing() -> None:
    assert parse_rule({**PARAMS, "webhook": "http://hooks.example/"}).secrets == ()
    assert parse_rule(PARAMS).secrets == ()


def test_a_missing_contact_group_is_an_error_that_lists_the_existing_ones() -> None:
    account = Account(["oncall-2", "b", "oncall"], {})
    check_contact_groups(account, ("oncall", "b"))

    with pytest.raises(InvalidInput) as caught:
        check_contact_groups(account, ("oncall", "onc", "on call"))

    assert caught.value.problem == "there is no contact group onc, on call"
    assert "Existing contact groups: b, oncall, oncall-2." in caught.value.advice
    with pytest.raises(InvalidInput, match=r"This account has no contact groups\."):
        check_contact_groups(Account([], {}), ("oncall",))


def test_a_missing_application_group_is_an_error_that_lists_the_existing_ones() -> None:
    account = Account([], {47: "sho", "4711": "shop", 471: "x"})
    check_group(account, 4711)
    check_group(account, 0)

    with pytest.raises(InvalidInput) as caught:
        check_group(account, 7)

    assert "Existing application groups: 47 (sho), 471 (x), 4711 (shop)." in caught.value.advice
    many = Account([], dict.fromkeys(range(1, 61), "g"))
    with pytest.raises(InvalidInput, match="and 10 more"):
        check_group(many, 61)


@pytest.mark.parametrize(("kind", "hint"), [("refused", True), ("throttled", False)])
def test_a_refused_rule_has_the_hint_that_the_event_must_be_reported(kind: str, hint: bool) -> None:
    account = Account([], {})
    account.error = ServiceError("no", kind, Outcome.REFUSED, advice="Look.", code="X")

    with pytest.raises(ServiceError) as caught:
        write_rule(account, parse_rule(PARAMS))

    assert ("after its event was reported once" in caught.value.advice) is hint
    assert (caught.value.code, caught.value.kind) == ("X", kind)
