# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each make target does."""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import environments
import reports
from commands import StepFailed, StepSkipped, call
from environments import Environment
from workspace import COLLECTION, Workspace

TOOLS = Path("tests", "tools")
# Most of their time goes by in ansible-playbook, which uses one processor.
IN_PARALLEL = ("-n", "2", "--dist", "worksteal")
ON_TARGETS = "tests/integration/test_target_pythons.py"
PYTHON_FOLDERS = ("plugins", "playbooks/files", "tests")


@dataclass
class Steps:
    """The steps, on one copy of the collection.

    What they cannot look at is added to notes; said is what the last one tells of itself.
    """

    workspace: Workspace
    arguments: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    said: str = ""

    @cached_property
    def newest(self) -> Environment:
        """The environment with the newest ansible-core and the tools."""
        return environments.newest(self.workspace.cache)

    @cached_property
    def oldest(self) -> Environment:
        """The environment with the oldest ansible-core; StepSkipped when no Python runs it."""
        environment = environments.oldest(self.workspace.cache)
        if environment is None:
            raise StepSkipped("no Python 3.10 or 3.11 with venv, which ansible-core 2.16 needs")
        return environment

    @cached_property
    def pythons(self) -> Path:
        """A folder for PATH with every Python that runs here; the others are noted."""
        folder = self.workspace.fresh("pythons")
        missing = ", ".join(environments.link_pythons(folder))
        if missing:
            self.notes.append(f"nothing was tried on Python {missing}: not installed")
        return folder

    def _call(
        self,
        environment: Environment,
        *command: str | Path,
        seconds: float = 600,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Run a program of the environment in the copy of the collection."""
        program, *words = command
        workspace = self.workspace
        env = environments.variables(environment, workspace.cache, workspace.root)
        env["PATH"] = f"{environment.bin}:{self.pythons}:{env['PATH']}"
        env.update(more or {})
        call([environment.bin / program, *words], workspace.tree, env, seconds)

    def run_program(self, environment: Environment, *command: str | Path) -> None:
        """Run a program of the environment in the copy of the collection."""
        self._call(environment, *command)

    def _call_all(self, *commands: tuple[str | Path, ...]) -> None:
        """Run several programs of the newest environment, all of them; StepFailed names the bad."""
        failures = []
        for command in commands:
            try:
                self._call(self.newest, *command)
            except StepFailed as failure:
                failures.append(str(failure))
        if failures:
            raise StepFailed(", ".join(failures))

    def _folders(self) -> list[str]:
        return [folder for folder in PYTHON_FOLDERS if (self.workspace.tree / folder).exists()]

    def rewrite_format(self) -> None:
        """Bring the checkout's Python files into the one format."""
        env = environments.variables(self.newest, self.workspace.cache, self.workspace.root)
        for command in (["format"], ["check", "--fix-only", "--select", "I"]):
            call([self.newest.bin / "ruff", *command, "."], self.workspace.checkout, env)

    def check_format(self) -> None:
        """Check the format and change nothing."""
        self._call(self.newest, "ruff", "format", "--diff", ".")

    def lint(self) -> None:
        """Run the linters, and the rules that no linter knows."""
        self._call_all(
            ("ruff", "check", "--output-format", "concise", "."),
            ("python", TOOLS / "check_rules.py", "."),
            ("yamllint", "--strict", "."),
            ("reuse", "--root", ".", "lint"),
            ("ansible-lint", "--offline", "--strict", "--profile", "production"),
        )

    def types(self) -> None:
        """Check the types of everything that is Python."""
        # From above the collection, so that modules have the names that Ansible gives them.
        workspace = self.workspace
        scripts = [
            workspace.tree / TOOLS,
            workspace.tree / TOOLS / "bench",
            workspace.tree / "playbooks" / "files",
        ]
        env = environments.variables(self.newest, workspace.cache, workspace.root)
        env["MYPYPATH"] = ":".join(str(path) for path in [workspace.root, *scripts])
        command: list[str | Path] = [self.newest.bin / "mypy", "--config-file"]
        command += [COLLECTION / "pyproject.toml"]
        call([*command, *(COLLECTION / name for name in self._folders())], workspace.root, env)

    def _pytest(
        self,
        environment: Environment,
        folder: str,
        options: Sequence[str] = (),
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Run the tests in a folder, if there are any, with the collection importable."""
        place = self.workspace.tree / folder
        if not place.is_file() and not list(place.rglob("test_*.py")):
            raise StepSkipped(f"no test in {folder}")
        command = ["python", "-m", "pytest", "-p", "no:cacheprovider", folder]
        # The tests import the collection as Ansible does: as ansible_collections.aliops...
        env = {"PYTHONPATH": str(self.workspace.root), **(more or {})}
        # A short path, because the tests make sockets below it, whose names are limited.
        with tempfile.TemporaryDirectory(prefix="cm-", ignore_cleanup_errors=True) as base:
            report = Path(base, "report.xml")
            command += [f"--basetemp={base}/t", f"--junit-xml={report}", *options, *self.arguments]
            try:
                self._call(environment, *command, seconds=2400, more=env)
            finally:
                self.said = reports.counts(report)

    def unit_newest(self) -> None:
        """Run the unit tests with the newest ansible-core and requests."""
        self.unit(self.newest)

    def unit_oldest(self) -> None:
        """Run the unit tests with the oldest ansible-core and requests."""
        self.unit(self.oldest)

    def unit(self, environment: Environment) -> None:
        """Run the unit tests with the ansible-core of an environment."""
        # Starting two processes takes longer than a few chosen tests.
        self._pytest(environment, "tests/unit", options=() if self.arguments else IN_PARALLEL)

    def integration_newest(self) -> None:
        """Run real playbooks with the newest ansible-core."""
        self.integration(self.newest)

    def integration_oldest(self) -> None:
        """Run real playbooks with the oldest ansible-core."""
        self.integration(self.oldest)

    def integration(self, environment: Environment) -> None:
        """Run real playbooks with the ansible-core of an environment."""
        self._pytest(environment, "tests/integration", options=IN_PARALLEL)

    def on_targets(self, environment: Environment, pythons: Sequence[Path]) -> None:
        """Run modules on hosts that have these Pythons."""
        more = {"TARGET_PYTHONS": os.pathsep.join(map(str, pythons))}
        self._pytest(environment, ON_TARGETS, more=more)

    def _prepare_ansible_test(self, environment: Environment) -> None:
        """Give ansible-test a pip; StepSkipped where it cannot work at all."""
        if re.search(r"\s", str(self.workspace.cache)):
            raise StepSkipped("ansible-test fails below a folder with a space: set XDG_CACHE_HOME")
        self._call(environment, "python", TOOLS / "seed_pip.py")

    def targets(self) -> None:
        """Run the integration targets as ansible-test does for every collection."""
        if not list((self.workspace.tree / "tests/integration/targets").glob("*/")):
            raise StepSkipped("no target in tests/integration/targets")
        self._prepare_ansible_test(self.newest)
        self._call(self.newest, "ansible-test", "integration", "--local", "--color", "no")

    def sanity(self) -> None:
        """Run ansible-test's sanity tests with the newest ansible-core."""
        self.sanity_of(self.newest)

    def sanity_of(self, environment: Environment) -> None:
        """Run the sanity tests of the ansible-test of an environment."""
        ignored = list((self.workspace.tree / "tests/sanity").glob("ignore-*.txt"))
        if any(path.read_text().strip() for path in ignored):
            raise StepFailed("an ignore file has entries: mend the cause instead")
        self._prepare_ansible_test(environment)
        command = ("ansible-test", "sanity", "--local", "--color", "no", *self.arguments)
        self._call(environment, *command, seconds=1200)

    def sanity_oldest(self) -> None:
        """See that Python 3.8, which only the oldest ansible-core knows, imports what it runs."""
        if environments.find_python("3.8") is None:
            raise StepSkipped("no Python 3.8 with venv, the oldest that modules run on")
        self._prepare_ansible_test(self.oldest)
        command = ["ansible-test", "sanity", "--local", "--color", "no", "--python", "3.8"]
        self._call(self.oldest, *command, "--test", "compile", "--test", "import")

    def docs_lint(self) -> None:
        """Check the documentation of every plugin and role, and the changelog fragments."""
        options = ("--plugin-docs", "--skip-rstcheck", "--validate-collection-refs", "self")
        self._call_all(
            ("antsibull-docs", "lint-collection-docs", *options, "."),
            ("python", TOOLS / "check_docs.py", "."),
            ("antsibull-changelog", "lint"),
        )

    def docs_site(self) -> None:
        """Build the documentation site; a warning, or a link inside it that fails, is an error."""
        site = self.workspace.fresh("docs")
        pages, settings = site / "rst", TOOLS / "docs_site"
        pages.mkdir(mode=0o700)  # antsibull-docs writes into none that others may write to
        write: list[str | Path] = ["antsibull-docs", "--config-file"]
        write += [settings / "antsibull-docs.cfg", "collection"]
        write += ["--cleanup", "everything", "--fail-on-error", "--use-current"]
        write += ["--squash-hierarchy", "--dest-dir", pages, "aliops.cloudmonitor"]
        self._call(self.newest, *write)
        strict = ("-W", "--keep-going", "-q")
        self._call(self.newest, "sphinx-build", "-M", "html", pages, site, "-c", settings, *strict)
        print(f"the site: {site}/html/index.html")

    def _build(self, environment: Environment) -> Path:
        output = self.workspace.fresh("build")
        self._call(environment, "ansible-galaxy", "collection", "build", "--output-path", output)
        return next(output.glob("*.tar.gz"))

    def _install(self, environment: Environment, source: str | Path, root: Path) -> None:
        """Install the collection from a source into an empty folder."""
        install = ("ansible-galaxy", "collection", "install", "--offline", "-p", root, source)
        self._call(environment, *install, more={"ANSIBLE_COLLECTIONS_PATH": str(root)})

    def build(self) -> None:
        """Build it, look what is in it, install it from the file and from a git URL, look again."""
        archive = self._build(self.newest)
        with tarfile.open(archive) as content:
            names = set(content.getnames())
        expected = {"MANIFEST.json", "README.md", "COPYING", "meta/runtime.yml"}
        unwanted = sorted(name for name in names if name.startswith(".") or "__pycache__" in name)
        if unwanted or not expected <= names:
            raise StepFailed(f"{archive.name}: unwanted {unwanted}, missing {expected - names}")
        url = "git+file://" + quote(str(self.workspace.checkout))
        for name, source in (("from-file", archive), ("from-git", url)):
            root = self.workspace.fresh(name)
            self._install(self.newest, source, root)
            paths = {"ANSIBLE_COLLECTIONS_PATH": str(root)}
            check = self.workspace.tree / TOOLS / "check_docs.py"
            self._call(self.newest, "python", check, root / COLLECTION, more=paths)

    def galaxy(self) -> None:
        """Build the collection and import it as Galaxy does; a warning is a failure."""
        environment = environments.galaxy(self.workspace.cache)
        archive = self._build(environment)
        script = TOOLS / "check_galaxy.py"
        self._call(environment, "python", script, archive, self.workspace.fresh("galaxy"))

    def mutation(self) -> None:
        """Break pure code in many small ways and count what its tests notice."""
        environment = environments.mutation(self.workspace.cache)
        folder = self.workspace.cache / "mutation"
        folder.mkdir(exist_ok=True)
        paths = {"PYTHONPATH": str(self.workspace.root)}
        script = TOOLS / "mutation.py"
        self._call(environment, "python", script, folder, *self.arguments, seconds=7200, more=paths)

    def demo(self) -> None:
        """Build and install the collection and play the demo, as a user would."""
        environment = environments.demo(self.workspace.cache)
        root = self.workspace.fresh("demo")
        self._install(environment, self._build(environment), root)
        env = environments.variables(environment, self.workspace.cache, root)
        env |= {"ANSIBLE_LOCALHOST_WARNING": "False", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False"}
        playbook = environment.bin / "ansible-playbook"
        call([playbook, "aliops.cloudmonitor.demo", *self.arguments], root, env)

    def bench(self) -> None:
        """Measure what events cost beside tasks of ansible-core."""
        self._call(self.newest, "python", TOOLS / "bench" / "tasks.py")

    def bench_callbacks(self) -> None:
        """Measure what the callback costs a run, beside other collections' callbacks."""
        environment = environments.peers(self.workspace.cache)
        if environment is None:
            raise StepSkipped("the ansible package of the comparison needs Python 3.12 or newer")
        result = self.workspace.cache / "bench-callbacks.json"
        script = TOOLS / "bench" / "callbacks.py"
        self._call(environment, "python", script, result, *self.arguments, seconds=3600)
        print(f"as JSON: {result}")
