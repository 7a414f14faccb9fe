# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role ``deployment``. Only the role uses this action.

The steps ``start`` and ``finish`` run once for a batch of hosts, ``done`` on each host. They read
the role's variables and the marks of all hosts, and report through the action
``deployment_event``. Nothing here connects to a host.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as core_version

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    ConfigurationError,
    InvalidEvent,
    InvalidInput,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.names import nearest_name
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    CONNECTION_NAMES,
    override_options,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import (
    task_environment,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.role_ledger import (
    Ledger,
    RoleDeployment,
    RoleOutcome,
    find_later_hosts,
    is_unsynchronized,
    must_fail_again,
    role_outcome,
)

EVENT_ACTION = "aliops.cloudmonitor.deployment_event"
GROUP_DEFAULTS = "group/aliops.cloudmonitor.cloudmonitor"
# Every event takes these from the role's variables, each with the prefix deployment_. The start
# also gets the names of the finish's events, so that an error in them is found before anything
# is deployed.
EVENT_OPTIONS = (
    "version",
    "environment",
    "commit",
    "repository",
    "committed_at",
    "url",
    "details",
    "group_id",
    "start_event",
    "finish_event",
    "failure_event",
)


class ActionModule(ActionBase):
    """One step of the role."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run the step that the task names, and return its result.

        It fails before anything is deployed if the role's variables or the play are wrong, and
        in an outage if ``deployment_report_errors`` is ``fail``.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._vars: Mapping[str, Any] = task_vars or {}
        _unused, args = self.validate_argument_spec(
            argument_spec={
                "step": {"required": True, "choices": ["start", "done", "finish"]},
                "wrapped": {"type": "bool", "default": False},
            }
        )
        try:
            result.update(self._step(args["step"], args["wrapped"]))
        except ConfigurationError as error:
            result.update(failed=True, msg=str(error))
        result.setdefault("changed", False)
        return result

    def _step(self, step: str, wrapped: bool) -> dict[str, Any]:
        if step == "start":
            return self._start(wrapped)
        return self._done() if step == "done" else self._finish(wrapped)

    # The steps

    def _start(self, wrapped: bool) -> dict[str, Any]:
        """Check everything, and then report the start unless an earlier batch did."""
        self._check()
        tasks_file = self._tasks_file() if wrapped else ""
        ledger, deployment = self._open(tasks_file)
        answer: dict[str, Any] = {}
        if not deployment.started:
            try:
                answer = self._report(deployment, "start")
            except AnsibleError:
                raise  # the options are wrong, and nothing was deployed yet
            except Exception as error:
                answer = self._unreported(error)
            if answer.get("failed"):
                return answer
            deployment = replace(deployment, started=True, record=answer.pop("deployment", None))
        return {
            **answer,
            "ledger": ledger.put(deployment).dump(),
            "key": deployment.key,
            "tasks_file": tasks_file,
        }

    def _check(self) -> None:
        """Raise ConfigurationError if the play or the role's variables are wrong."""
        play = self._play
        strategy = str(self._templar.template(play.strategy))
        if is_unsynchronized(strategy):
            raise ConfigurationError(
                f"The role does not work with the strategy {strategy}, because hosts do not wait"
                " for each other",
                advice="Use the strategy linear, or report with"
                " aliops.cloudmonitor.deployment_event in separate plays before and after.",
            )
        self._connection_options()
        for option in ("deployment_start_event", "deployment_finish_event"):
            if self._variable(option) is not None and not self._text(option).strip():
                raise ConfigurationError("is empty", option=option, advice="Name the event.")
        if not self._text("deployment_name").strip():
            raise ConfigurationError(
                "is empty", option="deployment_name", advice="Name the deployment."
            )

    def _open(self, tasks_file: str) -> tuple[Ledger, RoleDeployment]:
        """Find or add the deployment of this batch, and return it with the ledger it is open in."""
        play, name = self._play._uuid, self._text("deployment_name")
        host = self._vars["inventory_hostname"]
        ledger = self._newest_ledger()
        if tasks_file and ledger.runs_file(play, self._entered_keys(host), tasks_file):
            raise ConfigurationError(
                f"{tasks_file} would run itself, because a deployment inside it inherits its"
                " variables",
                option="deployment_tasks_file",
                advice='Give the inner one another file, or "".',
            )
        deployment = ledger.joinable(play, name, host) or RoleDeployment(
            key=uuid.uuid4().hex,
            play=play,
            name=name,
            id=self._text("deployment_id") or str(uuid.uuid4()),
            tasks_file=tasks_file,
        )
        batch = dict.fromkeys((*self._vars["ansible_play_batch"], host))
        ledger = ledger.open(deployment, tuple(batch))
        return ledger, ledger.find(deployment.key)

    def _done(self) -> dict[str, Any]:
        """Mark this host as done."""
        deployment = self._current(self._host_ledger())
        return {"key": deployment.key} if deployment else {"warnings": [self._no_start()]}

    def _finish(self, wrapped: bool) -> dict[str, Any]:
        """Report the finish if it is due. The deployment is over, so an error is only a warning."""
        ledger = self._host_ledger()
        answer: dict[str, Any] = {"fail_again": False, "failed_hosts": []}
        try:
            ledger = self._newest_ledger()
            deployment = self._current(ledger)
            if deployment:
                deployment = self._note_marks(deployment)
                status = None if wrapped else self._text("deployment_status")
                outcome = self._outcome(deployment, status)
                answer["fail_again"] = self._has_to_fail_again(outcome, wrapped)
                answer.update(failed_hosts=list(outcome.failed_hosts), status=outcome.status)
                ledger = ledger.close(
                    replace(deployment, finished=deployment.finished or outcome.is_due)
                )
                if outcome.is_due:
                    answer.update(
                        self._failure_or_warning(self._report(deployment, "finish", outcome.status))
                    )
            elif not self._was_finished(ledger):
                answer["warnings"] = [self._no_start()]
        except Exception as error:
            answer.update(self._unreported(error))
        return {**answer, "ledger": ledger.dump()}

    # What the steps need

    @property
    def _play(self) -> Any:
        return self._task.get_play()

    def _outcome(self, deployment: RoleDeployment, status: str | None) -> RoleOutcome:
        """Return how ``deployment`` stands by the marks and the play's hosts."""
        batch = self._vars["ansible_play_batch"]
        later = find_later_hosts(
            self._vars["ansible_play_hosts_all"],
            self._vars["ansible_play_hosts"],
            (*deployment.seen, *batch, self._vars["inventory_hostname"]),
            self._play.order,
        )
        return role_outcome(deployment, later, status)

    def _has_to_fail_again(self, outcome: RoleOutcome, wrapped: bool) -> bool:
        """Return whether the failed hosts have to fail once more to count for the play."""
        if not wrapped or not outcome.failed_hosts or self._is_rescued():
            return False  # a block of the user's behaves as the user expects
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

    def _current(self, ledger: Ledger) -> RoleDeployment | None:
        """Return the deployment that this host is in, None if it is in none."""
        try:
            name = self._text("deployment_name")
        except AnsibleError:
            name = ""  # its template worked at the start; the innermost deployment is meant
        return ledger.current(self._play._uuid, name)

    def _was_finished(self, ledger: Ledger) -> bool:
        """Return whether this host's deployment of that name was finished before."""
        name, play = self._text("deployment_name"), self._play._uuid
        return any((one.play, one.name) == (play, name) for one in ledger.deployments)

    def _host_ledger(self) -> Ledger:
        """Return the ledger that this host knows.

        A host that skipped the start has it only in the result that Ansible registers everywhere.
        """
        registered = self._vars.get("deployment__step") or {}
        return Ledger.newest((registered.get("ledger"), self._vars.get("deployment__ledger")))

    def _newest_ledger(self) -> Ledger:
        """Return the ledger as the latest batch of this play, or an earlier play, left it."""
        hosts = self._vars["ansible_play_hosts_all"]
        return Ledger.newest(self._host_variable(host, "deployment__ledger") for host in hosts)

    def _note_marks(self, deployment: RoleDeployment) -> RoleDeployment:
        """Return ``deployment`` with the hosts that its marks name.

        The next deployment takes over ``deployment__done``, so a finish notes it.
        """
        entered = tuple(
            host
            for host in deployment.seen
            if host in deployment.entered or deployment.key in self._entered_keys(host)
        )
        done = tuple(
            host for host in entered if host in deployment.done or self._is_done(host, deployment)
        )
        return replace(deployment, entered=entered, done=done)

    def _entered_keys(self, host: str) -> tuple[str, ...]:
        """Return the keys of all deployments that ``host`` entered."""
        return tuple(self._host_variable(host, "deployment__entered") or ())

    def _is_done(self, host: str, deployment: RoleDeployment) -> bool:
        mark = self._host_variable(host, "deployment__done")
        return isinstance(mark, Mapping) and mark.get("key") == deployment.key

    def _host_variable(self, host: str, variable: str) -> Any:
        return self._vars["hostvars"][host].get(variable)

    def _variable(self, name: str) -> Any:
        """Return a variable of the role, None if it is not set."""
        if name not in self._vars:
            return None
        # From ansible-core 2.19 on, an omitted value is an error, except inside a dictionary.
        value = self._templar.template({name: self._vars[name]}).get(name)
        return None if value == self._vars.get("omit") else value

    def _text(self, name: str) -> str:
        value = self._variable(name)
        return "" if value is None else str(value)

    def _tasks_file(self) -> str:
        """Return the full path of the tasks file, an empty string if there are only roles."""
        name = self._text("deployment_tasks_file")
        if not name:
            if not self._variable("deployment_roles"):
                raise ConfigurationError(
                    "There is nothing to deploy",
                    advice="Set deployment_tasks_file, deployment_roles or both. Nothing was"
                    " reported or deployed.",
                )
            return ""
        path = Path(self._vars["playbook_dir"]) / Path(name).expanduser()
        if not path.is_file():
            raise ConfigurationError(
                f"there is no file {path}",
                option="deployment_tasks_file",
                advice="A relative path starts at the playbook's directory. Nothing was reported"
                " or deployed.",
            )
        # Ansible would end the run at a file that it cannot read, without running any always.
        if not isinstance(self._loader.load_from_file(str(path)), list):
            raise ConfigurationError(
                f"{path} is not a list of tasks", option="deployment_tasks_file"
            )
        return str(path)

    def _connection_options(self) -> dict[str, Any]:
        """Return the connection options. Raises ConfigurationError for unknown ones."""
        options = self._variable("deployment_connection") or {}
        if not isinstance(options, Mapping):
            raise ConfigurationError(
                "must be a dictionary of options", option="deployment_connection"
            )
        unknown = sorted(set(options) - CONNECTION_NAMES)
        if unknown:
            meant = nearest_name(str(unknown[0]), CONNECTION_NAMES)
            question = "" if meant is None else f"Did you mean {meant}? "
            raise ConfigurationError(
                f"{', '.join(map(str, unknown))}: no such option",
                option="deployment_connection",
                advice=f"{question}It takes {', '.join(sorted(CONNECTION_NAMES))}.",
            )
        return dict(options)

    def _report(
        self, deployment: RoleDeployment, phase: str, status: str | None = None
    ) -> dict[str, Any]:
        """Report ``phase`` of ``deployment``; return the part of the result that the role uses."""
        args = self._defaults()
        for option in EVENT_OPTIONS:
            value = self._variable("deployment_" + option)
            if value is not None:
                args[option] = value
        args = override_options(args, self._connection_options())
        args.update(phase=phase, report_from="controller")
        args["report_errors"] = self._text("deployment_report_errors") or "queue"
        if deployment.record:
            args.update(deployment=dict(deployment.record), status=status)
        else:
            args.update(
                {"id": deployment.id, "name": deployment.name},
                **({"status": status} if status else {}),
            )
        answer = _warning_unless_invalid(self._run_event_action(args), args["report_errors"])
        prefix = f"Deployment {deployment.name}, {phase}: "
        for key in ("warnings", "msg"):  # Ansible shows equal texts of start and finish once
            if isinstance(answer.get(key), str):
                answer[key] = prefix + answer[key]
            elif answer.get(key):
                answer[key] = [prefix + text for text in answer[key]]
        kept = (
            *("failed", "msg", "error", "warnings", "deployment", "diff", "exception"),
            *("delivered", "queued"),
        )
        return {name: answer[name] for name in kept if name in answer}

    def _defaults(self) -> dict[str, Any]:
        """Return the defaults of the role's options: one retry, and module_defaults."""
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
        action.reported_by = "role"
        result: dict[str, Any] = action.run(task_vars=self._vars)
        return result

    def _unreported(self, error: Exception) -> dict[str, Any]:
        """Return the result for an error of the role that must not stop a deployment."""
        text = f"The deployment could not be reported: {to_text(error)}"
        return self._failure_or_warning({"failed": True, "msg": text})

    def _failure_or_warning(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return ``answer`` with a warning instead of a failure, unless the user wants failures."""
        try:
            fails = self._text("deployment_report_errors") == "fail"
        except AnsibleError:
            fails = False
        if fails or not answer.get("failed"):
            return answer
        return {"warnings": [*answer.get("warnings", []), str(answer.get("msg", ""))]}

    def _no_start(self) -> str:
        return (
            "The finish was not reported, because the deployment was not started in this play."
            " Use tasks_from: start earlier in the play."
        )


def _warning_unless_invalid(answer: dict[str, Any], report_errors: str) -> dict[str, Any]:
    """Return ``answer`` with a warning instead of a failure that is not the playbook's mistake.

    With ``queue``, deployment_event fails if events can neither be delivered nor queued, for
    example without an AccessKey. A deployment goes on then, as with ``warn``.
    """
    mistakes = (InvalidInput.kind, InvalidEvent.kind, None)
    kind = (answer.get("error") or {}).get("kind")
    if report_errors != "queue" or not answer.get("failed") or kind in mistakes:
        return answer
    others = {name: answer[name] for name in answer if name not in ("failed", "exception")}
    return {**others, "warnings": [*answer.get("warnings", []), str(answer.get("msg", ""))]}
