# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See that a tag is the version that the collection has and its files name, with release notes.

usage: python check_tag.py TAG FOLDER (the collection). On the standard library, so that it runs
before anything is installed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

# What people copy installs a release and not what is new since.
SOURCE = "https://github.com/aliops/cloudmonitor.git"
PINNED = ("awx/requirements.yml", "docs/docsite/rst/guide_awx.rst")


def faults(tag: str, root: Path) -> list[str]:
    """Return what speaks against releasing the folder under this tag."""
    found = []
    galaxy = (root / "galaxy.yml").read_text(encoding="utf-8")
    version = re.search(r"^version: *(\S+)$", galaxy, re.MULTILINE)
    if not version or tag != version.group(1):
        named = version.group(1) if version else "nothing"
        found.append(f"the tag is {tag}, the version in galaxy.yml is {named}")
    changes = (root / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
    if not re.search(rf"^  {re.escape(tag)}:$", changes, re.MULTILINE):
        found.append(f"changelogs/changelog.yaml has no release {tag}")
    for name in PINNED:
        text = (root / name).read_text(encoding="utf-8")
        pinned = re.findall(
            rf"name: {re.escape(SOURCE)}\n +type: git\n +version: (\S+)$", text, re.M
        )
        if pinned != [tag]:
            found.append(f"{name} installs {', '.join(pinned) or 'no version'}, not {tag}")
    left = sorted((root / "changelogs" / "fragments").glob("[!.]*"))
    if left:
        found.append(f"changelogs/fragments still has {', '.join(path.name for path in left)}")
    return found


def main(tag: str, root: Path) -> int:
    """Print the faults; return 1 when there are any, else 0."""
    found = faults(tag, root)
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
