# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the nox sessions work: a cache folder per checkout, which holds a copy of it.

ansible-test requires a real folder .../ansible_collections/aliops/cloudmonitor, and nothing may be
left behind in the checkout.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections", "aliops", "cloudmonitor")
COPIED = "NOX_CHECKOUT_IS_COPIED"
# Settings of the caller that would change what is tested.
FOREIGN = (
    r"(ANSIBLE|ALIBABA_CLOUD|ALICLOUD|CLOUDMONITOR|COVERAGE|PYTEST)_"
    r"|(PYTHONPATH|PYTHONHOME|VIRTUAL_ENV|GIT_DIR|GIT_WORK_TREE)$"
)


def _base() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    if not base.is_absolute():  # the XDG specification: ignore a relative path
        base = Path.home() / ".cache"
    return base / "aliops.cloudmonitor"


BASE = _base()
# One folder for all symbolic links to a checkout.
CACHE = BASE / "-".join(
    [
        re.sub(r"[^A-Za-z0-9.-]+", "_", ROOT.name)[:20],
        hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:10],
    ]
)
TREE = CACHE / "tree" / COLLECTION


def fresh(name: str) -> Path:
    """Return an empty folder of this name in the cache folder."""
    shutil.rmtree(CACHE / name, ignore_errors=True)
    (CACHE / name).mkdir(parents=True)
    return CACHE / name


def _works(python: Path, version: str) -> bool:
    """Return whether a file is an interpreter of this version. A pyenv shim may only fail."""
    check = f"import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    try:
        done = subprocess.run([python, "-c", check], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def link_pythons(versions: tuple[str, ...]) -> dict[str, Path]:
    """Return a link to each Python that works here, by its version.

    ansible-test takes the interpreters from PATH, and fails at one that does not work. Links stay,
    because other sessions may be using them.
    """
    folder = CACHE / "pythons"
    folder.mkdir(parents=True, exist_ok=True)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = {}
    for version in versions:
        name = f"python{version}"
        link = folder / name
        candidates = [link] if link.exists() else []
        candidates += [Path(place, name) for place in os.get_exec_path() if "shims" not in place]
        candidates += sorted(pyenv.glob(f"{version}.*/bin/{name}"), reverse=True)
        for path in candidates:
            if path.exists() and _works(path, version):
                found[version] = link
                if path != link:
                    link.unlink(missing_ok=True)
                    link.symlink_to(path.resolve())
                break
    return found


def isolate() -> None:
    """Remove the caller's settings from the environment; point the tools to the cache folder."""
    for name in [*os.environ]:
        if re.match(FOREIGN, name):
            del os.environ[name]
    CACHE.mkdir(parents=True, exist_ok=True)
    (CACHE / "ansible.cfg").write_text("")
    path = [place for place in os.get_exec_path() if "shims" not in place]
    # The receiver listens on loopback, where no proxy leads.
    local = ",".join(filter(None, [os.environ.get("no_proxy"), "127.0.0.1,localhost,::1"]))
    os.environ |= {
        "PATH": os.pathsep.join([str(CACHE / "pythons"), *path]),
        "ANSIBLE_CONFIG": str(CACHE / "ansible.cfg"),
        "ANSIBLE_HOME": str(CACHE / "ansible-home"),
        "ANSIBLE_COLLECTIONS_PATH": str(CACHE / "tree"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "UV_COMPILE_BYTECODE": "1",  # pip does that without being asked
        "RUFF_CACHE_DIR": str(CACHE / "ruff"),
        "MYPY_CACHE_DIR": str(CACHE / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
        # A repository around the cache folder (a home folder's, for example) is not ours.
        "GIT_CEILING_DIRECTORIES": str(CACHE.parent),
        # Otherwise reuse looks for libmagic, which a machine may not have.
        "REUSE_ENCODING_MODULE": "charset_normalizer",
        "no_proxy": local,
        "NO_PROXY": local,
    }
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next(filter(None, (os.environ.get(name) for name in names)), "")
    if "utf" not in locale.lower():  # Ansible requires UTF-8
        os.environ["LC_ALL"] = "C.UTF-8"


@functools.cache
def copy_checkout() -> Any:
    """Copy what git tracks or would track, once; return the lock that other runs wait for.

    A process whose parent has done that, as in parallel sessions, uses the parent's copy.
    """
    if os.environ.get(COPIED):
        return None
    os.environ[COPIED] = "1"
    CACHE.mkdir(parents=True, exist_ok=True)
    lock = (CACHE / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for another run in this checkout", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    fresh("tree")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    for name in {os.fsdecode(name) for name in listing.split(b"\0") if name}:
        if os.path.lexists(ROOT / name):  # git still lists a deleted file
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, TREE / name, follow_symlinks=False)
    return lock
