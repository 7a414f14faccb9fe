# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What readers of the README rely on. tests/integration/docs/test_readme.py runs its commands."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.aliops.cloudmonitor.tests.docs_examples import (
    ROOT,
    anchors,
    blocks,
    links,
    literals,
    make_targets,
    without_code,
)

README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "roles/deployment/README.md")
PLACES = re.compile(
    r"https://github\.com/aliops/cloudmonitor/(?:blob|tree)/main/"
    r"|https://raw\.githubusercontent\.com/aliops/cloudmonitor/main/"
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_into_the_repository_lead_to_files_and_headings(document: str) -> None:
    page = ROOT / document
    checked = 0
    for link in links(page.read_text(encoding="utf-8")):
        address, _hash, fragment = link.partition("#")
        place, absolute = PLACES.subn("", address)
        if place.startswith("https:"):
            continue
        target = (ROOT if absolute else page.parent) / place if place else page
        assert target.exists(), link
        assert not fragment or fragment in anchors(target.read_text(encoding="utf-8")), link
        checked += 1
    assert checked


def test_the_readme_works_on_galaxy() -> None:
    # Galaxy does not resolve relative addresses, removes these tags, and gives headings no ids.
    assert [link for link in links(TEXT) if not link.startswith("https://")] == []
    assert re.findall(r"<(?:picture|source|details|img|p)\b|\[!\w+\]", without_code(TEXT)) == []


def test_every_image_has_an_alternative_text() -> None:
    images = re.findall(r"!\[(.*?)\]\((.*?)\)", TEXT)

    assert {PLACES.sub("", address) for _text, address in images} == {
        "docs/images/flow.svg",
        "docs/images/demo.svg",
    }
    assert all(len(text) > 40 for text, _address in images)


def test_the_readme_is_short() -> None:
    assert len(TEXT.splitlines()) <= 200


def test_the_example_of_an_event_is_valid() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((ROOT / "docs/deployment-event.schema.json").read_text(encoding="utf-8"))
    (example,) = (json.loads(block.text) for block in blocks(README, "json"))

    jsonschema.validate(example, schema)
    # The keys are in the order in which they are sent.
    assert list(example) == [key for key in schema["properties"] if key in example]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    code = [*literals(text), *(block.text for block in blocks(ROOT / document, "sh"))]
    named = {name for one in code for name in re.findall(r"\bmake ([a-z-]+)", one)}

    assert named <= make_targets()
