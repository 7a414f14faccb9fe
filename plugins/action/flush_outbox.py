# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of flush_outbox; plugins/modules/flush_outbox.py documents it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.connection import (
    parse_connection,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.credentials import (
    Credentials,
    given_credentials,
    with_id,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CloudMonitorError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.progress import Progress
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.redact import Redactor
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.transport import (
    REQUESTS_IMPORT_ERROR,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import flush_outbox_spec
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import (
    MissingLibrary,
    error_result,
    known_secrets,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._options import (
    from_environment,
    override_options,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    check_paths,
    configured_options,
    find_history_keep,
    find_outbox,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.destination import (
    Account,
    given_destination,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush import (
    HAND_OVER_SECONDS,
    Flush,
    Flushed,
    FlushProgress,
    count,
    count_waiting,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.flush_text import (
    counted_message,
    flushed_message,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.sender import (
    Sender,
    ask_chain,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import (
    Outbox,
    OutboxError,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._tasks.action import (
    EventAction,
    show_progress,
)


class ActionModule(EventAction):
    """Delivers what earlier runs could not."""

    nothing: Mapping[str, Any] = {
        "changed": False,
        "delivered": 0,
        "pending": 0,
        "dead": [],
        "dead_count": 0,
    }

    def report(
        self, args: dict[str, Any], environ: Mapping[str, str], task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """Flush the outbox, or in check mode count what is in it."""
        configured = configured_options()
        below = {**configured, **from_environment(args, environ)}
        below.pop("access_key_id", None)  # it needs its secret, see with_id
        below["outbox"] = find_outbox(args.pop("outbox", None), environ, configured)
        params = self.validated(override_options(below, args), flush_outbox_spec(), environ)
        check_paths(params)
        history_keep = find_history_keep(environ, configured_options(("history_keep",)))
        outbox = Outbox(params["outbox"], history_keep)
        del task_vars  # nothing of the host is wanted
        try:
            connection = parse_connection(params)
            if self._task.check_mode:
                counted = _counted(outbox)
                return {**_result(counted, outbox), "msg": counted_message(counted, params["dead"])}
            outbox.prepare()
            outbox.remove_leftovers()
            if REQUESTS_IMPORT_ERROR is not None:
                raise MissingLibrary(missing_required_lib("requests"))
            key_id = configured.get("access_key_id")
            credentials, account = _credentials(params, with_id(environ, key_id))
            progress = FlushProgress(
                Progress(show_progress), lambda: count_waiting(outbox, account)
            )
            sender = Sender(connection, credentials, environ, progress=progress.update)
            sender.check()
        except OutboxError:
            raise
        except CloudMonitorError as exc:
            failure = _result(count(outbox), outbox, exc)
            return dict(Redactor(known_secrets(params, environ)).value(failure))
        # A courier that is asked for a folder may be in the middle of a try.
        patience = connection.timeout + HAND_OVER_SECONDS
        flush = Flush(
            outbox,
            account,
            sender.send,
            patience,
            progress=progress,
            last_attempt=lambda: sender.last_attempt,
        )
        flushed = flush.run(params["dead"])
        outbox.history.maintain(time.time())
        result = _result(flushed, outbox, flushed.error)
        return dict(Redactor(credentials.secrets).value(result))


def _credentials(
    params: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[Credentials, Account]:
    """Return the AccessKey and its account. Raises CredentialsError."""
    given = given_credentials(params, environ)
    if given is not None:
        return given, Account.of_given(given_destination(given, environ))
    return ask_chain(os.environ)  # the chain does not see the environment of the task


def _counted(outbox: Outbox) -> Flushed:
    """Return what is in the outbox, without making anything. Raises OutboxError."""
    if os.path.lexists(outbox.root):
        outbox.mode()
    return count(outbox)


def _result(
    flushed: Flushed, outbox: Outbox, error: CloudMonitorError | None = None
) -> dict[str, Any]:
    failure = {} if error is None else error_result(error, "fail", undelivered=None)
    return {
        **failure,
        "msg": flushed_message(flushed, outbox.root, error),
        "changed": flushed.changed,
        "delivered": flushed.delivered,
        "pending": flushed.pending,
        "dead": flushed.dead,
        "dead_count": flushed.dead_count,
    }
