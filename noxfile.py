# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the collection. "nox --list" shows them; the Makefile has the common ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote

import nox

sys.path.insert(0, str(Path(__file__).resolve().parent / "tests" / "tools"))
import steps
from steps import TOOLS, install, run, run_ansible_test, run_pytest
from workspace import CACHE, COLLECTION, ROOT, TREE, fresh, isolate, link_pythons

# ansible-core: the Pythons of a controller (the first one found is used) and of targets, as its
# own ansible-test lists them (_util/target/common/constants.py).
_TO_313 = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
CORES = {
    "2.16": (("3.10", "3.11"), _TO_313[:-1]),
    "2.17": (("3.11", "3.10"), _TO_313[:-1]),
    "2.18": (("3.12", "3.13", "3.11"), _TO_313),
    "2.19": (("3.11", "3.12", "3.13"), _TO_313),
    "2.20": (("3.12", "3.13"), _TO_313[1:]),
    "2.21": (("3.13", "3.12"), _TO_313[1:]),
}
OLDEST_CORE, *_OTHERS, NEWEST_CORE = CORES
WITH_SANITY = ("2.16", "2.19", "2.21")
# Most of the time of a test goes by in ansible-playbook, which uses one processor.
IN_PARALLEL = ("-n", "2", "--dist", "worksteal")

PYTHONS = link_pythons(_TO_313)
isolate()


def _first(pythons: tuple[str, ...]) -> str:
    """Return the first of these Pythons that works here; nox skips a session without one."""
    return next((version for version in pythons if version in PYTHONS), pythons[0])


NEWEST = _first(("3.13", "3.12", "3.11"))
NEWEST_AND_OLDEST = nox.parametrize(
    "python,core",
    [(NEWEST, "newest"), (_first(CORES[OLDEST_CORE][0]), "oldest")],
    ids=["newest", "oldest"],
)


def _marked(core: str) -> tuple[str, ...]:
    """Return the arguments of pytest that choose the integration tests of this ansible-core."""
    return () if core in ("newest", NEWEST_CORE) else ("-m", "every_core")


# Continuous integration requires the complete matrix; elsewhere, a missing Python is skipped.
COMPLETE = os.environ.get("CI", "") not in ("", "0", "false") and "matrix" in " ".join(sys.argv)

# Most sessions use one processor. Those with parallel tests run alone.
nox.options.allow_parallel = True
nox.options.envdir = CACHE / "nox"
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "uv|venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = COMPLETE
nox.options.sessions = ["formatters", "codeqa", "ansible-lint", "typing", "unit", "integration"]
nox.options.sessions += ["targets", "sanity", "docs", "build-import-check"]


@nox.session(python=NEWEST)
def formatters(session: nox.Session) -> None:
    """Check the format of the Python files; "fix" rewrites them and the tables of the guides."""
    install(session, "lint")
    if session.posargs == ["fix"]:
        session.chdir(ROOT)
        session.run("ruff", "check", "--fix-only", "--select", "I", ".")
        session.run("ruff", "format", ".")
        session.run("python", "tests/tools/docs_tables.py")
    else:
        run(session, "ruff", "format", "--diff", ".")


@nox.session(python=NEWEST)
def codeqa(session: nox.Session) -> None:
    """Check code, YAML, licences, white space, and the files of GitHub."""
    install(session, "lint")
    run(session, "ruff", "check", "--output-format", "concise", ".")
    run(session, "yamllint", "--strict", ".")
    run(session, "reuse", "--root", ".", "lint")
    run(session, "zizmor", "--offline", "--quiet", ".github")
    forms = [str(path) for path in Path(".github/ISSUE_TEMPLATE").glob("[!c]*.yml")]
    files = {"github-workflows": [".github/workflows/checks.yml"], "github-issue-forms": forms}
    for kind, names in {**files, "dependabot": [".github/dependabot.yml"]}.items():
        run(session, "check-jsonschema", "--builtin-schema", f"vendor.{kind}", *names)
    # Compared with Git's empty tree, every line is new.
    empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    session.run("git", "-C", str(ROOT), "diff", "--check", empty, external=True)


@nox.session(name="ansible-lint", python=NEWEST)
def ansible_lint(session: nox.Session) -> None:
    """Check playbooks and the role with ansible-lint."""
    install(session, "lint")
    run(session, "ansible-lint", "--offline", "--strict", "--profile", "production")


@nox.session(python=NEWEST)
def typing(session: nox.Session) -> None:
    """Check the types of everything that is Python with mypy."""
    install(session, "typing")
    # From above the collection, so that modules have the names that Ansible gives them.
    session.chdir(CACHE / "tree")
    scripts = [TREE / "playbooks/files", TOOLS, TOOLS / "bench"]
    path = os.pathsep.join(map(str, [CACHE / "tree", *scripts]))
    names = ("noxfile.py", "plugins", "playbooks/files", "tests")
    command = ("mypy", "--config-file", COLLECTION / "pyproject.toml")
    run(session, *command, *(COLLECTION / name for name in names), env={"MYPYPATH": path})


@nox.session(allow_parallel=False)
@NEWEST_AND_OLDEST
def unit(session: nox.Session, core: str) -> None:
    """Run the unit tests. Arguments go to pytest, such as -k signature."""
    install(session, core, core)
    few = ["--hypothesis-profile=few"] if core == "oldest" else []
    # Starting two processes takes longer than a few chosen tests.
    run_pytest(session, *steps.with_folder("tests/unit", session.posargs or IN_PARALLEL), *few)


@nox.session(allow_parallel=False)
@NEWEST_AND_OLDEST
def integration(session: nox.Session, core: str) -> None:
    """Run real playbooks against the receiver. Arguments go to pytest, such as -k role."""
    install(session, core, core)
    arguments = steps.with_folder("tests/integration", session.posargs)
    run_pytest(session, *IN_PARALLEL, *_marked(core), *arguments)


@nox.session(python=NEWEST)
def targets(session: nox.Session) -> None:
    """Run the integration targets with ansible-test. Arguments choose them."""
    install(session, "newest")
    run_ansible_test(session, "integration", *session.posargs)


@nox.session
@NEWEST_AND_OLDEST
def sanity(session: nox.Session, core: str) -> None:
    """Run ansible-test sanity. The matrix adds more Pythons of targets, and pylint of tests."""
    if core == "oldest" and "3.8" not in PYTHONS:
        session.skip("Python 3.8 was not found, the oldest that modules run on")
    install(session, core, core)
    runs: list[tuple[str, ...]]
    if core == "oldest":
        runs = [("--python", "3.8", "--test", "compile", "--test", "import")]
    elif session.posargs:
        runs = [tuple(session.posargs)]
    else:
        # pylint takes two minutes for the tests, which ruff and mypy check.
        python = ("--python", str(session.python))
        runs = [(*python, "--skip-test", "pylint"), ("--test", "pylint", "--exclude", "tests/")]
    for arguments in runs:
        run_ansible_test(session, "sanity", *arguments)


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Check the documentation and the changelog fragments, and build the documentation site."""
    install(session, "docs")
    options = ("--plugin-docs", "--skip-rstcheck", "--validate-collection-refs", "self")
    run(session, "antsibull-docs", "lint-collection-docs", *options, ".")
    run(session, "antsibull-changelog", "lint")
    run(session, "python", TOOLS / "build_site.py", fresh("docs"))


@nox.session(name="build-import-check", python=NEWEST)
def build_import_check(session: nox.Session) -> None:
    """Build it, install it from the file and from a git URL, and import it as Galaxy does."""
    install(session, "galaxy", "galaxy")
    archive = steps.build_collection(session)
    for source in (archive, "git+file://" + quote(str(ROOT))):
        paths = steps.install_collection(session, source, "installed")
        run(session, "ansible-playbook", "--syntax-check", "aliops.cloudmonitor.demo", env=paths)
    steps.import_collection(session, archive)


@nox.session(python=NEWEST)
def demo(session: nox.Session) -> None:
    """Build and install the collection and run the demo, as a user would."""
    install(session, "demo")
    paths = steps.install_collection(session, steps.build_collection(session), "demo")
    env = {"ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0", **paths}
    session.chdir(paths["ANSIBLE_COLLECTIONS_PATH"])
    run(session, "ansible-playbook", "aliops.cloudmonitor.demo", *session.posargs, env=env)


@nox.session(allow_parallel=False)
@nox.parametrize("python,core", [(_first(CORES[core][0]), core) for core in CORES], ids=[*CORES])
def matrix(session: nox.Session, core: str) -> None:
    """Test one ansible-core. Arguments choose from: unit integration modules sanity."""
    known = ["unit", "integration", "modules", "sanity"]
    kinds = session.posargs or known
    if not {*kinds} <= {*known}:
        session.error(f"the arguments are not among {known}")
    missing = [version for version in CORES[core][1] if version not in PYTHONS]
    if missing and COMPLETE:
        session.error(f"Python {', '.join(missing)} was not found")
    name = {OLDEST_CORE: "oldest", NEWEST_CORE: "newest"}.get(core, f"core-{core}")
    install(session, name, "oldest" if core in ("2.16", "2.17", "2.18") else "newest")
    if "unit" in kinds:
        run_pytest(session, "tests/unit", *IN_PARALLEL)
    if "integration" in kinds:
        run_pytest(session, "tests/integration", *IN_PARALLEL, *_marked(core))
    if "modules" in kinds:
        found = [PYTHONS[version] for version in CORES[core][1] if version in PYTHONS]
        pythons = steps.target_pythons(session, found)
        test = "tests/integration/test_target_pythons.py"
        run_pytest(session, test, TARGET_PYTHONS=pythons)
        session.log(f"modules ran on {pythons}; missing Pythons: {', '.join(missing) or 'none'}")
    if "sanity" in kinds and core in WITH_SANITY:
        run_ansible_test(session, "sanity")


@nox.session(python=NEWEST)
def coverage(session: nox.Session) -> None:
    """Measure the branch coverage of plugins/ by the unit and integration tests."""
    install(session, "coverage")
    with steps.measured(session):
        for folder in ("tests/unit", "tests/integration"):
            run_pytest(session, folder, *IN_PARALLEL)


@nox.session(python=NEWEST)
def mutation(session: nox.Session) -> None:
    """Change one file in many small ways; list what its tests do not notice: _api/response.py."""
    install(session, "mutation", "mutation")
    steps.mutate(session, session.posargs[0])


@nox.session(python=NEWEST)
def bench(session: nox.Session) -> None:
    """Measure the cost of events and of the callback, and store it in docs: ten minutes."""
    install(session, "peers", "peers")
    script, env = TOOLS / "bench" / "bench.py", {"PYTHONPATH": str(TOOLS)}
    run(session, "python", script, ROOT, *session.posargs, seconds=3600, env=env)
    session.run("python", str(ROOT / "tests/tools/docs_tables.py"))


@nox.session(python=NEWEST)
def pictures(session: nox.Session) -> None:
    """Run the demo and the report, and make the pictures of them in docs/images."""
    install(session, "browser")
    run(session, "python", TOOLS / "terminal_picture.py", ROOT / "docs" / "images" / "demo.svg")
    if steps.find_chromium() is None:
        session.skip("Chromium was not found: install it, or set CHROMIUM to its path")
    env = {"PYTHONPATH": str(CACHE / "tree")}
    run(session, "python", TOOLS / "report_pictures.py", ROOT / "docs" / "images", env=env)


@nox.session(python=NEWEST)
def browser(session: nox.Session) -> None:
    """Open the report page in a headless Chromium: requests, policy, axe, phone, print."""
    if steps.find_chromium() is None:
        session.skip("Chromium was not found: install it, or set CHROMIUM to its path")
    install(session, "browser")
    run_pytest(session, "tests/browser", *session.posargs)


@nox.session(python=NEWEST)
def chaos(session: nox.Session) -> None:
    """Kill and stop many runs and couriers at random; --chaos-seed=N repeats a run."""
    install(session, "newest")
    run_pytest(session, "tests/chaos", "-s", *session.posargs)
