# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run's reports: what the callback does, without Ansible's objects."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import time
import uuid
import weakref
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any

from ...module_utils._api.connection import parse_connection
from ...module_utils._api.credentials import (
    Credentials,
    given_credentials,
    resolve_credentials,
    secrets_in_environment,
    with_id,
)
from ...module_utils._api.errors import CloudMonitorError, ConfigurationError
from ...module_utils._api.redact import Redactor, without_userinfo
from .._deployment.content import Deployment, Failure, with_texts
from .._deployment.events import Naming
from .._deployment.facts import RUN_ID_VARIABLE, collect_facts
from .._outbox.destination import given_destination, select
from .._outbox.launch import CourierSettings
from .._outbox.records import events_record
from .._outbox.storage import Outbox
from .._outbox.writer import OutboxWriter, run_record
from .context_vars import Render, copy_variables
from .playbooks import PlaybookFile
from .stats import PlaybookEnd, PlaybookOutcome, Reading, playbook_outcome, reported_failures

_ID_LIMIT = 120
_LONGEST = 1_000_000
# Of the name of a task and of its message, in characters.
_FAILURE_LIMIT = 256
# By the objects themselves: the number that id() gives is used again for a later playbook.
_claimed: weakref.WeakSet[Any] = weakref.WeakSet()


def claim(playbook: Any) -> bool:
    """Return True once for each playbook: the plugin may be enabled under two names."""
    if playbook in _claimed:
        return False
    _claimed.add(playbook)
    return True


def check_seconds(options: Mapping[str, Any]) -> None:
    """See that the callback's times can be used. Raises ConfigurationError for the first wrong."""
    for name in ("flush_timeout", "linger", "outbox_ttl"):
        if not 0 <= options[name] <= _LONGEST:  # so that "nan" and "inf" are none
            raise ConfigurationError(
                f"must be a number from 0 to {_LONGEST} and is {options[name]}", option=name
            )


class Reporter:
    """Reports the playbooks of one ansible-playbook process, one after the other."""

    def __init__(
        self,
        options: Mapping[str, Any],
        environ: MutableMapping[str, str],
        warn: Callable[[str], None],
        say: Callable[[str], None],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """``options``: the callback's; ``warn`` and ``say`` show one line to the user.

        ``check`` raises ConfigurationError when an option does not say what was written.
        """
        self._options = options
        self._environ = environ
        self._warn = warn
        self._say = say
        self._check = check
        self._around = environ.get(RUN_ID_VARIABLE)
        self._pid = os.getpid()
        self._broken = False
        self._announced = False
        self._before: Reading = {}
        self._last_failures: dict[str, Failure] = {}
        self._deployment: Deployment | None = None
        self._redactor = Redactor(secrets_in_environment(environ))
        names = ("start_event", "finish_event", "failure_event")
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
    ) -> None:
        """Report the start of ``playbook``, the ``number``-th of the command line."""
        self._end_of_process_state()
        if self._broken or not self._is_wanted(playbook, check_mode):
            return
        try:
            settings = self._courier_settings()
            now = time.time()
            names = self._options["context_vars"]
            known, _missing = copy_variables(names, extra_vars, render, self._redactor.value)
            self._context = known
            deployment = self._described(playbook, number, check_mode, extra_vars, now)
            start = events_record(deployment, self._naming, now)
            outbox = Outbox(self._options["outbox"])
            outbox.prepare()
            self._announce(outbox)
            writer = OutboxWriter(outbox, settings)
            run = run_record(deployment, self._naming, settings.destination)
            writer.open(deployment.id, run, start)
        except CloudMonitorError as exc:
            self._broken = True
            self._warn(f"this run is not reported. {exc}")
            return
        self._deployment, self._writer = deployment, writer
        self._environ[RUN_ID_VARIABLE] = deployment.id
        try:
            writer.start_courier()
        except OSError as exc:
            self._warn(
                "the events stay in the outbox: the process that delivers them could not be "
                "started (%s)." % (exc.strerror or exc)
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
        reading: Reading,
        end: PlaybookEnd | None,
        variables: Mapping[str, Any],
        render: Render,
    ) -> None:
        """Report the finish of the playbook.

        ``reading``: the statistics up to now; ``end``: how Ansible ends it, None if unknown.
        """
        before, self._before = self._before, reading
        deployment = self._deployment
        if deployment is None:
            return
        left_out = self._add_context(variables, render)
        self._end(self._ended(deployment, playbook_outcome(before, reading, end)))
        if left_out:
            self._warn(
                "context_vars: left out, because no extra or play variable, vaulted, or with a "
                f"template that reaches further: {', '.join(left_out)}"
            )

    def give_up(self) -> None:
        """Report nothing any more; what is in the outbox is still delivered."""
        self._broken = True
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
        check_seconds(self._options)
        if connection.ca_path and not os.path.exists(connection.ca_path):
            raise ConfigurationError(
                f"ca_path: there is no file or directory {connection.ca_path}."
            )
        if importlib.util.find_spec("requests") is None:
            raise ConfigurationError(
                "The Python package requests is missing; install it beside ansible-core."
            )
        credentials = self._credentials()
        return CourierSettings(
            connection=connection,
            credentials=credentials,
            destination=self._destination(credentials),
            ttl=self._options["outbox_ttl"] * 3600,
            linger=self._options["linger"],
            flush_timeout=self._options["flush_timeout"],
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

    def _described(
        self,
        playbook: PlaybookFile,
        number: int,
        check_mode: bool,
        extra_vars: Mapping[str, Any],
        now: float,
    ) -> Deployment:
        options = self._options
        around = {**self._environ, RUN_ID_VARIABLE: self._around or ""}
        facts = collect_facts(around, playbook.name, playbook.folder, extra_vars)
        run_id = self._clean(str(options["deployment_id"] or ""))[:_ID_LIMIT]
        # A run inside another one inherits the variable with its id, too.
        if self._around and run_id in (self._around, self._around.rpartition("/")[0]):
            run_id = ""
        if run_id and number > 1:
            run_id += f"/{number}"
        deployment = Deployment(
            id=run_id or str(uuid.uuid4()),
            name=options["deployment_name"] or playbook.stem,
            version=options["deployment_version"] or None,
            environment=options["deployment_environment"] or None,
            started_at=now,
            check_mode=True if check_mode else None,
            context=self._context or None,
            **vars(facts),
        )
        return with_texts(deployment, self._clean)

    def _clean(self, text: str) -> str:
        """Return a text as it may be sent and stored: without secrets and passwords in URLs."""
        masked = self._redactor.text(text)
        return without_userinfo(masked) if "://" in masked else masked

    def _add_context(self, variables: Mapping[str, Any], render: Render) -> list[str]:
        """Copy the named play variables; return the names that nothing was found for."""
        names = self._options["context_vars"]
        found, _missing = copy_variables(names, variables, render, self._redactor.value)
        self._context = {**self._context, **found}
        return [name for name in names if name not in self._context]

    def _ended(self, deployment: Deployment, outcome: PlaybookOutcome) -> Deployment:
        ended = replace(
            deployment,
            status=outcome.status,
            finished_at=time.time(),
            hosts=outcome.hosts,
            failures=reported_failures(
                outcome.failed_hosts, self._last_failures, self._options["failure_details"]
            ),
            context=self._context or None,
        )
        return with_texts(ended, self._clean)

    # The end

    def _end(self, deployment: Deployment) -> None:
        """Write the finish down, and wait for its delivery as long as that makes sense."""
        writer = self._writer
        self._end_of_process_state()
        if writer is None:
            return
        try:
            writer.write(events_record(deployment, self._naming, deployment.finished_at or 0.0))
            undelivered = writer.wait(self._options["flush_timeout"])
            warning = undelivered.text if undelivered else None
        except CloudMonitorError as exc:
            warning = str(exc)
        finally:
            writer.abandon()
        if warning is not None:
            self._warn(warning)

    def _end_of_process_state(self) -> None:
        """Forget the playbook that is over."""
        self._deployment, self._writer = None, None
        self._last_failures, self._context = {}, {}
        if self._around is None:
            self._environ.pop(RUN_ID_VARIABLE, None)
        else:
            self._environ[RUN_ID_VARIABLE] = self._around

    def _at_exit(self) -> None:
        """Report that Ansible ends without finishing the playbook: Ctrl-C or an error.

        Forked workers leave without exit handlers; the pid is checked all the same.
        """
        if self._deployment is None or os.getpid() != self._pid:
            return
        now = time.time()
        # Another Ctrl-C may come while it waits; the courier does the rest then.
        with contextlib.suppress(BaseException):
            self._end(
                replace(self._deployment, status="aborted", reason="stopped", finished_at=now)
            )

    def _announce(self, outbox: Outbox) -> None:
        """Say in one line what earlier runs have left."""
        if self._announced:
            return
        self._announced = True
        waiting = outbox.waiting()
        if waiting:
            self._say(
                f"aliops.cloudmonitor: {waiting} earlier "
                f"deployment{'' if waiting == 1 else 's'} with undelivered events in {outbox.root}"
            )
        dead = outbox.newly_dead()
        if dead:
            self._say(
                f"aliops.cloudmonitor: events of {dead} earlier "
                f"deployment{'' if dead == 1 else 's'} were refused or too old; they are kept in "
                f"{outbox.dead}"
            )
        damaged = outbox.newly_damaged()
        if damaged:
            self._warn(
                f"{damaged} deployment{'' if damaged == 1 else 's'} in the outbox could not "
                f"be read and moved to {outbox.damaged}"
            )
