# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the guides read is what stands there."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.aliops.cloudmonitor.tests import docs_examples

PAGE = """\
.. _a.label:

Title
=====

Words before.

First part
----------

.. code-block:: yaml
   :caption: site.yml

   - hosts: all

     gather_facts: false

After it.

#. A step

   .. code-block:: shell

      echo one
      echo two

Second part
-----------

.. list-table::
   :header-rows: 1

   * - name
     - meaning
   * - ``a``
     - the
       first
   * - ``b``
     -
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.rst"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_blocks_have_language_caption_text_and_line(page: Path) -> None:
    first, second = docs_examples.blocks(page)

    assert (first.argument, first.caption, first.line) == ("yaml", "site.yml", 11)
    assert first.text == "- hosts: all\n\n  gather_facts: false\n"
    assert (second.argument, second.caption) == ("shell", "")
    assert second.text == "echo one\necho two\n"
    assert docs_examples.shell(page) == [second]
    assert docs_examples.block(page, "site.yml") == first


def test_a_table_has_its_rows_and_empty_cells(page: Path) -> None:
    (table,) = docs_examples.tables(page)

    assert table == [["name", "meaning"], ["``a``", "the first"], ["``b``", ""]]


def test_labels_sections_and_literals_are_found(page: Path) -> None:
    assert docs_examples.labels(page) == ["a.label"]
    assert "hosts: all" in docs_examples.section(page, "First part")
    assert "name" not in docs_examples.section(page, "First part")
    assert docs_examples.literals(docs_examples.section(page, "Second part")) == ["a", "b"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "- hosts: [all"),
        ("yaml", "# nothing but a remark"),
        ("ini", "no section"),
        ("ini", "[defaults]\nforks = 1\nforks = 2"),
        ("json", "{'a': 1}"),
        ("shell", "if true; then"),
        ("shell", "cat <<EOF\nnever ends"),
        ("shell", ""),
        ("cobol", "anything"),
    ],
)
def test_what_cannot_be_read_is_found_out(language: str, text: str) -> None:
    example = docs_examples.Directive(Path("page.rst"), 1, "code-block", language, text=text)
    with pytest.raises(AssertionError):
        docs_examples.check(example)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("yaml", "- hosts: all"),
        ("ini", "[defaults]\nforks = 1"),
        ("json", '{"a": 1}'),
        ("shell", "make test && echo 'done'"),
        ("text", "anything {"),
    ],
)
def test_what_can_be_read_passes(language: str, text: str) -> None:
    example = docs_examples.Directive(Path("page.rst"), 1, "code-block", language, text=text)
    docs_examples.check(example)
