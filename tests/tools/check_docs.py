# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See that ansible-doc shows everything in the collection, with examples.

usage: python check_docs.py COLLECTION_FOLDER (ansible-doc on PATH, which must find the collection)
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PREFIX = "aliops.cloudmonitor."

# Kinds of plugin that ansible-doc knows, and the folder of each.
KINDS = {"module": "modules", "callback": "callback", "filter": "filter", "lookup": "lookup"}


def ansible_doc(kind: str, names: list[str]) -> dict[str, Any]:
    """Return what ansible-doc tells about plugins or roles; raise SystemExit when it fails.

    What it does not find is missing in the answer; it warns about other collections, too.
    """
    command = ["ansible-doc", "--json", "--type", kind, *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{done.stderr}{done.stdout}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def plugin_faults(root: Path, kind: str) -> list[str]:
    """Return what is missing in the documentation of the plugins of one kind."""
    files = sorted((root / "plugins" / KINDS[kind]).glob("[!_]*.py"))
    names = [PREFIX + path.stem for path in files]
    if not names:
        return []
    documents = ansible_doc(kind, names)
    faults = []
    for name in names:
        document = documents.get(name, {})
        if not document.get("doc", {}).get("description"):
            faults.append(f"{name}: no description")
        if not (document.get("examples") or "").strip():
            faults.append(f"{name}: no examples")
        if kind == "module" and document.get("return") is None:
            faults.append(f"{name}: no return values")
    print(f"{kind}: {', '.join(names)}")
    return faults


def role_faults(root: Path) -> list[str]:
    """Return what is missing in the documentation of the roles."""
    faults = []
    for path in sorted((root / "roles").glob("*/")):
        name = PREFIX + path.name
        entry_points = ansible_doc("role", [name]).get(name, {}).get("entry_points", {})
        described = [entry for entry, spec in entry_points.items() if spec.get("description")]
        if "main" not in described:
            faults.append(f"{name}: no description of its main entry point")
        faults += [f"{name}: {entry} undescribed" for entry in set(entry_points) - set(described)]
        print(f"role: {name} ({', '.join(sorted(entry_points))})")
    return faults


def main(root: Path) -> int:
    """Print what is missing; return 1 when something is, or when nothing was found, else 0."""
    faults = [fault for kind in KINDS for fault in plugin_faults(root, kind)]
    faults += role_faults(root)
    if not list((root / "plugins" / "modules").glob("*.py")):
        faults.append("no module was found")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
