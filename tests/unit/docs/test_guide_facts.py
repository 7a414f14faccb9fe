# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, names and places in some of the guides are those of the code."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils import (
    _answer,
    _batching,
    _client,
    _credentials,
    _endpoint,
    _http,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils import (
    _adapter,
    _adoption,
    _courier,
    _flush,
    _outbox,
    _outcome,
    _post,
)
from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    block,
    blocks,
    guide,
    literals,
    section,
    tables,
)

ROOT = Path(__file__).resolve().parents[3]
OPERATIONS = guide("guide_operations")
SECURITY = guide("guide_security")
CONTRIBUTOR = guide("guide_contributor")
TROUBLE = guide("guide_troubleshooting")

PHRASES = [
    (OPERATIONS, "Touched by the courier every %g seconds", _courier.BEAT_SECONDS),
    (OPERATIONS, "%d KiB of nothing", _outbox._RESERVE_BYTES / 1024),
    (OPERATIONS, "at most %.1f requests a second", 1 / _client.MIN_INTERVAL),
    (OPERATIONS, "A request holds up to %d events", _batching.MAX_EVENTS),
    (OPERATIONS, "and {:,} bytes", _batching.MAX_BYTES),
    (OPERATIONS, "``Retry-After`` asks for, up to %g seconds", _client.RETRY_AFTER_MAX),
    (OPERATIONS, "and waits up to %g seconds", _courier.LONGEST_WAIT),
    (OPERATIONS, "has left it, less than %d minutes ago", _adoption.ABANDONED_SECONDS / 60),
    (OPERATIONS, "differs by %d minutes or more", _answer.SKEW_SECONDS / 60),
    (OPERATIONS, "first %d dead letters", _flush.SHOWN_LETTERS),
    (SECURITY, "read up to %d KiB", _http._BODY_LIMIT / 1024),
    (SECURITY, "then %d characters of a failed", _adapter._MESSAGE_LIMIT),
    (SECURITY, "names of at most %d that failed", _outcome.MOST_FAILURES),
    (TROUBLE, "A task waits up to %g seconds", _client.RETRY_AFTER_MAX),
    (TROUBLE, "The courier waits up to %g seconds", _courier.LONGEST_WAIT),
    (TROUBLE, "machine's by %d minutes or more", _answer.SKEW_SECONDS / 60),
]
WORDS = {"2": "two", "10": "ten"}


@pytest.mark.parametrize(("page", "phrase", "number"), PHRASES, ids=lambda part: str(part)[-40:])
def test_a_number_in_a_guide_is_that_of_the_code(page: Path, phrase: str, number: float) -> None:
    text = " ".join(page.read_text(encoding="utf-8").split())
    wanted = phrase.format(number) if "{" in phrase else phrase % number
    worded = " ".join(WORDS.get(word, word) for word in wanted.split(" "))

    assert wanted in text or worded in text


def test_the_regions_with_a_public_endpoint_are_named() -> None:
    text = section(OPERATIONS, "VPC endpoints")

    assert set(_endpoint.PUBLIC_REGIONS) - set(literals(text)) == set()
    assert "five regions" in text
    assert len(_endpoint.PUBLIC_REGIONS) == 5


def test_the_example_of_a_vpc_leads_to_the_vpc_endpoint_of_its_region() -> None:
    parser = configparser.ConfigParser()
    (example,) = [one for one in blocks(OPERATIONS, "ini") if one.caption == "ansible.cfg"]
    parser.read_string(example.text)
    given = parser["callback_deployment_events"]

    url = _endpoint.endpoint_url(given["region"], given["network"])
    assert url == "http://metrichub-cn-shanghai.aliyun.com"
    assert {"aliyun.com", "aliyuncs.com"} == set(_endpoint.VPC_DOMAINS.values())
    assert "``aliyun.com,aliyuncs.com``" in section(OPERATIONS, "VPC endpoints")


def test_exceptions_from_a_proxy_are_understood_as_the_guide_says() -> None:
    endpoint = _endpoint.endpoint_url("cn-shanghai", "public")
    export = [one for one in blocks(OPERATIONS, "shell") if "https_proxy" in one.text]
    given = dict(word.split("=", 1) for word in export[0].text.split()[1:])

    assert _http.proxies_for(endpoint, given) == {"https": "http://proxy.example.com:3128"}
    assert _http.proxies_for("https://a.internal.example.com", given) == {}
    excepted = {**given, "no_proxy": "aliyuncs.com"}
    assert _http.proxies_for(endpoint, excepted) == {}
    assert _http.proxies_for("https://10.0.0.1", {**given, "no_proxy": "10.0.0.0/8"})


def test_the_environment_of_the_courier_is_listed_in_full() -> None:
    listed = block(SECURITY, "The courier's environment").text.split()

    assert sorted(listed) == sorted(_post._ALLOWED)
    assert not set(listed) & {*_credentials.SECRET_VARIABLES, *_credentials.TOKEN_VARIABLES}


def test_the_contributor_guide_names_places_that_are_there() -> None:
    text = CONTRIBUTOR.read_text(encoding="utf-8")
    named = [one for one in literals(text) if one.startswith(("plugins/", "tests/"))]

    assert len(named) > 5
    for place in named:
        assert (ROOT / place).exists(), place
    # The example of a change leads to the row of that table.
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line for line in contributing.splitlines() if line.startswith("| a region |")]
    assert "## Where to add what" in contributing
    assert "plugins/module_utils/_endpoint.py" in rows[0]
    folders = {
        literals(row[0])[0] for table in tables(CONTRIBUTOR) for row in table if "`" in row[0]
    }
    assert {
        "tests/" + path.name for path in (ROOT / "tests").iterdir() if path.is_dir()
    } - folders <= {
        "tests/requirements",
        "tests/__pycache__",
        "tests/output",  # what ansible-test leaves behind
    }
