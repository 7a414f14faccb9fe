# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run's reports: what the callback does, without Ansible's objects."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import signal
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...module_utils._api.connection import check_ca_path, parse_connection
from ...module_utils._api.credentials import (
    Credentials,
    given_credentials,
    resolve_credentials,
    secrets_in_environment,
    with_id,
)
from ...module_utils._api.errors import CloudMonitorError, ConfigurationError
from ...module_utils._api.names import shortened
from ...module_utils._api.redact import Redactor, without_userinfo
from .._deployment.clock import Moment, present_moment
from .._deployment.content import Deployment, Failure, with_texts
from .._deployment.events import Naming
from .._deployment.facts import RUN_ID_VARIABLE, collect_facts
from .._deployment.options import check_id
from .._deployment.provenance import parse_provenance
from .._outbox.courier_settings import CourierSettings
from .._outbox.destination import given_destination, select
from .._outbox.launch import CourierProcess
from .._outbox.overdue import OverdueLimit
from .._outbox.records import events_record, overdue_record
from .._outbox.storage import Outbox
from .._outbox.writer import OutboxWriter, WaitResult, run_record
from .held_signals import HeldSignals, held_signals
from .playbooks import PlaybookFile
from .stats import PlaybookEnd, PlaybookOutcome, TaskCounts, playbook_outcome, reported_failures

# Imported only where it is used: each import costs every run half a millisecond.
if TYPE_CHECKING:
    from .context_vars import Render

_ID_LIMIT = 120
_LONGEST_SECONDS = 1_000_000
# Of the name of a task and of its message, in characters.
_FAILURE_LIMIT = 256
# Of the names of variables in a warning, in characters.
_NAMES_LIMIT = 60
# Of the earlier deployments with undelivered events. To count 10,000 takes a twentieth of a second.
_MOST_COUNTED = 100
# By the objects themselves: the number that id() gives is used again for a later playbook.
_known_playbooks: weakref.WeakSet[Any] = weakref.WeakSet()


def is_new_playbook(playbook: Any) -> bool:
    """Return True once for each playbook, because the plugin may be enabled under two names."""
    if playbook in _known_playbooks:
        return False
    _known_playbooks.add(playbook)
    return True


def check_durations(options: Mapping[str, Any]) -> None:
    """Check the callback's durations. Raises ConfigurationError for the first wrong one."""
    for name in ("flush_timeout", "linger", "outbox_ttl", "overdue_after", "history_keep"):
        if not 0 <= options[name] <= _LONGEST_SECONDS:  # false for nan
            raise ConfigurationError(
                f"must be a number from 0 to {_LONGEST_SECONDS} and is {options[name]}", option=name
            )


class Reporter:
    """Reports the playbooks of one ansible-playbook process, one after the other."""

    def __init__(
        self,
        options: Mapping[str, Any],
        environ: MutableMapping[str, str],
        warn: Callable[[str], None],
        inform: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
        now: Callable[[], Moment] = present_moment,
        *,
        verbosity: int = 0,
        explain: Callable[[int, str], None] = lambda _level, _text: None,
    ) -> None:
        """``options``: the callback's; ``warn`` and ``inform`` show one line to the user.

        ``explain`` shows one line from a level of verbosity on; ``verbosity`` is the highest
        level that is shown.
        ``check`` raises ConfigurationError if the value of an option is not what was written.
        ``now`` returns the present moment.
        """
        self._options = options
        self._environ = environ
        self._warn = warn
        self._inform = inform
        self._check = check
        self._verbosity = verbosity
        self._explain = explain
        self._now = now
        self._started = now()
        self._outer_run_id = environ.get(RUN_ID_VARIABLE)
        self._pid = os.getpid()
        self._is_off = False
        self._announced = False
        self._last_counts: TaskCounts = {}
        self._last_failures: dict[str, Failure] = {}
        self._deployment: Deployment | None = None
        self._redactor = Redactor(secrets_in_environment(environ))
        names = ("start_event", "finish_event", "failure_event", "overdue_event")
        self._naming = Naming.from_options(
            {**options, **{name: self._redactor.text(options[name]) for name in names}}
        )
        self._writer: OutboxWriter | None = None
        self._context: dict[str, Any] = {}
        atexit.register(self._at_exit)

    @property
    def wants_variables(self) -> bool:
        """Whether play variables are asked for; collecting them costs time."""
        return bool(self._options["context_vars"]) and self._deployment is not None

    def start(
        self,
        playbook: PlaybookFile,
        number: int,
        check_mode: bool,
        extra_vars: Mapping[str, Any],
        render: Render,
        courier: CourierProcess | None = None,
    ) -> None:
        """Report the start of ``playbook``, the ``number``-th of the command line.

        ``courier``: one that was started for it already; None starts one.
        If anything goes wrong after the start is written, it is taken back: a start without a
        run would be reported as lost later.
        """
        self._forget_playbook()
        if self._is_off or not self._is_wanted(playbook, check_mode):
            return
        try:
            self._started = self._now()
            settings = self._courier_settings()
            self._context = self._copy_variables(extra_vars, render)
            deployment = self._new_deployment(playbook, number, check_mode, extra_vars)
            check_id(deployment.id, "deployment_id")
            outbox = Outbox(self._options["outbox"], self._options["history_keep"])
            outbox.prepare()
            self._announce(outbox)
            deployment = self._with_previous(deployment, outbox)
            writer = OutboxWriter(outbox, settings)
            self._begin(deployment, writer, settings.destination, courier)
        except CloudMonitorError as exc:
            self._is_off = True
            self._warn(f"this run is not reported. {exc.brief}")

    def _begin(
        self,
        deployment: Deployment,
        writer: OutboxWriter,
        destination: str,
        courier: CourierProcess | None,
    ) -> None:
        """Write the start and have it delivered. Raises CloudMonitorError."""
        start = events_record(deployment, self._naming, self._started.wall)
        run = run_record(deployment, self._naming, destination)
        if self._options["overdue_after"]:
            overdue_record(run, 0.0, 0.0)  # an invalid name is an error now, and not later
        try:
            writer.open(deployment.id, run, start)
            self._environ[RUN_ID_VARIABLE] = deployment.id
            self._deployment, self._writer = deployment, writer
            self._start_courier(writer, courier)
        except BaseException:  # also Ctrl-C
            # With a courier, it is a run like any other, and its end is reported.
            if not writer.has_courier:
                self._forget_playbook()
                writer.discard()
            raise

    def _start_courier(self, writer: OutboxWriter, courier: CourierProcess | None) -> None:
        try:
            writer.hand_over(courier or CourierProcess(self._options["outbox"]))
        except Exception as exc:
            why = exc.strerror if isinstance(exc, OSError) else None
            self._warn(
                "the process that delivers events could not be started "
                f"({why or type(exc).__name__}). Events wait in {self._options['outbox']} for the "
                "next run."
            )

    def failed(self, failure: Failure) -> None:
        """Remember the last failure of a host; whether it counts shows at the end."""
        if self._deployment is not None:
            # Masked before it is cut, because a part of a secret is not recognized.
            self._last_failures[failure.host] = Failure(
                self._clean(failure.host),
                None if failure.task is None else self._clean(failure.task)[:_FAILURE_LIMIT],
                None if failure.message is None else self._clean(failure.message)[:_FAILURE_LIMIT],
            )

    def finish(
        self,
        reading: TaskCounts,
        end: PlaybookEnd | None,
        variables: Mapping[str, Any],
        render: Render,
    ) -> signal.Signals | None:
        """Report the finish of the playbook.

        ``reading``: the statistics up to now; ``end``: how Ansible ends it, None if unknown.
        Returns the signal that ended the wait for the delivery, None without one.
        """
        before, self._last_counts = self._last_counts, reading
        deployment = self._deployment
        if deployment is None:
            return None
        with held_signals() as held:
            left_out = self._add_context(variables, render)
            outcome = playbook_outcome(before, reading, end)
            self._end(self._finished(deployment, outcome), held)
        if left_out:
            shown = shortened(", ".join(left_out), _NAMES_LIMIT)
            self._warn(
                f"these context_vars are not sent: {shown}. Only defined extra and play variables "
                "without vault or lookups can be sent."
            )
        return held.received

    def give_up(self) -> None:
        """Report nothing any more; what is in the outbox is still delivered."""
        self._is_off = True
        self._deployment = None
        if self._writer is not None:
            self._writer.abandon()

    # What a report is made of

    def _is_wanted(self, playbook: PlaybookFile, check_mode: bool) -> bool:
        if check_mode and not self._options["check_mode_events"]:
            return False
        include, exclude = self._options["include_playbooks"], self._options["exclude_playbooks"]
        return not playbook.is_own and playbook.is_reported(include or [], exclude or [])

    def _courier_settings(self) -> CourierSettings:
        """Return how to deliver. Raises ConfigurationError, CredentialsError."""
        self._check()
        connection = parse_connection(self._options)
        check_durations(self._options)
        check_ca_path(connection.ca_path)
        if importlib.util.find_spec("requests") is None:
            raise ConfigurationError(
                "the Python package requests is missing", advice="Install it beside ansible-core."
            )
        credentials = self._credentials()
        return CourierSettings(
            connection=connection,
            credentials=credentials,
            destination=self._destination(credentials),
            ttl=self._options["outbox_ttl"] * 3600,
            linger=self._options["linger"],
            flush_timeout=self._options["flush_timeout"],
            overdue=OverdueLimit(self._started, self._options["overdue_after"]),
            history_keep=self._options["history_keep"],
        )

    def _credentials(self) -> Credentials | None:
        """Return the AccessKey of the environment, None when the courier is to find one.

        The default chain starts threads and asks the network, so it is not for this process.
        """
        found = given_credentials({}, with_id(self._environ, self._options["access_key_id"]))
        if found is not None:
            return found
        if importlib.util.find_spec("alibabacloud_credentials") is not None:
            return None
        return resolve_credentials({}, {}, chain=lambda: None)

    def _destination(self, credentials: Credentials | None) -> str:
        """Return whose events these are, as far as it is known before the chain is asked."""
        if credentials is None:
            return select(self._environ).expected
        return given_destination(credentials, self._environ)

    def _new_deployment(
        self,
        playbook: PlaybookFile,
        number: int,
        check_mode: bool,
        extra_vars: Mapping[str, Any],
    ) -> Deployment:
        options = self._options
        around = {**self._environ, RUN_ID_VARIABLE: self._outer_run_id or ""}
        facts = collect_facts(around, playbook.name, playbook.folder, extra_vars)
        run_id = self._clean(str(options["deployment_id"] or ""))[:_ID_LIMIT]
        # A nested run inherits the variable with its id.
        if self._outer_run_id and run_id in (
            self._outer_run_id,
            self._outer_run_id.rpartition("/")[0],
        ):
            run_id = ""
        if run_id and number > 1:
            run_id += f"/{number}"
        deployment = Deployment(
            id=run_id or str(uuid.uuid4()),
            name=options["deployment_name"] or playbook.stem,
            version=options["deployment_version"] or None,
            environment=options["deployment_environment"] or None,
            **vars(parse_provenance(options, "deployment_")),
            started_at=self._started.wall,
            check_mode=True if check_mode else None,
            context=self._context or None,
            **vars(facts),
        )
        return with_texts(deployment, self._clean)

    def _with_previous(self, deployment: Deployment, outbox: Outbox) -> Deployment:
        one = deployment
        previous = outbox.history.previous(one.name, one.environment, one.id)
        return with_texts(replace(deployment, previous=previous), self._clean)

    def _clean(self, text: str) -> str:
        """Return a text as it may be sent and stored: without secrets and passwords in URLs."""
        masked = self._redactor.text(text)
        return without_userinfo(masked) if "://" in masked else masked

    def _copy_variables(self, variables: Mapping[str, Any], render: Render) -> dict[str, Any]:
        """Return those of the variables that the user has named and that can be sent."""
        names = self._options["context_vars"]
        if not names:
            return {}
        from .context_vars import copy_variables

        found, _missing = copy_variables(names, variables, render, self._redactor.value)
        return found

    def _add_context(self, variables: Mapping[str, Any], render: Render) -> list[str]:
        """Copy the named play variables; return the names that nothing was found for."""
        self._context = {**self._context, **self._copy_variables(variables, render)}
        return [name for name in self._options["context_vars"] or () if name not in self._context]

    def _finished(self, deployment: Deployment, outcome: PlaybookOutcome) -> Deployment:
        finished_at, elapsed_s = self._started.end(self._now())
        finished = replace(
            deployment,
            status=outcome.status,
            finished_at=finished_at,
            elapsed_s=elapsed_s,
            hosts=outcome.hosts,
            failures=reported_failures(
                outcome.failed_hosts, self._last_failures, self._options["failure_details"]
            ),
            context=self._context or None,
        )
        return with_texts(finished, self._clean)

    # The end

    def _end(self, deployment: Deployment, held: HeldSignals) -> None:
        """Write the finish, and wait for its delivery as long as that makes sense."""
        writer = self._writer
        self._forget_playbook()
        if writer is None:
            return
        try:
            record = events_record(deployment, self._naming, deployment.finished_at or 0.0)
            events = writer.count_events() + len(record["events"]) if self._verbosity else 0
            begin = time.monotonic()
            writer.write(record)
            if writer.history_problem is not None:
                self._warn(
                    f"this deployment is missing in the history, because {writer.history_problem}."
                )
            undelivered = writer.wait(self._options["flush_timeout"], held.has_any)
        except CloudMonitorError as exc:
            self._warn(exc.brief)
            return
        finally:
            writer.abandon()
        seconds = time.monotonic() - begin
        if undelivered is not None:
            self._warn(undelivered.text)
        self._explain_delivery(deployment, writer, undelivered, events, seconds)

    def _explain_delivery(
        self,
        deployment: Deployment,
        writer: OutboxWriter,
        undelivered: WaitResult | None,
        events: int,
        seconds: float,
    ) -> None:
        """Show how the delivery went, as far as the verbosity asks for it."""
        if not self._verbosity:
            return
        from .verbose import ATTEMPTS, RESULT, attempt_lines, delivered_line, undelivered_line

        if self._verbosity >= ATTEMPTS:
            since = deployment.started_at or 0.0
            for line in attempt_lines(writer.log_lines(), since):
                self._explain(ATTEMPTS, self._clean(line))
        if undelivered is None:
            line = delivered_line(deployment, events, writer.where, seconds)
            self._explain(RESULT, self._clean(line))
        elif undelivered.detail is not None:
            self._explain(RESULT, self._clean(undelivered_line(deployment, undelivered.detail)))

    def _forget_playbook(self) -> None:
        """Forget the last playbook, whose report is over."""
        self._deployment, self._writer = None, None
        self._last_failures, self._context = {}, {}
        if self._outer_run_id is None:
            self._environ.pop(RUN_ID_VARIABLE, None)
        else:
            self._environ[RUN_ID_VARIABLE] = self._outer_run_id

    def _at_exit(self) -> None:
        """Report that Ansible ends without finishing the playbook: Ctrl-C or an error.

        Forked workers leave without exit handlers; the pid is checked all the same.
        """
        if self._deployment is None or os.getpid() != self._pid:
            return
        finished_at, elapsed_s = self._started.end(self._now())
        aborted = replace(
            self._deployment,
            status="aborted",
            reason="stopped",
            finished_at=finished_at,
            elapsed_s=elapsed_s,
        )
        # A further Ctrl-C ends the wait and changes nothing about the exit status.
        with contextlib.suppress(BaseException), held_signals() as held:
            self._end(aborted, held)

    def _announce(self, outbox: Outbox) -> None:
        """Report in one line each what earlier runs have left."""
        if self._announced:
            return
        self._announced = True
        waiting = outbox.waiting(_MOST_COUNTED)
        if waiting:
            more = " or more" if waiting == _MOST_COUNTED else ""
            self._inform(
                f"aliops.cloudmonitor: {waiting}{more} earlier "
                f"deployment{'' if waiting == 1 else 's'} with undelivered events in {outbox.root}"
            )
        dead = outbox.newly_dead()
        if dead:
            self._inform(
                f"aliops.cloudmonitor: events of {dead} earlier "
                f"deployment{'' if dead == 1 else 's'} were refused or too old. They are kept in "
                f"{outbox.dead}. To resend: aliops.cloudmonitor.flush_outbox with dead: retry."
            )
        damaged = outbox.newly_damaged()
        if damaged:
            self._warn(
                f"{damaged} deployment{' was' if damaged == 1 else 's were'} unreadable in the "
                f"outbox and moved to {outbox.damaged}."
            )
