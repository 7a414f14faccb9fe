# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give ansible-test a pip for its environments without its own download.

ansible-test makes virtual environments without pip and then runs a "get-pip" script, which it
downloads from a site of its own unless ~/.ansible/test/cache has it. Where only a package index
is in reach (behind a proxy, on a mirror) that fails. This puts a small script there which
installs pip from pip's own wheel, fetched with pip. Run it with the environment's Python.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

CACHE = Path.home() / ".ansible" / "test" / "cache"

SCRIPT = '''\
"""Install pip from its wheel; made by tests/tools/seed_pip.py of aliops.cloudmonitor."""
import sys

sys.path.insert(0, {wheel!r})
from pip._internal.cli.main import main

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
if {pip!r} not in wanted:
    wanted.append({pip!r})
sys.exit(main(["install", "--force-reinstall"] + wanted))
'''


def wanted_versions() -> list[str]:
    """Return the versions of pip that the installed ansible-test asks for.

    Raises SystemExit when ansible-test is not installed.
    """
    spec = importlib.util.find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ansible-test is not installed beside this Python")
    source = Path(spec.submodule_search_locations[0], "_internal", "python_requirements.py")
    return sorted(set(re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8"))))


def seed(version: str) -> None:
    """Provide the script for one version of pip, unless there is one.

    Raises subprocess.CalledProcessError when pip cannot fetch the wheel.
    """
    script = CACHE / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    pip = f"pip=={version}"
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--dest", str(CACHE), pip], check=True)
    wheel = CACHE / f"pip-{version}-py3-none-any.whl"
    script.write_text(SCRIPT.format(wheel=str(wheel), pip=pip), encoding="utf-8")


if __name__ == "__main__":
    for wanted in wanted_versions():
        seed(wanted)
