# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of the guides finds the blocks, tables, headings and links of a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests import docs_examples

PAGE = """\
<!-- # No heading -->

# Title

Words before, with a [link](other.md#part).

## First part

**`site.yml`**

```yaml
- hosts: all

  gather_facts: false
```

After it. **`no title`**

```sh
# not a heading, [no link](nowhere.md)
echo one
```

### Below `it`

| name | meaning |
| --- | --- |
| `a` | the first |
| `b\\|c` | |

## Second part

## Second part
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_blocks_have_language_title_text_and_line(page: Path) -> None:
    first, second = docs_examples.blocks(page)

    assert (first.language, first.title, first.line) == ("yaml", "site.yml", 11)
    assert first.text == "- hosts: all\n\n  gather_facts: false\n"
    assert (second.language, second.title) == ("sh", None)
    assert docs_examples.shell(page) == [second]
    assert docs_examples.block(page, "site.yml") == first


def test_a_table_has_its_rows_and_empty_cells(page: Path) -> None:
    (table,) = docs_examples.tables(page)

    assert table == [["name", "meaning"], ["`a`", "the first"], ["`b\\|c`", ""]]


def test_headings_and_their_anchors_are_found(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert docs_examples.headings(text)[0] == "Title"
    assert docs_examples.anchors(text) == [
        "title",
        "first-part",
        "below-it",
        "second-part",
        "second-part-1",
    ]


def test_a_section_includes_those_below_it(page: Path) -> None:
    text = docs_examples.section(page, "First part")

    assert "hosts: all" in text
    assert "the first" in text
    assert "Second part" not in text
    assert "hosts: all" not in docs_examples.section(page, "Below `it`")


def test_links_and_literals_are_found_outside_of_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert docs_examples.links(text) == ["other.md#part"]
    assert "a" in docs_examples.literals(text)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "- hosts: [all"),
        ("yaml", "# nothing but a remark"),
        ("ini", "no section"),
        ("ini", "[defaults]\nforks = 1\nforks = 2"),
        ("json", "{'a': 1}"),
        ("sh", "if true; then"),
        ("sh", "cat <<EOF\nnever ends"),
        ("sh", ""),
        ("cobol", "anything"),
        ("", "anything"),
    ],
)
def test_an_example_with_an_error_is_refused(language: str, text: str) -> None:
    with pytest.raises(AssertionError):
        docs_examples.check(docs_examples.Block(Path("page.md"), 1, language, text))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "- hosts: all"),
        ("ini", "[defaults]\nforks = 1"),
        ("json", '{"a": 1}'),
        ("sh", "make test && echo 'done'"),
        ("text", "anything {"),
    ],
)
def test_a_correct_example_passes(language: str, text: str) -> None:
    docs_examples.check(docs_examples.Block(Path("page.md"), 1, language, text))
