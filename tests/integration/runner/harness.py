# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job as AWX hands it to ansible-runner: a private data folder, an environment, a project."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    CALLBACK,
    INVENTORY,
    Plays,
    Project,
    Running,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    ansible_playbook,
)

FILES = Path(__file__).resolve().parents[3] / "docs" / "awx"
JOB = "4711"
HOST = "https://awx.example.com"
# Runner asks whether it is to cancel after so many seconds without output; its default is 5.
_PATIENCE = 1


def tool(name: str) -> str:
    """Return a command of the environment that the tests run in."""
    return str(Path(sys.executable).with_name(name))


def path() -> str:
    """Return a PATH with the commands of Ansible under test first, as an image has them."""
    return os.pathsep.join([str(Path(ansible_playbook()).parent), os.environ["PATH"]])


def injected(**inputs: str) -> dict[str, str]:
    """Return the variables that AWX makes of a credential of our type.

    AWX renders each with jinja2's sandbox; an input that was not filled in renders as nothing.
    """
    injector = yaml.safe_load((FILES / "credential-type-injector.yml").read_text("utf-8"))
    sandbox = ImmutableSandboxedEnvironment()  # type: ignore[no-untyped-call, unused-ignore]
    return {
        name: sandbox.from_string(text).render(inputs) for name, text in injector["env"].items()
    }


class Job:
    """A job of AWX: what its tasks put into the private data folder, and Runner's commands."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder / "private-data"
        self.write("inventory/hosts", INVENTORY)
        self.config("")
        self.write("env/settings", json.dumps({"pexpect_timeout": _PATIENCE, "idle_timeout": 120}))
        # The names are those of BaseTask.build_env and RunJob.build_env in AWX's
        # awx/main/tasks/jobs.py.
        self.envvars(
            {
                "JOB_ID": JOB,
                "INVENTORY_ID": "7",
                "PROJECT_REVISION": "0123456789abcdef0123456789abcdef01234567",
                "MAX_EVENT_RES": "700000",
                "AWX_HOST": HOST,
                "ANSIBLE_RETRY_FILES_ENABLED": "False",
                "CLOUDMONITOR_ENDPOINT": project.receiver.url,
                **injected(access_key_id=KEY_ID, access_key_secret=SECRET),
            }
        )
        # And these those of UnifiedJob.awx_meta_vars.
        self.write(
            "env/extravars",
            json.dumps({"awx_job_id": int(JOB), "awx_job_template_name": "deploy shop"}),
        )

    def write(self, name: str, text: str) -> None:
        """Write a file of the private data folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def envvars(self, variables: dict[str, str]) -> None:
        """Write the environment of the job."""
        self.write("env/envvars", json.dumps(variables))

    def config(self, section: str) -> None:
        """Write the project's ansible.cfg, with these lines in the callback's section."""
        text = "[defaults]\ncallbacks_enabled = %s\n[callback_deployment_events]\n%s\n"
        self.write("project/ansible.cfg", text % (CALLBACK, section))

    def play(self, plays: Plays) -> None:
        """Write the project's playbook."""
        self.write("project/site.yml", json.dumps(plays))

    def run(self, **variables: str | None) -> Running:
        """Start ``ansible-runner run``."""
        return self._start("{} run {} -i {} -p site.yml".format(*self._words()), **variables)

    def stream(self, **variables: str | None) -> Running:
        """Start ``transmit | worker | process``, as the nodes of a mesh do."""
        runner, data, job = self._words()
        worker, output = (
            shlex.quote(str(self.project.folder / name)) for name in ("worker", "processed")
        )
        line = (
            "{0} transmit {1} -i {2} -p site.yml | {0} worker --private-data-dir {3} "
            "| {0} process {4} -i {2}"
        )
        return self._start(line.format(runner, data, job, worker, output), **variables)

    def processes(self, *words: str) -> list[int]:
        """Return the pids of this job's processes whose command line has all these words.

        The shell that has started them all is not one of them.
        """
        found = self.project.processes()
        return [
            pid
            for pid, command in found.items()
            if all(word in command for word in words) and not command.startswith("bash -c")
        ]

    def playbook_pid(self) -> int:
        """Return the pid of the run's main process: of ansible-playbook, not of a worker of it."""
        found = self.processes("ansible-playbook", "site.yml")
        parents = {pid: _parent(pid) for pid in found}
        first = [pid for pid, parent in parents.items() if parent not in found]
        assert len(first) == 1, self.project.processes()
        return first[0]

    def artifact(self, name: str, folder: str = "private-data") -> str:
        """Return the text of one of the job's artifacts."""
        path = self.project.folder / folder / "artifacts" / JOB / name
        return path.read_text(encoding="utf-8")

    def shown(self) -> str:
        """Return what AWX would show of the job: the texts of its events, on one line.

        Runner's own text of it has only the last line of a warning that ansible-core broke.
        """
        folder = self.folder / "artifacts" / JOB / "job_events"
        events = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
        events.sort(key=lambda event: int(event["counter"]))
        return " ".join(" ".join(event["stdout"] for event in events).split())

    def _words(self) -> tuple[str, str, str]:
        return shlex.quote(tool("ansible-runner")), shlex.quote(str(self.folder)), JOB

    def _start(self, line: str, **variables: str | None) -> Running:
        given: dict[str, Any] = {
            # As in an execution environment: nothing but the job's own says where and as whom.
            "ANSIBLE_CONFIG": None,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": None,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": None,
            "CLOUDMONITOR_ENDPOINT": None,
            "PATH": path(),
            **variables,
        }
        return self.project.command("bash", "-c", "set -o pipefail; " + line, **given)


def _parent(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[1])
