# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpreters and virtual environments of the make targets."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"

# What modules run on, and what the controllers need: "make test" tries those that are there.
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")

# Variables of the caller's that would change what is tested.
FOREIGN = ("ANSIBLE_", "ALIBABA_CLOUD_", "ALICLOUD_", "CLOUDMONITOR_", "COVERAGE_", "PYTEST_")
FOREIGN_NAMES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "GIT_DIR", "GIT_WORK_TREE")


def _runs(python: Path | str, version: str, modules: str) -> bool:
    """Tell whether a file is a working interpreter: a pyenv shim may be there and run nothing."""
    check = f"import sys, {modules}; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
    try:
        done = subprocess.run([python, "-c", check], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def find_python(version: str, modules: str = "venv, ensurepip") -> Path | None:
    """Return a Python of this minor version that runs and has the modules, or None."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [Path(folder) / name for folder in os.get_exec_path() if "shims" not in folder]
    candidates += sorted(pyenv.glob(f"{version}*/bin/{name}"), reverse=True)
    for path in candidates:
        if path.exists() and _runs(path, version, modules):
            return path
    return None


def link_pythons(folder: Path) -> list[str]:
    """Fill an empty folder with pythonX.Y of every Python that runs; return the missing ones.

    ansible-test takes the interpreters from PATH and fails at one that does not run.
    """
    missing = []
    for version in PYTHONS:
        python = find_python(version)
        if python is None:
            missing.append(version)
        else:
            (folder / f"python{version}").symlink_to(python.resolve())
    return missing


def _with_included(name: str) -> list[bytes]:
    """Return the text of a requirements file and of those that it takes in with -r."""
    text = (REQUIREMENTS / name).read_bytes()
    included = re.findall(r"^-r (\S+)", text.decode(), re.MULTILINE)
    return [text, *(more for other in included for more in _with_included(other))]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the packages of one file in tests/requirements."""

    name: str
    folder: Path

    @property
    def bin(self) -> Path:
        """The folder of its executables."""
        return self.folder / "bin"

    @property
    def python(self) -> str:
        """The minor version of its Python, such as 3.12; "" before it is created."""
        found = list(self.folder.glob("lib/python3.*"))
        return found[0].name.removeprefix("python") if found else ""

    def ensure(self, python: Path | str, lock: str) -> None:
        """Create it with this Python, or keep it when neither Python nor requirements changed.

        Raises subprocess.CalledProcessError when venv or pip fail; they have printed why.
        """
        wanted = self._fingerprint(python, lock)
        stamp = self.folder / "requirements.sha256"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"creating the {self.name} environment with {python}", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", self.folder], check=True)
        # -qq: pip would warn about every package that one of several indexes does not have.
        pip: list[str | Path] = [self.bin / "python", "-m", "pip", "install", "-qq"]
        pip += ["--disable-pip-version-check", "-r", REQUIREMENTS / f"{self.name}.txt"]
        subprocess.run([*pip, "-c", REQUIREMENTS / lock], check=True, stdin=subprocess.DEVNULL)
        stamp.write_text(wanted)

    def _fingerprint(self, python: Path | str, lock: str) -> str:
        texts = [*_with_included(f"{self.name}.txt"), (REQUIREMENTS / lock).read_bytes()]
        return hashlib.sha256(b"\0".join([os.fsencode(python), *texts])).hexdigest()


def _made(cache: Path, name: str, lock: str, python: Path | str = sys.executable) -> Environment:
    environment = Environment(name, cache / "venv" / name)
    environment.ensure(python, lock)
    return environment


def newest(cache: Path) -> Environment:
    """Return the environment with the newest ansible-core that this Python runs, and all tools."""
    return _made(cache, "newest", "newest-lock.txt")


def demo(cache: Path) -> Environment:
    """Return the small environment of the demo."""
    return _made(cache, "demo", "newest-lock.txt")


def galaxy(cache: Path) -> Environment:
    """Return the environment with Galaxy's importer, whose needs differ from the other tools'."""
    return _made(cache, "galaxy", "galaxy-lock.txt")


def mutation(cache: Path) -> Environment:
    """Return the environment of the mutation tests."""
    return _made(cache, "mutation", "mutation-lock.txt")


def peers(cache: Path) -> Environment | None:
    """Return the environment with other collections' callbacks, or None when Python is too old."""
    if sys.version_info < (3, 12):
        return None
    return _made(cache, "peers", "peers-lock.txt")


def oldest(cache: Path) -> Environment | None:
    """Return the environment with the oldest ansible-core, or None without a Python for it."""
    python = find_python("3.10") or find_python("3.11")
    if python is None:
        return None
    return _made(cache, "oldest", "oldest-lock.txt", python)


def coverage(cache: Path) -> Environment:
    """Return the environment of the tests that are measured; nothing else runs in it."""
    return _made(cache, "coverage", "newest-lock.txt")


def core(cache: Path, version: str, pythons: Sequence[str], lock: str) -> Environment | None:
    """Return the environment of a version of ansible-core, or None without a Python for it.

    The first of ``pythons`` (minor versions) that is there is taken.
    """
    python = next(filter(None, map(find_python, pythons)), None)
    if python is None:
        return None
    return _made(cache, f"core-{version}", lock, python)


def target(cache: Path, version: str) -> Path | None:
    """Return a Python of this minor version that has requests, or None when there is none."""
    python = find_python(version)
    if python is None:
        return None
    environment = Environment("target", cache / "venv" / f"target-{version}")
    environment.ensure(python, "target-lock.txt")
    return environment.bin / "python"


def variables(environment: Environment, cache: Path, root: Path) -> dict[str, str]:
    """Return the environment variables of the commands: the caller's without its settings.

    The collection is found in root; what Ansible and the tools keep goes to the cache folder.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN) and name not in FOREIGN_NAMES
    }
    path = [folder for folder in os.get_exec_path() if "shims" not in folder]
    local = ",".join(filter(None, [env.get("no_proxy"), "127.0.0.1,localhost,::1"]))
    empty = cache / "ansible.cfg"
    empty.parent.mkdir(parents=True, exist_ok=True)
    empty.write_text("")
    env |= {
        "PATH": os.pathsep.join([str(environment.bin), *path]),
        "ANSIBLE_CONFIG": str(empty),
        "ANSIBLE_HOME": str(cache / "ansible-home" / environment.name),
        "ANSIBLE_COLLECTIONS_PATH": str(root),
        "ANSIBLE_PLAYBOOK": str(environment.bin / "ansible-playbook"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RUFF_CACHE_DIR": str(cache / "ruff"),
        "MYPY_CACHE_DIR": str(cache / "mypy"),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(cache / "hypothesis"),
        "COVERAGE_FILE": str(cache / "coverage"),
        # A repository around the cache folder (a home folder's, say) is not ours.
        "GIT_CEILING_DIRECTORIES": str(cache.parent),
        # Left alone, reuse would look for libmagic, which a machine may not have.
        "REUSE_ENCODING_MODULE": "charset_normalizer",
        # The receiver listens on loopback, where no proxy leads.
        "no_proxy": local,
        "NO_PROXY": local,
    }
    if not sys.stdout.isatty():
        env["NO_COLOR"] = "1"
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    if "utf" not in locale.lower():  # Ansible refuses to run without
        env["LC_ALL"] = "C.UTF-8"
    return env
