# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed task says is found on the troubleshooting page, part by part."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import EVENT, Run
from ansible_collections.aliops.cloudmonitor.tests.unit.docs.messages import GAP, texts_of_page

TEXTS = texts_of_page(guide("guide_troubleshooting"))
ONE: dict[str, Any] = {"name": "n", "content": "c", "retries": 0}
SENTENCE = re.compile(
    r"Cloud Monitor \(\S+\) accepted \d+ of \d+ events: (?P<problem>.*?)\. "
    r"(?:The service asked to wait \d+ s\. )?(?P<advice>[A-Z].*)"
)
# Each fault of the receiver, and the kind of error that it makes.
FAULTS = {
    "signature": "signature",
    "permission": "permission",
    "bad-request": "bad_request",
    "code=404": "refused",
    "throttle": "throttled",
    "retry-after=99": "throttled",
    "status=500": "server_error",
    "html": "not_the_service",
    "html=429": "throttled",
    "html=502": "server_error",
    "html=407": "proxy",
    "redirect": "redirect",
    "truncate": "connection",
}
OPTIONS: list[dict[str, Any]] = [
    {"region": "cn-nowhere"},
    {"endpoint": "metrichub.example.com"},
    {"endpoint": "http://user:password@127.0.0.1"},
    {"endpoint": "http://127.0.0.1/path"},
    {"endpoint": "http://no-such-host.invalid"},
    {"timeout": 0},
    {"retries": -1},
    {"source_ip": "here"},
    {"ca_path": "/nowhere.pem"},
    {"access_key_id": "an-id-alone"},
    {"access_key_id": "an id", "access_key_secret": "secret"},
    {"name": " "},
    {"content": ""},
    {"group_id": -1},
    {"time": "yesterday"},
    {"events": []},
    {"name": None, "content": None},
    {"no_such_option": 1},
]


def known(text: str) -> bool:
    """Return whether a text, or it with another one in a gap, is on the page."""
    for template in TEXTS:
        pattern = "(.*)".join(re.escape(part) for part in template.split(GAP))
        if len(template.replace(GAP, "").split()) > 1 and re.fullmatch(pattern, text):
            return True
    return False


def test_the_problem_and_the_advice_of_every_fault_are_found(
    tasks: Callable[..., Run], receiver: Receiver
) -> None:
    receiver.set_faults(list(FAULTS))

    run = tasks([{EVENT: ONE} for _fault in FAULTS])

    for (fault, kind), result in zip(FAULTS.items(), run.results, strict=True):
        assert result["error"]["kind"] == kind, (fault, result)
        parts = SENTENCE.fullmatch(result["msg"])
        assert parts, result["msg"]
        assert known(parts["problem"]), (fault, parts["problem"])
        assert known(parts["advice"]) or parts["advice"] in TEXTS, (fault, parts["advice"])


def test_mistakes_in_options_and_events_are_found(tasks: Callable[..., Run]) -> None:
    run = tasks(
        [
            {EVENT: {name: value for name, value in {**ONE, **given}.items() if value is not None}}
            for given in OPTIONS
        ],
        env={"CLOUDMONITOR_ENDPOINT": ""},
    )

    for given, result in zip(OPTIONS, run.results, strict=True):
        assert result["failed"], given
        assert known(result["msg"]), (given, result["msg"])


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("timeout: must be a number of seconds above 0, at most 3600, and is -1.0", True),
        ("timeout: must be something else.", False),
        ("", False),
    ],
)
def test_a_text_is_known_only_when_it_is_on_the_page(text: str, is_known: bool) -> None:
    assert known(text) == is_known
