# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the documentation site: the guides in docs, and reference pages from antsibull-docs.

usage: python build_site.py OUTPUT (an empty folder; the site is in OUTPUT/html)

antsibull-docs and sphinx-build must be on PATH, and Ansible must find the collection. A warning,
or a link inside the site that leads nowhere, is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs_navigation import REFERENCE, ROOT, SETTINGS, pages

COLLECTION = "aliops.cloudmonitor"
ENTRY_POINTS = ("main", "start", "done", "finish")

_ENTRY_POINT = re.compile(
    r"^\.\. _ansible_collections\.[\w.]+_role__entrypoint-(?P<name>\w+):\n", re.MULTILINE
)
_TITLE = re.compile(
    r"^aliops\.cloudmonitor\.(?P<title>\w+ \w+) -- (?P<text>.+)\n(?P<line>\++)\n", re.MULTILINE
)
_CONTENTS = re.compile(r"^\.\. contents::\n(?:   .*\n)+", re.MULTILINE)
# For readers on Ansible Galaxy; see tests/unit/docs/test_rendering.py.
_GALAXY_NOTE = re.compile(r"^On Ansible Galaxy, links [^\n]*\n\[[^\n]*\n\n", re.MULTILINE)
_PARAMETERS = "\nParameters\n^^^^^^^^^^\n"


def reference_page(text: str) -> str:
    """Return a page with a short title, and without the contents, which the theme shows."""
    text = _CONTENTS.sub("", text)
    return _TITLE.sub(r"\g<title>\n\g<line>\n\n\g<text>.\n", text, count=1)


def role_page(text: str, example: str) -> str:
    """Return a role's page with ``main`` and an example first. Raises KeyError without an entry.

    antsibull-docs sorts the entry points by name and knows no examples of roles.
    """
    starts = [*_ENTRY_POINT.finditer(text)]
    head = text[: starts[0].start()]
    body, extra, links = text[starts[0].start() :].partition("\n.. Extra links\n")
    ends = [found.start() - len(head) for found in starts[1:]] + [len(body)]
    sections = {
        found["name"]: body[found.start() - len(head) : end]
        for found, end in zip(starts, ends, strict=True)
    }
    code = "".join(f"   {line}".rstrip() + "\n" for line in example.splitlines())
    shown = f"\nExample\n^^^^^^^\n\n.. code-block:: yaml+jinja\n\n{code}"
    sections["main"] = sections["main"].replace(_PARAMETERS, shown + _PARAMETERS, 1)
    return head + "".join(sections[name] for name in ENTRY_POINTS) + extra + links


def first_example(guide: Path) -> str:
    """Return the first YAML block of a guide."""
    found = re.search(r"^```yaml\n(.*?)^```$", guide.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, guide
    return found[1]


def write_reference(folder: Path) -> None:
    """Write the pages of the plugins and the role, and remove those that are not listed."""
    folder.mkdir(mode=0o700, parents=True)  # antsibull-docs refuses one that others may write to
    command: list[str | Path] = ["antsibull-docs", "--config-file", SETTINGS / "antsibull-docs.cfg"]
    command += ["collection", "--cleanup", "everything", "--fail-on-error", "--use-current"]
    command += ["--squash-hierarchy", "--dest-dir", folder, COLLECTION]
    subprocess.run(command, check=True)
    listed = {name.removeprefix(REFERENCE) for name in pages() if name.startswith(REFERENCE)}
    for page in folder.glob("*.rst"):
        text = reference_page(page.read_text(encoding="utf-8"))
        if page.stem not in listed:
            page.unlink()
            continue
        if page.stem == "deployment_role":
            text = role_page(text, first_example(ROOT / "docs" / "role.md"))
        page.write_text(text, encoding="utf-8")


def main(output: Path) -> None:
    """Build the site in a folder. Raises CalledProcessError if a tool fails."""
    source = output / "source"
    source.mkdir(parents=True)
    for page in (ROOT / "docs").glob("*.md"):
        text = _GALAXY_NOTE.sub("", page.read_text(encoding="utf-8"))
        (source / page.name).write_text(text, encoding="utf-8")
    if (ROOT / "docs" / "images").is_dir():
        shutil.copytree(ROOT / "docs" / "images", source / "images")
    write_reference(source / "reference")
    command: list[str | Path] = ["sphinx-build", "-b", "html", "-W", "--keep-going", "-q"]
    command += ["-c", SETTINGS, source, output / "html"]
    tools = os.pathsep.join([str(SETTINGS.parent), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, env={**os.environ, "PYTHONPATH": tools}, check=True)
    print(f"the site: {output}/html/index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
