# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of flush_outbox; plugins/modules/flush_outbox.py documents it."""

from __future__ import annotations

import os
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
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._action import EventAction
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._config import (
    check_paths,
    configured_options,
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
    count,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.sender import (
    Sender,
    ask_chain,
)
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.storage import Outbox


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
        connection = parse_connection(params)
        outbox = Outbox(params["outbox"])
        del task_vars  # nothing of the host is wanted
        if self._task.check_mode:
            return _result(_counted(outbox))
        outbox.prepare()
        try:
            if REQUESTS_IMPORT_ERROR is not None:
                raise MissingLibrary(missing_required_lib("requests"))
            key_id = configured.get("access_key_id")
            credentials, account = _credentials(params, with_id(environ, key_id))
            sender = Sender(connection, credentials, environ)
            sender.check()
        except CloudMonitorError as exc:
            failure = {**_result(count(outbox)), **error_result(exc, "fail", undelivered=None)}
            return dict(Redactor(known_secrets(params, environ)).value(failure))
        # A courier that is asked for a folder may be in the middle of a try.
        patience = connection.timeout + HAND_OVER_SECONDS
        flush = Flush(outbox, account, sender.send, patience)
        flushed = flush.run(params["dead"])
        return dict(Redactor(credentials.secrets).value(_result(flushed)))


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


def _result(flushed: Flushed) -> dict[str, Any]:
    result: dict[str, Any] = {
        "changed": flushed.changed,
        "delivered": flushed.delivered,
        "pending": flushed.pending,
        "dead": flushed.dead,
        "dead_count": flushed.dead_count,
    }
    if flushed.error is not None:
        result.update(error_result(flushed.error, "fail", undelivered=None))
    return result
