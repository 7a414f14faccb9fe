# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the pictures of the documentation, and the tool that draws the one of the demo."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = sorted((ROOT / "docs" / "images").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
DRAWINGS = [path for path in PICTURES if path.stem != "demo"]  # a terminal is as wide as its lines
OUTPUT = """\
TASK [Start the receiver] ***
ok: [localhost] => {
    "msg": ["event", "nothing here"]
}

TASK [What arrived] ***
ok: [localhost] => {
    "msg": %s
}

PLAY RECAP ***
"""
TABLE = [
    "event               by        status",
    "------",
    "deployment-finish   role      failed <1>",
]


def check_picture(text: str) -> None:
    """Check that a picture is a document of its own: described, without scripts and requests."""
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    for name, least in (("title", 10), ("desc", 40)):
        element = root.find(f"{SVG}{name}")
        assert element is not None, name
        assert len(element.text or "") > least, name
        assert element.get("id") in (root.get("aria-labelledby") or "").split(), name
    for element in root.iter():
        assert element.tag.startswith(SVG), element.tag
        assert element.tag.removeprefix(SVG) not in {"script", "image", "foreignObject", "a", "use"}
        for key, value in element.attrib.items():
            assert not key.startswith("on"), key
            assert not re.search(r"\w+:|//", value), value
            assert re.findall(r"url\((?!#)", value) == [], value
        for value in (element.text or "", element.tail or ""):
            assert not re.search(r"https?:|//|@import|@font-face|url\(", value), value


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_described_and_makes_no_requests(path: Path) -> None:
    check_picture(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_can_be_read_on_light_and_dark_pages(path: Path) -> None:
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    _x, _y, width, height = map(float, (root.get("viewBox") or "").split())
    style = "".join(element.text or "" for element in root.iter(f"{SVG}style"))
    first = next(element for element in root.iter(f"{SVG}rect") if element.get("rx"))

    # It has its own background. A terminal is always dark.
    assert float(first.get("width") or 0) >= width - 3
    assert float(first.get("height") or 0) >= height - 3
    assert "prefers-color-scheme: dark" in style or path not in DRAWINGS


@pytest.mark.parametrize("path", DRAWINGS, ids=lambda path: path.stem)
def test_text_of_a_drawing_has_10_pixels_on_a_phone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    width = float((ET.fromstring(text).get("viewBox") or "").split()[2])
    sizes = [float(size) for size in re.findall(r"font-size: (\d+)px", text)]

    assert sizes
    assert min(sizes) * (390 - 2 * 16) / width >= 10


@pytest.fixture
def tool() -> ModuleType:
    pytest.importorskip("rich", reason="rich is not installed")
    sys.path.insert(0, str(ROOT / "tests" / "tools"))
    import terminal_picture

    return terminal_picture


def test_the_tool_finds_the_table_in_the_output_of_the_demo(tool: ModuleType) -> None:
    output = OUTPUT % json.dumps(["266 events", "", *TABLE, "", "A failure event:"])

    assert tool.find_table(output) == TABLE
    with pytest.raises(ValueError, match="no table"):
        tool.find_table("fatal: [localhost]: FAILED!")


def test_the_tool_draws_every_line_and_the_same_picture_each_time(tool: ModuleType) -> None:
    svg = tool.draw(TABLE)

    check_picture(svg)
    assert svg == tool.draw(TABLE)
    matrix = ET.fromstring(svg).findall(f".//{SVG}g[@class='demo-matrix']/{SVG}text")
    drawn = "".join(element.text or "" for element in matrix).replace("\N{NO-BREAK SPACE}", " ")
    assert [word for line in TABLE for word in line.split() if word not in drawn] == []
