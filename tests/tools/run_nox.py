# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the pinned nox in the cache folder, and run it: run_nox.py NOX_ARGUMENT...

With --clean, remove the cache folder of the checkout instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import bounded
from workspace import BASE, CACHE, COPIED, ROOT, copy_checkout

REQUIREMENTS = ROOT / "tests" / "requirements"
LONGEST = 6 * 3600.0  # seconds, for the whole matrix
FILES = ("nox.txt", "nox-lock.txt")


def python_with_nox() -> Path:
    """Return the Python of an environment that has nox, made if it is missing or outdated."""
    texts = [sys.version.encode(), *((REQUIREMENTS / name).read_bytes() for name in FILES)]
    folder = BASE / f"nox-{hashlib.sha256(b'|'.join(texts)).hexdigest()[:10]}"
    BASE.mkdir(parents=True, exist_ok=True)
    with (BASE / "nox.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            print("installing nox in", folder, flush=True)
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            pip = [f"{folder}/bin/python", "-m", "pip", "install", "-qq"]
            files = ["-r", f"{REQUIREMENTS}/{FILES[0]}", "-c", f"{REQUIREMENTS}/{FILES[1]}"]
            subprocess.run([*pip, "--disable-pip-version-check", *files], check=True)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def main(arguments: list[str]) -> int:
    """Run nox, print the number of sessions by their end, and return nox's exit status."""
    if arguments == ["--clean"]:
        shutil.rmtree(CACHE, ignore_errors=True)
        return 0
    if "--list" not in arguments:
        os.environ.pop(COPIED, None)
        copy_checkout()  # before parallel sessions need it
    command = [str(python_with_nox()), "-B", "-m", "nox", "-f", str(ROOT / "noxfile.py")]
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        # Parallel sessions outlive nox if it is stopped, so bounded.py ends them.
        status = bounded.main(LONGEST, [*command, "--report", report.name, *arguments])
        text = Path(report.name).read_text(encoding="utf-8")
    if text:
        results = [session["result"] for session in json.loads(text)["sessions"]]
        passed, skipped = results.count("success"), results.count("skipped")
        failed = len(results) - passed - skipped
        print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
