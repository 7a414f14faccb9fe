# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page: whatever a deployment contains, it is text, and the page fits and makes no requests."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history import page as page_file
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.markup import link, value
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.page import (
    MAX_BYTES,
    Source,
    render,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._history.views import Link
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils import (
    report_samples as samples,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.histories import (
    finish,
    invented,
)

NOW = samples.NOW
SOURCE = Source("the outbox", "/home/ada/.ansible/aliops.cloudmonitor")


class Parsed(HTMLParser):
    """The elements, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, {name: text or "" for name, text in attrs}))

    def handle_data(self, data: str) -> None:
        """Remember text."""
        self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(lines: list[dict[str, Any]], *running: dict[str, Any], days: float = 90) -> str:
    return render(samples.answer(lines, running, days), SOURCE, NOW)


TEXT = st.text() | st.sampled_from([samples.HOSTILE, "'\"><&", "</bdi></td>", "{{ 7 * 7 }}"])


@given(TEXT)
def test_no_text_creates_markup(text: str) -> None:
    for html in (value(text), link(Link(text, "https://example.com/" + text)), link(Link(text))):
        found = Parsed(html)

        assert {tag for tag, _unused in found.elements} <= {"bdi", "details", "summary", "a"}
        assert {name for _tag, names in found.elements for name in names} <= {"href"}
    whole = Parsed(value(text))
    # Parsers replace a carriage return and a null character.
    assert not text.isprintable() or whole.text.endswith(text)


@given(TEXT, TEXT, TEXT)
def test_a_page_with_any_texts_has_the_elements_of_every_page(a: str, b: str, c: str) -> None:
    parts: dict[str, Any] = {
        "name": a or "x",
        "environment": b,
        "version": c,
        "user": a,
        "reason": b,
        "commit": c,
        "url": a,
        "repository": "https://example.com/" + b,
        "ci": {"job": a, "url": "https://example.com/" + c},
        "failures": [{"host": a, "task": b, "message": c}],
    }
    found = Parsed(
        page(
            [finish("a", NOW - 1, "failed", **parts)], samples.start(1, **{**parts, "reason": None})
        )
    )

    assert (len(found.named("script")), len(found.named("style"))) == (2, 1)
    assert found.named("img") == found.named("iframe") == found.named("object") == []
    known = re.compile(r"(#|https://example\.com/|data:,$)")
    for tag, attributes in found.elements:
        assert not any(name.startswith("on") or name == "style" for name in attributes), tag
        for name in ("href", "src", "action"):
            assert known.match(attributes.get(name, "#")), attributes


def test_the_policy_of_the_page_permits_its_style_and_script_and_nothing_else() -> None:
    html = page([finish("a", NOW - 60)])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)

    def sources(tag: str) -> str:
        texts = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{one}'" for one in hashes)

    assert policy.replace("&#39;", "'") == (
        f"default-src 'none'; style-src {sources('style')}; script-src {sources('script')}; "
        "img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    script = "".join(re.findall("<script>(.*?)</script>", html, re.DOTALL))
    assert len(script.encode()) < 5000
    assert not re.search(r"https?:|fetch|XMLHttp|import|url\(|@import|innerHTML|eval", script)


def test_every_deployment_is_in_the_table_and_marks_lead_to_it() -> None:
    lines = invented(300, NOW)
    found = Parsed(page(lines, samples.start(9)))

    rows = {row["id"] for row in found.named("tr") if "id" in row}
    assert rows == {f"d{number}" for number in range(300)}
    marks = [one for one in found.named("a") if one.get("class") == "mark"]
    assert {one["href"][1:] for one in marks if "href" in one} <= rows
    assert [one for one in marks if "href" not in one] != []  # the running one is not in the table
    tables = [one for one in found.named("table") if one["class"].startswith("all")]
    assert len(tables) == 1
    for line in lines:
        assert line["ci"]["url"] in {one["href"] for one in found.named("a") if "href" in one}


def test_an_empty_page_explains_how_to_get_data() -> None:
    html = page([])

    assert "There are no deployments yet" in html
    assert "callbacks_enabled = aliops.cloudmonitor.deployment_events" in html
    assert html.count("<script>") == 1
    assert "<table" not in html


@pytest.mark.slow
def test_ten_thousand_deployments_fit() -> None:
    began = time.process_time()
    html = page(invented(10_000, NOW))

    assert time.process_time() - began < 5
    assert len(html.encode()) < MAX_BYTES
    assert html.count("<tr id=d") == 10_000


@pytest.mark.parametrize(("limit", "length"), [(250_000, 10), (250_000, 3000)])
def test_a_page_that_is_too_large_leaves_out_the_oldest(
    limit: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_file, "MAX_BYTES", limit)
    lines = invented(600, NOW, environments=("production",))
    for line in lines:
        line["version"] = f"{line['version']}-{'x' * length}"
    html = page(lines)

    assert limit / 2 < len(html.encode()) <= limit
    number = html.count("<tr id=d")
    assert number < 600
    assert f"The newest {number:,} of 600 deployments." in html
    assert {*re.findall(r'href="#d(\d+)"', html)} <= {str(one) for one in range(number)}


def test_lines_that_could_not_be_read_are_mentioned() -> None:
    answer = samples.answer([finish("a", NOW - 60)])
    html = render(
        type(answer)(**{**vars(answer), "damaged": 2, "unknown": 1, "since": None}), SOURCE, NOW
    )

    assert "3 lines of the history could not be read." in html
    assert "until 26 Nov 2026" in html
