# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import a built collection as Galaxy does, and accept no warning.

usage: python check_galaxy.py ARCHIVE FOLDER (for what the importer writes; its tools on PATH)
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

# More than Galaxy itself asks for: Automation Hub wants a tag of its list and a stable version.
SETTINGS = {
    "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
    "GALAXY_IMPORTER_REQUIRE_V1_OR_GREATER": "true",
}
COMPLAINT = re.compile(r"^\s*(WARNING|ERROR|CRITICAL)\b")
# What people come for; an importer that has not found it has not really looked.
EXPECTED = {
    ("callback", "deployment_events"),
    ("module", "custom_event"),
    ("module", "deployment_event"),
    ("module", "flush_outbox"),
    ("playbook", "check.yml"),
    ("playbook", "demo.yml"),
    ("role", "deployment"),
}


def complaints(output: str) -> list[str]:
    """Return the lines of the importer's output that are warnings or errors."""
    return [line for line in output.splitlines() if COMPLAINT.match(line)]


def missing(result: dict[str, Any]) -> list[str]:
    """Return what the importer should have listed as content and has not."""
    found = {(one["content_type"], one["name"]) for one in result["contents"]}
    return sorted(f"{kind} {name}" for kind, name in EXPECTED - found)


def main(archive: Path, folder: Path) -> int:
    """Run the importer; print what it says; return 1 when it complains or misses something."""
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", archive],
        cwd=folder,
        env={**os.environ, **SETTINGS, "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(folder / "tmp")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    faults = complaints(done.stdout)
    if done.returncode == 0:
        result = json.loads((folder / "importer_result.json").read_text(encoding="utf-8"))
        faults += [f"not listed as content: {name}" for name in missing(result)]
    print(f"{len(faults)} complaints, exit status {done.returncode}", *faults, sep="\n")
    return 1 if faults or done.returncode else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
