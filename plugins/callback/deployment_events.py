# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports every playbook run to Cloud Monitor: passes Ansible's calls on to the observer.

No thread, no network and no HTTP library here: events go to the outbox on disk, and a separate
process delivers them. No error in this file may affect the run.
"""

from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_events
type: notification
short_description: Report every playbook run to Alibaba Cloud Monitor
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Reports each playbook of an C(ansible-playbook) command as a deployment. Playbooks do not change. There is a start event, a
    finish event with the status, and a failure event if the deployment failed or was aborted.
  - The callback never fails or stops a run, and delays its end by at most O(flush_timeout) seconds. It writes events to an outbox
    on disk, and a separate background process, the courier, delivers them. Undelivered events stay in the outbox for the next run,
    or for M(aliops.cloudmonitor.flush_outbox).
  - The courier also notices if Ansible is interrupted or killed, and reports the deployment as aborted. If the machine disappears,
    the next run on the same outbox reports it.
extends_documentation_fragment:
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.connection.plugin
options:
  deployment_name:
    description:
      - The name of the deployment. The default is the file name of the playbook without its extension.
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_NAME
    ini:
      - section: callback_deployment_events
        key: deployment_name
    vars:
      - name: cloudmonitor_deployment_name
  deployment_id:
    description:
      - The id that all events of a deployment share, at most 120 characters. The default is a new UUID for each playbook.
      - If a command line has several playbooks, C(/2) is appended for the second one, and so on.
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_ID
    ini:
      - section: callback_deployment_events
        key: deployment_id
    vars:
      - name: cloudmonitor_deployment_id
  deployment_version:
    description:
      - The version that is deployed, for example V(1.4.2) or a commit.
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_VERSION
    ini:
      - section: callback_deployment_events
        key: deployment_version
    vars:
      - name: cloudmonitor_deployment_version
  deployment_environment:
    description:
      - The environment of the deployment, for example V(production).
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_ENVIRONMENT
    ini:
      - section: callback_deployment_events
        key: deployment_environment
    vars:
      - name: cloudmonitor_deployment_environment
  deployment_commit:
    description:
      - The commit of the software that is deployed, 7 to 64 hexadecimal digits. The commit of the playbook is known without this option.
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_COMMIT
    ini:
      - section: callback_deployment_events
        key: deployment_commit
    vars:
      - name: cloudmonitor_deployment_commit
  deployment_repository:
    description:
      - The repository of the software that is deployed, usually a URL. User names and passwords in it are removed.
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_REPOSITORY
    ini:
      - section: callback_deployment_events
        key: deployment_repository
    vars:
      - name: cloudmonitor_deployment_repository
  deployment_committed_at:
    description:
      - The time of the commit, in a form that O(aliops.cloudmonitor.custom_event#module:time) accepts. It gives the lead time.
    type: raw
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_COMMITTED_AT
    ini:
      - section: callback_deployment_events
        key: deployment_committed_at
    vars:
      - name: cloudmonitor_deployment_committed_at
  deployment_url:
    description:
      - A page about this deployment or its change, with C(http) or C(https), for example a release or a merge request.
    type: str
    env:
      - name: CLOUDMONITOR_DEPLOYMENT_URL
    ini:
      - section: callback_deployment_events
        key: deployment_url
    vars:
      - name: cloudmonitor_deployment_url
  group_id:
    description:
      - The id of the application group of the events. V(0) means no group.
    type: int
    default: 0
    env:
      - name: CLOUDMONITOR_GROUP_ID
    ini:
      - section: callback_deployment_events
        key: group_id
    vars:
      - name: cloudmonitor_group_id
  start_event:
    description:
      - The name of the start event.
    type: str
    default: deployment-start
    env:
      - name: CLOUDMONITOR_START_EVENT
    ini:
      - section: callback_deployment_events
        key: start_event
    vars:
      - name: cloudmonitor_start_event
  finish_event:
    description:
      - The name of the finish event.
    type: str
    default: deployment-finish
    env:
      - name: CLOUDMONITOR_FINISH_EVENT
    ini:
      - section: callback_deployment_events
        key: finish_event
    vars:
      - name: cloudmonitor_finish_event
  failure_event:
    description:
      - The name of the additional event if a deployment failed or was aborted. If empty, no failure event is sent.
    type: str
    default: deployment-failure
    env:
      - name: CLOUDMONITOR_FAILURE_EVENT
    ini:
      - section: callback_deployment_events
        key: failure_event
    vars:
      - name: cloudmonitor_failure_event
  overdue_after:
    description:
      - The number of seconds after its start at which a deployment that has not finished is reported with O(overdue_event).
        V(0) means never.
      - The time also passes while the run is stopped or the machine sleeps. The event is sent once, and not if the courier is gone.
    type: float
    default: 0
    env:
      - name: CLOUDMONITOR_OVERDUE_AFTER
    ini:
      - section: callback_deployment_events
        key: overdue_after
    vars:
      - name: cloudmonitor_overdue_after
  overdue_event:
    description:
      - The name of the event about a deployment that takes longer than O(overdue_after).
    type: str
    default: deployment-overdue
    env:
      - name: CLOUDMONITOR_OVERDUE_EVENT
    ini:
      - section: callback_deployment_events
        key: overdue_event
    vars:
      - name: cloudmonitor_overdue_event
  context_vars:
    description:
      - Names of variables to copy into the C(context) of the events. Extra variables are in all events, play variables in the finish.
      - Variables of hosts and groups, facts, and registered results do not belong to a play and are not copied.
      - Undefined variables, vaulted values, and templates with lookups are omitted with one warning. Values are cut at 1 KB.
      - No other variable ever leaves the controller.
    type: list
    elements: str
    default: []
    env:
      - name: CLOUDMONITOR_CONTEXT_VARS
    ini:
      - section: callback_deployment_events
        key: context_vars
    vars:
      - name: cloudmonitor_context_vars
  include_playbooks:
    description:
      - Glob patterns on the path of the playbook. If set, only playbooks that match one are reported.
    type: list
    elements: str
    default: []
    env:
      - name: CLOUDMONITOR_INCLUDE_PLAYBOOKS
    ini:
      - section: callback_deployment_events
        key: include_playbooks
    vars:
      - name: cloudmonitor_include_playbooks
  exclude_playbooks:
    description:
      - Glob patterns on the path of the playbook. Playbooks that match one are not reported.
    type: list
    elements: str
    default: []
    env:
      - name: CLOUDMONITOR_EXCLUDE_PLAYBOOKS
    ini:
      - section: callback_deployment_events
        key: exclude_playbooks
    vars:
      - name: cloudmonitor_exclude_playbooks
  failure_details:
    description:
      - The details that a finish contains about failed hosts, at most 10 of them.
      - V(none) contains nothing, V(task) the host and the task, V(message) also the message of the module, cut to 256 characters.
      - For a C(no_log) task, only the host is reported.
    type: str
    choices: ['none', task, message]
    default: task
    env:
      - name: CLOUDMONITOR_FAILURE_DETAILS
    ini:
      - section: callback_deployment_events
        key: failure_details
    vars:
      - name: cloudmonitor_failure_details
  check_mode_events:
    description:
      - Whether to also report runs with C(--check), which deploy nothing.
    type: bool
    default: false
    env:
      - name: CLOUDMONITOR_CHECK_MODE_EVENTS
    ini:
      - section: callback_deployment_events
        key: check_mode_events
    vars:
      - name: cloudmonitor_check_mode_events
  flush_timeout:
    description:
      - The maximum number of seconds that the end of a run waits for the delivery of its events.
    type: float
    default: 5
    env:
      - name: CLOUDMONITOR_FLUSH_TIMEOUT
    ini:
      - section: callback_deployment_events
        key: flush_timeout
    vars:
      - name: cloudmonitor_flush_timeout
  linger:
    description:
      - The number of seconds for which delivery continues after Ansible has exited.
    type: float
    default: 60
    env:
      - name: CLOUDMONITOR_LINGER
    ini:
      - section: callback_deployment_events
        key: linger
    vars:
      - name: cloudmonitor_linger
  outbox:
    description:
      - The directory that stores events until they are delivered. The default is C(aliops.cloudmonitor) in C(ANSIBLE_HOME), which is C(~/.ansible).
      - Many runs can share an outbox. Other users have no access, and links are refused.
    type: path
    env:
      - name: CLOUDMONITOR_OUTBOX
    ini:
      - section: callback_deployment_events
        key: outbox
    vars:
      - name: cloudmonitor_outbox
  outbox_ttl:
    description:
      - The number of hours after which an undelivered event is given up and becomes a dead letter.
        A clock that jumps does not shorten the time.
    type: float
    default: 168
    env:
      - name: CLOUDMONITOR_OUTBOX_TTL
    ini:
      - section: callback_deployment_events
        key: outbox_ttl
    vars:
      - name: cloudmonitor_outbox_ttl
  history_keep:
    description:
      - The number of days for which the outbox keeps the history of finished deployments. With V(0), no history is written.
      - M(aliops.cloudmonitor.deployment_info) reads the history.
    type: float
    default: 400
    env:
      - name: CLOUDMONITOR_HISTORY_KEEP
    ini:
      - section: callback_deployment_events
        key: history_keep
    vars:
      - name: cloudmonitor_history_keep
requirements:
  - enabled with C(callbacks_enabled = aliops.cloudmonitor.deployment_events) in C(ansible.cfg)
notes:
  - Secrets come from the environment only. You can set all other options in the section C(callback_deployment_events) of
    C(ansible.cfg). Extra variables (C(-e cloudmonitor_region=...)) work from ansible-core 2.21 on.
  - Ad-hoc commands, C(ansible-console), and the playbooks of this collection are not reported.
  - O(retries) has no effect. The courier tries until O(linger) has passed, and later runs continue.
seealso:
  - module: aliops.cloudmonitor.flush_outbox
  - module: aliops.cloudmonitor.deployment_event
  - name: Report every run with the callback
    description: The guide for the callback.
    link: https://aliops.github.io/cloudmonitor/callback.html
  - name: Troubleshooting
    description: Symptoms, warnings, and what to do.
    link: https://aliops.github.io/cloudmonitor/troubleshooting.html
  - name: Report custom events by sending an HTTP request
    description: The documentation of Alibaba Cloud.
    link: https://www.alibabacloud.com/help/en/cms/user-guide/report-custom-events-by-sending-an-http-request
"""

EXAMPLES = r"""
# Report every playbook run: in ansible.cfg
#
# [defaults]
# callbacks_enabled = aliops.cloudmonitor.deployment_events
#
# [callback_deployment_events]
# region = cn-shanghai
# deployment_environment = production
# context_vars = release, ticket
#
# and the AccessKey in the environment, as ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET.

# Report one run, without ansible.cfg
#
# ANSIBLE_CALLBACKS_ENABLED=aliops.cloudmonitor.deployment_events CLOUDMONITOR_DEPLOYMENT_VERSION=1.4.2 ansible-playbook site.yml
"""

import contextlib
import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ansible import context
from ansible.plugins.callback import CallbackBase

# With ``callback_plugins`` in ansible.cfg, Ansible loads this file from its path. Then relative
# imports fail, and the collection itself may be missing. An exception here would end the run.
try:
    from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._environment import (
        default_outbox,
        without_empty_variables,
    )
    from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox.code_cache import (
        import_file,
    )

    COLLECTION_IMPORT_ERROR: ImportError | None = None
except ImportError as exc:
    COLLECTION_IMPORT_ERROR = exc
    DOCUMENTATION = ""  # Ansible would fail, because it does not find the fragments either

if TYPE_CHECKING:
    from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._callback.observer import (
        Observer,
    )

# Only a reported playbook needs these, and what they import.
_LAUNCH = "plugin_utils._outbox.launch"
_OBSERVER = "plugin_utils._callback.observer"


class CallbackModule(CallbackBase):
    """Passes Ansible's calls on to the observer. No exception leaves it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "aliops.cloudmonitor.deployment_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._observer: Observer | None = None
        if COLLECTION_IMPORT_ERROR is not None:
            self.disabled = True  # Ansible calls no other method
            self._warn(
                "this run is not reported, because the collection is not installed where Ansible "
                "looks for collections. Remove callback_plugins and install aliops.cloudmonitor."
            )

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        """Read the options. An empty variable counts as unset, as everywhere in the collection."""
        if self.disabled:
            return
        with without_empty_variables():
            super().set_options(*args, **kwargs)  # type: ignore[no-untyped-call]

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Report the start of a playbook."""
        with self._guard():
            if str(playbook._file_name or "") == "__adhoc_playbook__":
                return
            if self._observer is not None:
                self._observer.start(playbook)
                return
            options = dict(self._plugin_options)
            if not options.get("outbox"):
                options["outbox"] = default_outbox()
            is_wanted = not context.CLIARGS.get("check") or options["check_mode_events"]
            # The courier imports its code while this process does.
            early = _import(_LAUNCH, options["outbox"]).early_courier(options["outbox"], is_wanted)
            with early as courier:
                observer = _import(_OBSERVER, options["outbox"]).Observer
                self._observer = observer(self._display, self._warn, self._load_name, options)
                self._observer.start(playbook, courier)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember the play: its variables are wanted at the end."""
        if self._observer is not None:
            self._observer.play = play

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool | None = False) -> None:
        """Remember where a host failed."""
        if self._observer is not None and not ignore_errors:
            self._observer.remember(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Remember that a host could not be reached."""
        if self._observer is not None:
            self._observer.remember(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Report the finish of a playbook."""
        if self._observer is not None:
            with self._guard():
                self._observer.finish(stats)

    def _warn(self, text: str) -> None:
        self._display.warning(f"aliops.cloudmonitor: {text}")

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn whatever goes wrong into one warning; the run goes on."""
        try:
            yield
        except Exception as exc:
            if self._observer is not None:
                self._observer.give_up()
            # The kind only: the text of an unforeseen error may hold anything.
            self._warn(f"the run is not reported any further: {type(exc).__name__}")


def _import(name: str, outbox: str) -> Any:
    try:
        return import_file(name, outbox)
    except Exception:
        # Without compiled code, as Ansible imports it. An error of the file itself appears again.
        return importlib.import_module(f"ansible_collections.aliops.cloudmonitor.plugins.{name}")
