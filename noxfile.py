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
from cores import COMPLETE, CORES, NEWEST, OLDEST_CORE, PYTHONS, WITH_SANITY, controller
from steps import IN_PARALLEL, TOOLS, install, run, run_ansible_test, run_pytest
from workspace import CACHE, COLLECTION, ROOT, TREE, fresh, isolate

isolate()

NEWEST_AND_OLDEST = nox.parametrize(
    "python,core",
    [(NEWEST, "newest"), (controller(OLDEST_CORE), "oldest")],
    ids=["newest", "oldest"],
)

# Most sessions use one processor. Those with parallel tests run alone.
nox.options.allow_parallel = True
nox.options.envdir = CACHE / "nox"
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "uv|venv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = COMPLETE
# First the quick ones, then the longest, so that two processors are busy to the end.
nox.options.sessions = ["formatters", "codeqa", "typing", "sanity", "targets"]
nox.options.sessions += ["build-import-check", "docs", "ansible-lint", "unit", "integration"]


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
    steps.check_schemas(session)
    steps.check_white_space(session)


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
    # Starting two processes takes longer than a few chosen tests.
    arguments = steps.with_folder("tests/unit", session.posargs or IN_PARALLEL)
    if core == "oldest":  # the pages and the layout of the repository are the same there
        same = ("docs", "test_layers.py", "test_meta.py", "test_readme.py", "test_repository.py")
        arguments += [f"--ignore=tests/unit/{name}" for name in same]
        arguments += ["--hypothesis-profile=few"]
    if os.environ.get("QUICK"):  # set by "make quick"
        arguments += ["-m", "not slow"]
    # pytest compiles each test anew in all processes, unless it may keep what it has compiled.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode")}
    run_pytest(session, *arguments, **compiled)


@nox.session(allow_parallel=False)
@NEWEST_AND_OLDEST
def integration(session: nox.Session, core: str) -> None:
    """Run real playbooks against the receiver. Arguments go to pytest, such as -k role."""
    install(session, core, core)
    arguments = steps.with_folder("tests/integration", session.posargs)
    run_pytest(session, *IN_PARALLEL, *steps.marked(core), *arguments)


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
    if core == "oldest":
        run_ansible_test(
            session, "sanity", "--python", "3.8", "--test", "compile", "--test", "import"
        )
    elif session.posargs:
        run_ansible_test(session, "sanity", *session.posargs)
    else:
        run_ansible_test(session, "sanity", "--python", NEWEST, "--skip-test", "pylint")
        # pylint takes two minutes for the tests, which ruff and mypy check.
        run_ansible_test(session, "sanity", "--test", "pylint", "--exclude", "tests/")


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """Check the documentation, and build the site. The session sanity checks the changelog."""
    install(session, "docs")
    options = ("--plugin-docs", "--skip-rstcheck", "--validate-collection-refs", "self")
    run(session, "antsibull-docs", "lint-collection-docs", *options, ".")
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
@nox.parametrize("python,core", [(controller(core), core) for core in CORES], ids=[*CORES])
def matrix(session: nox.Session, core: str) -> None:
    """Test one ansible-core. Arguments choose from: unit integration modules sanity."""
    known = ["unit", "integration", "modules", "sanity"]
    kinds = session.posargs or known
    if not {*kinds} <= {*known}:
        session.error(f"the arguments are not among {known}")
    steps.install_core(session, core)
    if "unit" in kinds:
        run_pytest(session, "tests/unit", *IN_PARALLEL)
    if "integration" in kinds:
        run_pytest(session, "tests/integration", *IN_PARALLEL, *steps.marked(core))
    if "modules" in kinds:
        steps.run_on_target_pythons(session, core)
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
    steps.require_chromium(session)
    env = {"PYTHONPATH": str(CACHE / "tree")}
    run(session, "python", TOOLS / "report_pictures.py", ROOT / "docs" / "images", env=env)


@nox.session(python=NEWEST)
def browser(session: nox.Session) -> None:
    """Open the report page in a headless Chromium: requests, policy, axe, phone, print."""
    steps.require_chromium(session)
    install(session, "browser")
    run_pytest(session, "tests/browser", *session.posargs)


@nox.session(python=NEWEST)
def chaos(session: nox.Session) -> None:
    """Kill and stop many runs and couriers at random; --chaos-seed=N repeats a run."""
    install(session, "newest")
    run_pytest(session, "tests/chaos", "-s", *session.posargs)
