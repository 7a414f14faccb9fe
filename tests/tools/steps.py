# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several sessions of noxfile.py have in common."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import nox
from cores import COMPLETE, CORES, NEWEST_CORE, OLDEST_CORE, PYTHONS
from workspace import CACHE, ROOT, TREE, copy_checkout, fresh

TOOLS = TREE / "tests" / "tools"
REQUIREMENTS = ROOT / "tests" / "requirements"
# More than two processors, because tests of waits and deadlines leave them idle.
IN_PARALLEL = ("-n", "4", "--dist", "worksteal")
# Automation Hub requires a tag of its list and a stable version, Galaxy does not. The session
# ansible-lint checks the same files with the same profile and more rules.
IMPORTER = {
    "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false",
    "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
    "GALAXY_IMPORTER_REQUIRE_V1_OR_GREATER": "true",
}


def install(session: nox.Session, requirements: str, lock: str = "newest") -> None:
    """Go to the copy of the checkout; install a file of tests/requirements unless it is there."""
    copy_checkout()
    session.chdir(TREE)
    texts = [path.read_bytes() for path in sorted(REQUIREMENTS.glob("*.txt"))]
    digest = hashlib.sha256(b"\0".join([requirements.encode(), *texts])).hexdigest()
    stamp = Path(session.virtualenv.location, "requirements.sha256")
    if not stamp.exists() or stamp.read_text() != digest:
        constraints = f"{REQUIREMENTS / lock}-lock.txt"
        session.install("-qq", "-r", f"{REQUIREMENTS / requirements}.txt", "-c", constraints)
        stamp.write_text(digest)


def install_core(session: nox.Session, core: str) -> None:
    """Install one ansible-core. Continuous integration also requires all Pythons of targets."""
    missing = _missing_pythons(core)
    if missing and COMPLETE:
        session.error(f"Python {', '.join(missing)} was not found")
    name = {OLDEST_CORE: "oldest", NEWEST_CORE: "newest"}.get(core, f"core-{core}")
    install(session, name, "oldest" if core in ("2.16", "2.17", "2.18") else "newest")


def _missing_pythons(core: str) -> list[str]:
    return [version for version in CORES[core][1] if version not in PYTHONS]


def run(
    session: nox.Session,
    *command: str | Path,
    seconds: int = 600,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a program for at most so long. Everything that it started is gone afterwards."""
    session.log(shlex.join(map(str, command)))
    bounded = ("python", TOOLS / "bounded.py", str(seconds))
    # bounded.py gets time to end the rest.
    session.run(
        *(*bounded, *command), env=env, log=False, interrupt_timeout=1, terminate_timeout=30
    )


def run_pytest(session: nox.Session, *arguments: str, **more: str) -> None:
    """Run tests, which import the collection as Ansible does."""
    # A short path, because the tests make sockets below it, whose names are limited.
    with tempfile.TemporaryDirectory(prefix="cm-", ignore_cleanup_errors=True) as base:
        command = ("python", "-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={base}/t")
        env = {"PYTHONPATH": str(CACHE / "tree"), **more}
        run(session, *command, *arguments, seconds=2400, env=env)


def with_folder(folder: str, arguments: Sequence[str]) -> list[str]:
    """Return the arguments of pytest, with a folder unless they name their own."""
    named = any(word.startswith("tests/") for word in arguments)
    return [*arguments] if named else [folder, *arguments]


def marked(core: str) -> tuple[str, ...]:
    """Return the arguments of pytest that choose the integration tests of this ansible-core."""
    return () if core in ("newest", NEWEST_CORE) else ("-m", "every_core")


def check_schemas(session: nox.Session) -> None:
    """Check the files that GitHub reads."""
    forms = [str(path) for path in Path(".github/ISSUE_TEMPLATE").glob("[!c]*.yml")]
    files = {"github-workflows": [".github/workflows/checks.yml"], "github-issue-forms": forms}
    for kind, names in {**files, "dependabot": [".github/dependabot.yml"]}.items():
        run(session, "check-jsonschema", "--builtin-schema", f"vendor.{kind}", *names)


def check_white_space(session: nox.Session) -> None:
    """Check the white space of all lines: compared with Git's empty tree, every line is new."""
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    session.run("git", "-C", str(ROOT), "diff", "--check", empty, external=True)


def run_ansible_test(session: nox.Session, *arguments: str) -> None:
    """Run ansible-test, with a pip for the environments that it makes."""
    if re.search(r"\s", str(CACHE)):
        session.skip("ansible-test fails below a folder with a space: set XDG_CACHE_HOME")
    if not Path(session.bin, "pip").exists():  # as in an environment that uv made
        session.install("-qq", "pip")
    run(session, "python", TOOLS / "seed_pip.py")
    run(session, "ansible-test", *arguments, "--local", "--color", "no", seconds=1200)


def require_chromium(session: nox.Session) -> None:
    """Skip the session without a Chromium or Chrome."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    if not any(shutil.which(name) for name in names if name):
        session.skip("Chromium was not found: install it, or set CHROMIUM to its path")


def build_collection(session: nox.Session) -> Path:
    """Build the collection, and return the file."""
    output = fresh("build")
    run(session, "ansible-galaxy", "collection", "build", "--output-path", output)
    (archive,) = output.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        unwanted = [name for name in content.getnames() if re.search(r"^\.|__pycache__", name)]
    if unwanted:
        session.error(f"{archive.name} has {unwanted}")
    return archive


def install_collection(session: nox.Session, source: str | Path, folder: str) -> dict[str, str]:
    """Install the collection from a source, and return the variable with which Ansible finds it."""
    root = fresh(folder)
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(root)}
    command = ("ansible-galaxy", "collection", "install", "--offline", "-p", root, source)
    run(session, *command, env=paths)
    return paths


def import_collection(session: nox.Session, archive: Path) -> None:
    """Import a built collection as Galaxy does; a warning fails the session."""
    session.chdir(fresh("galaxy"))
    log = Path("importer.log")
    with log.open("w") as output:
        session.run("python", "-m", "galaxy_importer.main", archive, env=IMPORTER, stdout=output)
    text = log.read_text(encoding="utf-8")
    print(text)
    complaints = re.findall(r"^\s*(?:WARNING|ERROR|CRITICAL)\b.*", text, re.MULTILINE)
    # An importer that does not list the callback has not looked.
    if complaints or "deployment_events" not in Path("importer_result.json").read_text():
        session.error("\n".join(complaints) or "the callback was not found")


def run_on_target_pythons(session: nox.Session, core: str) -> None:
    """Run the modules on each Python of targets that is here, with requests."""
    made = []
    for python in (PYTHONS[version] for version in CORES[core][1] if version in PYTHONS):
        folder = CACHE / "targets" / python.name
        run(session, python, "-m", "venv", folder)
        files = (REQUIREMENTS / "target.txt", "-c", REQUIREMENTS / "target-lock.txt")
        run(session, folder / "bin/python", "-m", "pip", "install", "-qq", "-r", *files)
        made.append(str(folder / "bin/python"))
    pythons = os.pathsep.join(made)  # the form of PATH
    run_pytest(session, "tests/integration/test_target_pythons.py", TARGET_PYTHONS=pythons)
    missing = ", ".join(_missing_pythons(core)) or "none"
    session.log(f"modules ran on {pythons}; missing Pythons: {missing}")


@contextmanager
def measured(session: nox.Session) -> Iterator[None]:
    """Measure every Python that starts in the environment of the session.

    The tests clean the environment of what they start (Ansible, workers, couriers, modules), so
    the settings come from a .pth file, which every Python reads at its start.
    """
    (packages,) = Path(session.virtualenv.location).glob("lib/python3.*/site-packages")
    hook = packages / "a0_coverage.pth"  # "a0": before coverage's own a1_coverage.pth
    settings = {"COVERAGE_PROCESS_START": f"{TREE}/pyproject.toml", "COVERAGE_FILE": f"{CACHE}/cov"}
    data = {"COVERAGE_FILE": settings["COVERAGE_FILE"]}
    run(session, "coverage", "erase", env=data)
    hook.write_text(f"import os; os.environ.update({settings!r})\n")
    try:
        yield
    finally:
        hook.unlink()
    for command in ("combine", "report"):
        run(session, "coverage", command, env=data)


def mutate(session: nox.Session, name: str) -> None:
    """Run the tests of one file of plugins/, such as _api/response.py, on each of its mutants."""
    (source,) = TREE.glob(f"plugins/*/{name}")
    test = "tests/unit" / source.relative_to(TREE).parent / f"test_{source.name}"
    command = f"python -m pytest -qx -p no:cacheprovider --hypothesis-profile=few {test}"
    database = fresh("mutation") / "session.sqlite"
    config = database.with_suffix(".toml")
    config.write_text(
        f"[cosmic-ray]\nmodule-path = '{source}'\ntimeout = 60.0\nexcluded-modules = []\n"
        f"test-command = '{command}'\n[cosmic-ray.distributor]\nname = 'local'\n"
    )
    run(session, "cosmic-ray", "init", config, database)
    env = {"PYTHONPATH": str(CACHE / "tree")}
    run(session, "cosmic-ray", "exec", config, database, seconds=7200, env=env)
    run(session, "cr-report", "--surviving-only", "--show-diff", database)
