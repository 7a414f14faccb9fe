# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The troubleshooting page has the texts of the code: all of them, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import guide
from ansible_collections.aliops.cloudmonitor.tests.unit.docs.messages import (
    texts_of_code,
    texts_of_page,
    texts_of_tasks,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.test_documentation import (
    kinds_in_the_code,
)

ROOT = Path(__file__).resolve().parents[3]
PAGE = guide("guide_troubleshooting")

# Strings of two words that nobody is shown as a text of its own.
NO_TEXTS = {
    "module_utils/_answer.py": {"ahead of", "rate limit"},  # a gap's filling; what a service says
    "module_utils/_http.py": {"aliops.cloudmonitor/<> (Ansible collection)"},  # the User-Agent
    "module_utils/_report.py": {"... and <> more"},  # the end of a long diff
    "plugin_utils/_delivery.py": {"DeliveryError | None"},  # a type
    # Mistakes of our own code: users see their kind only.
    "plugin_utils/_post.py": {"open() comes first", "the courier has been started before"},
    "callback/deployment_events.py": {"aliops.cloudmonitor: <>"},  # stands before every text
    # What the playbook "check" says of what is right, and parts of what it shows.
    "action/setup_check.py": {
        "<> given, the others by default",
        "a <> one is given",
        "aliops.cloudmonitor <>, ansible-core <>, Python <> (<>)",
        "an ansible.cfg beside your playbooks",
        "enabled: every run is reported",
        "of the type <>",
        "one of",
        "test event",
    },
    "plugin_utils/_check_findings.py": {
        "<> s from that of the answer",
        "<> was accepted",
        "Nothing is wrong as far as it was looked at: no test event was sent.",
        "This machine is set up: a test event was signed, sent and accepted.",
        "No event was sent.",
        "ahead of",
        "test event",
        "through the proxy <>",
    },
    "plugin_utils/_check_settings.py": {
        "(with a user name)",
        "; <> is there",
        "<> comes from <>",
        "cannot be used",
        "not set",
    },
    "plugin_utils/_check_steps.py": {
        "(it was <>, and open to others)",
        "<> event<> waiting",
        "<>, in the group <>,",
        "This machine can report to Cloud Monitor. Nothing was deployed.",
        "a known request gets the known signature",
        "mode <>, owner <>",
        "nothing was sent",
        "there, of an unknown version",
    },
}
# Tables of regions and regular expressions.
NO_SENTENCES = ("cn-", "(?P<")


def texts_in_the_code() -> set[str]:
    """Return the texts of all plugins and roles."""
    found: set[str] = set()
    plugins = ROOT / "plugins"
    for path in plugins.rglob("*.py"):
        if path.parent.name == "doc_fragments":
            continue
        place = str(path.relative_to(plugins))
        texts = texts_of_code(path.read_text(encoding="utf-8"))
        stale = NO_TEXTS.get(place, set()) - texts
        assert not stale, "%s has no longer: %s" % (place, stale)
        found |= texts - NO_TEXTS.get(place, set())
    for path in (ROOT / "roles").glob("*/tasks/*.yml"):
        found |= texts_of_tasks(path.read_text(encoding="utf-8"))
    return {text for text in found if not text.startswith(NO_SENTENCES)}


def test_every_text_that_a_user_can_meet_is_on_the_page() -> None:
    missing = texts_in_the_code() - set(texts_of_page(PAGE))
    assert not missing, "explain on %s: %s" % (PAGE.name, "\n".join(sorted(missing)))


def test_the_page_has_no_text_that_the_code_does_not_have() -> None:
    stale = set(texts_of_page(PAGE)) - texts_in_the_code()
    assert not stale, "not in the code: %s" % "\n".join(sorted(stale))


def test_every_text_is_explained_in_one_place() -> None:
    texts = texts_of_page(PAGE)
    assert len(texts) > 100
    twice = {text for text in texts if texts.count(text) > 1}
    assert not twice


def test_every_kind_of_error_of_a_delivery_is_named_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    of_input = {"invalid_input", "invalid_event", "configuration", "credentials", "outbox"}
    for kind in kinds_in_the_code() - of_input - {"missing_library", "target"}:
        assert "(%s)\n" % kind in page or "(%s, " % kind in page or ", %s)\n" % kind in page, kind


SOURCE = '''
"""A docstring is no text."""

DOCUMENTATION = "this is shown elsewhere"


def f(x: str) -> str:
    """Nor is this one."""
    if x:
        raise ValueError("wrong: %s and %d are "
                         "not alike" % (x, 1))
    g(f"the host {x} is {'out of reach' if x else 'fine'}", "one", "  ")
    return "half a word %% of" if x else "an answer"
'''


def test_texts_are_collected_from_every_place_of_the_code() -> None:
    assert texts_of_code(SOURCE) == {
        "wrong: <> and <> are not alike",
        "the host <> is <>",
        "out of reach",
        "half a word %% of",
        "an answer",
    }


@pytest.mark.parametrize(
    ("tasks", "texts"),
    [
        ("[{fail: {msg: 'The host {{ x }} failed'}}]", {"The host <> failed"}),
        ("[{assert: {that: a is b, fail_msg: not equal}}]", {"not equal"}),
        ("[{block: [{debug: {msg: in a block}}]}]", {"in a block"}),
        ("[{debug: {msg: '{{ x }}'}}, {debug: {var: no text here}}]", set()),
    ],
)
def test_texts_are_collected_from_tasks(tasks: str, texts: set[str]) -> None:
    assert texts_of_tasks(tasks) == texts
