# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role ``deployment``; private to it.

The steps ``open``, ``start`` and ``finish`` run once for a batch of hosts, ``enter`` and ``done``
on each host. They read the role's variables and the marks of all hosts, and report through the
action ``deployment_event``. Nothing here connects to a host.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as core_version

from ..module_utils._options import CONNECTION_NAMES, override_options
from ..plugin_utils._action import task_environment
from ..plugin_utils._role_ledger import (
    Ledger,
    Run,
    Verdict,
    hosts_to_come,
    is_lone_strategy,
    judge,
    must_fail_again,
)

EVENT_ACTION = "aliops.cloudmonitor.deployment_event"
GROUP_DEFAULTS = "group/aliops.cloudmonitor.cloudmonitor"
# What every event takes from the role's variables, each with the prefix deployment_. The start
# gets the names of the finish's events, too: a mistake in them shows before anything is deployed.
EVENT_OPTIONS = (
    "version",
    "environment",
    "details",
    "group_id",
    "start_event",
    "finish_event",
    "failure_event",
)


class Mistake(Exception):
    """Something is wrong with the play or the role's variables, and nothing was deployed yet."""


class ActionModule(ActionBase):
    """One step of the role."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the step that the task names; return its result.

        It is a failure for a mistake in the role's variables or the play, before anything is
        deployed, and for an outage if ``deployment_report_errors`` is ``fail``.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._vars: Mapping[str, Any] = task_vars or {}
        _unused, args = self.validate_argument_spec(
            argument_spec={
                "step": {"required": True, "choices": ["open", "enter", "start", "done", "finish"]},
                "wrapped": {"type": "bool", "default": False},
            }
        )
        try:
            result.update(self._step(args["step"], args["wrapped"]))
        except Mistake as mistake:
            result.update(failed=True, msg=str(mistake))
        result.setdefault("changed", False)
        return result

    def _step(self, step: str, wrapped: bool) -> dict[str, Any]:
        if step == "open":
            return self._open(wrapped)
        if step == "enter":
            return self._enter()
        if step == "start":
            return self._start()
        return self._done() if step == "done" else self._finish(wrapped)

    # The steps

    def _open(self, wrapped: bool) -> dict[str, Any]:
        """Check the play and the variables; find or make the deployment of this batch."""
        play = self._play
        strategy = str(self._templar.template(play.strategy))
        if is_lone_strategy(strategy):
            raise Mistake(
                f"The role cannot report under the strategy {strategy}: each host runs on its own,"
                " so no task can speak for all of them. Use the strategy linear, or report with"
                " aliops.cloudmonitor.deployment_event in plays of its own, before and after."
            )
        self._connection_options()
        for option in ("deployment_start_event", "deployment_finish_event"):
            if self._variable(option) is not None and not self._text(option).strip():
                raise Mistake(f"{option}: is empty; give the event a name.")
        name, host = self._text("deployment_name"), self._vars["inventory_hostname"]
        tasks_file = self._tasks_file() if wrapped else ""
        ledger = self._newest_ledger()
        if tasks_file and ledger.runs_file(play._uuid, host, tasks_file):
            raise Mistake(
                f"deployment_tasks_file {tasks_file} would run itself: a deployment inside it takes"
                ' over its variables. Give the inner one a file of its own, or "".'
            )
        run = ledger.joinable(play._uuid, name, host) or Run(
            key=uuid.uuid4().hex,
            play=play._uuid,
            name=name,
            id=self._text("deployment_id") or str(uuid.uuid4()),
            tasks_file=tasks_file,
        )
        batch = dict.fromkeys((*self._vars["ansible_play_batch"], host))
        ledger = ledger.open(run, tuple(batch))
        return {"ledger": ledger.dump(), "key": run.key, "tasks_file": tasks_file}

    def _enter(self) -> dict[str, Any]:
        """Mark this host as taking part."""
        opened = self._vars.get("deployment__step") or {}
        if "key" not in opened:
            raise Mistake(
                "A condition leaves the first host of the play out of the role, so nothing could be"
                " reported and nothing was deployed. With roles: and import_role a condition is put"
                " on every task; use include_role, where it decides about the role as a whole."
            )
        return {"key": opened["key"]}

    def _start(self) -> dict[str, Any]:
        """Report the start, unless an earlier batch did; note the hosts that entered."""
        opened = self._vars["deployment__step"]
        ledger = Ledger.read(opened["ledger"])
        run = ledger.run(opened["key"])
        entered = self._marked("deployment__entered", run, run.seen)
        run = replace(run, entered=tuple(dict.fromkeys((*run.entered, *entered))))
        answer: dict[str, Any] = {}
        if not run.started:
            try:
                answer = self._report(run, "start")
            except AnsibleError:
                raise  # the options are wrong, and nothing was deployed yet
            except Exception as error:
                answer = self._bookkeeping_error(error)
            if answer.get("failed"):
                return answer
            run = replace(run, started=True, record=answer.pop("deployment", None))
        return {
            **answer,
            "ledger": ledger.put(run).dump(),
            "key": run.key,
            "tasks_file": opened["tasks_file"],
        }

    def _done(self) -> dict[str, Any]:
        """Mark this host as done."""
        run = self._current(Ledger.read(self._vars.get("deployment__ledger")))
        return {"key": run.key} if run else {"warnings": [self._no_start()]}

    def _finish(self, wrapped: bool) -> dict[str, Any]:
        """Report the finish, if it is due; the deployment is over, so a mistake is a warning."""
        ledger = Ledger.read(self._vars.get("deployment__ledger"))
        answer: dict[str, Any] = {"fail_again": False, "failed_hosts": []}
        try:
            run = self._current(ledger)
            if run:
                # The next deployment takes over the mark, so it is noted here.
                done = {*run.done, *self._marked("deployment__done", run, run.entered)}
                run = replace(run, done=tuple(host for host in run.entered if host in done))
                verdict = self._verdict(run, "" if wrapped else self._text("deployment_status"))
                answer["fail_again"] = self._fails_again(verdict, wrapped)
                answer.update(failed_hosts=list(verdict.failed_hosts), status=verdict.status)
                ledger = ledger.close(replace(run, finished=run.finished or verdict.due))
                if verdict.due:
                    answer.update(self._softened(self._report(run, "finish", verdict.status)))
            elif not self._is_over(ledger):
                answer["warnings"] = [self._no_start()]
        except Exception as error:
            answer.update(self._bookkeeping_error(error))
        return {**answer, "ledger": ledger.dump()}

    # What the steps need

    @property
    def _play(self) -> Any:
        return self._task.get_play()

    def _verdict(self, run: Run, status: str) -> Verdict:
        """Return the verdict on ``run`` as the marks and the play's hosts have it now."""
        batch = self._vars["ansible_play_batch"]
        to_come = hosts_to_come(
            self._vars["ansible_play_hosts_all"],
            self._vars["ansible_play_hosts"],
            (*run.seen, *batch, self._vars["inventory_hostname"]),
            self._play.order,
        )
        return judge(run, to_come, status)

    def _fails_again(self, verdict: Verdict, wrapped: bool) -> bool:
        """Return whether the failed hosts have to fail once more for the play to notice."""
        if not wrapped or not verdict.failed_hosts or self._is_rescued():
            return False  # the block of a user who wrote one behaves as that user knows it
        core = tuple(int(part) for part in re.findall(r"\d+", core_version)[:2])
        limit = self._play.max_fail_percentage
        return must_fail_again(core, bool(self._task.any_errors_fatal), limit)

    def _is_rescued(self) -> bool:
        """Return whether a block around the role rescues the hosts that failed in it."""
        child, parent = self._task, self._task._parent
        while parent is not None:
            if getattr(parent, "rescue", None) and any(
                task._uuid == child._uuid for task in parent.block
            ):
                return True
            child, parent = parent, parent._parent
        return False

    def _current(self, ledger: Ledger) -> Run | None:
        """Return the deployment that this host is in, None when there is none."""
        try:
            name = self._text("deployment_name")
        except AnsibleError:
            name = ""  # it was readable at the start; the innermost deployment is meant
        return ledger.current(self._play._uuid, name)

    def _is_over(self, ledger: Ledger) -> bool:
        """Return whether this host's deployment of that name was finished before."""
        name, play = self._text("deployment_name"), self._play._uuid
        return any((run.play, run.name) == (play, name) for run in ledger.runs)

    def _newest_ledger(self) -> Ledger:
        """Return the ledger as the latest batch of this play, or an earlier play, left it."""
        hosts = self._vars["ansible_play_hosts_all"]
        return Ledger.newest(self._of_host(host, "deployment__ledger") for host in hosts)

    def _marked(self, mark: str, run: Run, hosts: Iterable[str]) -> list[str]:
        """Return those of ``hosts`` whose variable ``mark`` names ``run``."""
        values = ((host, self._of_host(host, mark)) for host in hosts)
        return [
            host
            for host, value in values
            if isinstance(value, Mapping) and value.get("key") == run.key
        ]

    def _of_host(self, host: str, variable: str) -> object:
        return self._vars["hostvars"][host].get(variable)

    def _variable(self, name: str) -> Any:
        """Return a variable of the role, None when it is not given."""
        if name not in self._vars:
            return None
        # Since ansible-core 2.19 an omitted value is left out of a dictionary, but an error alone.
        value = self._templar.template({name: self._vars[name]}).get(name)
        return None if value == self._vars.get("omit") else value

    def _text(self, name: str) -> str:
        value = self._variable(name)
        return "" if value is None else str(value)

    def _tasks_file(self) -> str:
        """Return the full path of the tasks file, empty when the roles are all there is."""
        name = self._text("deployment_tasks_file")
        if not name:
            if not self._variable("deployment_roles"):
                raise Mistake(
                    "There is nothing to deploy: give deployment_tasks_file, deployment_roles or"
                    " both. Nothing was reported and nothing was deployed."
                )
            return ""
        path = Path(self._vars["playbook_dir"]) / Path(name).expanduser()
        if not path.is_file():
            raise Mistake(
                f"deployment_tasks_file: there is no file {path}. A relative path is taken from the"
                " playbook's directory. Nothing was reported and nothing was deployed."
            )
        # A file that cannot be read ends the run on the spot, without a word from any always.
        if not isinstance(self._loader.load_from_file(str(path)), list):
            raise Mistake(f"deployment_tasks_file: {path} is not a list of tasks.")
        return str(path)

    def _connection_options(self) -> dict[str, Any]:
        """Return the connection options, checked for strangers."""
        options = self._variable("deployment_connection") or {}
        if not isinstance(options, Mapping):
            raise Mistake("deployment_connection: must be a dictionary of options.")
        unknown = sorted(set(options) - CONNECTION_NAMES)
        if unknown:
            raise Mistake(
                f"deployment_connection: {', '.join(unknown)}: no such option. It takes"
                f" {', '.join(sorted(CONNECTION_NAMES))}."
            )
        return dict(options)

    def _report(self, run: Run, phase: str, status: str = "") -> dict[str, Any]:
        """Report ``phase`` of ``run`` and return what the role passes on of the answer."""
        args = self._defaults()
        for option in EVENT_OPTIONS:
            value = self._variable("deployment_" + option)
            if value is not None:
                args[option] = value
        args = override_options(args, self._connection_options())
        args.update(phase=phase, report_from="controller")
        args["report_errors"] = self._text("deployment_report_errors") or "warn"
        if run.record:
            args.update(deployment=dict(run.record), status=status)
        else:
            args.update({"id": run.id, "name": run.name}, **({"status": status} if status else {}))
        answer = self._run_event_action(args)
        said = f"Deployment {run.name}, {phase}: "
        for key in ("warnings", "msg"):  # alike texts of start and finish would be shown once
            if isinstance(answer.get(key), str):
                answer[key] = said + answer[key]
            elif answer.get(key):
                answer[key] = [said + text for text in answer[key]]
        kept = ("failed", "msg", "error", "warnings", "deployment", "diff", "exception")
        return {name: answer[name] for name in kept if name in answer}

    def _defaults(self) -> dict[str, Any]:
        """Return the options that stand below those of the role: one retry, module_defaults."""
        args: dict[str, Any] = {}
        if not task_environment(self).get("CLOUDMONITOR_RETRIES"):
            args["retries"] = 1
        defaults = self._task.module_defaults or []
        merged: dict[str, Any] = {}
        for layer in defaults if isinstance(defaults, list) else [defaults]:
            merged.update(layer)
        for name in (GROUP_DEFAULTS, EVENT_ACTION):
            args.update(self._templar.template(merged.get(name, {})))
        return args

    def _run_event_action(self, args: dict[str, Any]) -> dict[str, Any]:
        """Run deployment_event as if it were this task, and return its result."""
        task = self._task.copy()
        task.action = EVENT_ACTION
        task.args = args
        action = self._shared_loader_obj.action_loader.get(
            EVENT_ACTION,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        result: dict[str, Any] = action.run(task_vars=self._vars)
        return result

    def _bookkeeping_error(self, error: Exception) -> dict[str, Any]:
        """Return the result for a mistake that must not decide over a deployment."""
        text = f"The deployment could not be reported: {to_text(error)}"
        return self._softened({"failed": True, "msg": text})

    def _softened(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return ``answer`` with a warning in the place of a failure, unless one is asked for."""
        try:
            fails = self._text("deployment_report_errors") == "fail"
        except AnsibleError:
            fails = False
        if fails or not answer.get("failed"):
            return answer
        return {"warnings": [*answer.get("warnings", []), str(answer.get("msg", ""))]}

    def _no_start(self) -> str:
        return (
            "The deployment was not started in this play, so its finish was not reported. Use"
            " tasks_from: start earlier in the same play, or aliops.cloudmonitor.deployment_event."
        )
