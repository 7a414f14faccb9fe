# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a tag can be released: python check_tag.py TAG FOLDER (of the collection)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

# A release is installed by name in these files, which people copy.
PINNED = ("docs/awx/requirements.yml", "docs/ci-and-awx.md")


def find_faults(tag: str, root: Path) -> list[str]:
    """Return what prevents a release of the folder under this tag."""
    expected = {
        "galaxy.yml": rf"^version: {re.escape(tag)}$",
        "changelogs/changelog.yaml": rf"^  {re.escape(tag)}:$",
        **dict.fromkeys(PINNED, rf"^ +type: git\n +version: {re.escape(tag)}$"),
    }
    faults = [
        f"{name} does not have the version {tag}"
        for name, pattern in expected.items()
        if not re.search(pattern, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    left = sorted(path.name for path in (root / "changelogs" / "fragments").glob("[!.]*"))
    return faults + ([f"changelogs/fragments still has {', '.join(left)}"] if left else [])


if __name__ == "__main__":
    sys.exit("\n".join(find_faults(sys.argv[1], Path(sys.argv[2]))) or 0)
