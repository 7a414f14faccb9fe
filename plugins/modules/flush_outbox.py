# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flush_outbox
short_description: Deliver what earlier runs could not report to Alibaba Cloud Monitor
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - The callback P(aliops.cloudmonitor.deployment_events#callback) keeps events in an outbox until they are delivered. This module delivers
    what is left there, on the controller. It is for cron, for the last step of a CI job, and for people.
  - A deployment that was interrupted together with its machine gets its finish, V(aborted) with the reason V(lost).
  - The courier of a run that is over hands its events over. It is waited for, O(timeout) and a little more in all. What belongs to a
    run that is alive is left to its courier, and events that are meant for other credentials are left, too.
extends_documentation_fragment:
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.attributes
options:
  outbox:
    description:
      - The directory of the outbox. By default that of the callback.
      - Like the connection, it is taken from the section C(callback_deployment_events) of C(ansible.cfg), too, when neither the
        task nor the environment says otherwise.
      - Environment variable E(CLOUDMONITOR_OUTBOX).
    type: path
  dead:
    description:
      - What to do with dead letters, which are events that the service has refused or that grew too old.
      - V(keep) only lists them, V(retry) sends them once more, V(drop) deletes them.
    type: str
    choices: [keep, retry, drop]
    default: keep
attributes:
  check_mode:
    support: full
    details: Counts what is in the outbox and sends nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: An empty outbox stays as it is.
seealso:
  - plugin: aliops.cloudmonitor.deployment_events
    plugin_type: callback
  - module: aliops.cloudmonitor.custom_event
"""

EXAMPLES = r"""
- name: Deliver what is left
  aliops.cloudmonitor.flush_outbox:
  run_once: true
  register: flushed

- name: Send the refused events once more, after the policy was mended
  aliops.cloudmonitor.flush_outbox:
    dead: retry
  run_once: true
"""

RETURN = r"""
delivered:
  description: How many events the service has accepted.
  returned: always
  type: int
  sample: 2
pending:
  description: How many events are still waiting in the outbox, whatever they are meant for.
  returned: always
  type: int
  sample: 0
dead:
  description: The dead letters that are in the outbox now, the first 100 of them.
  returned: always
  type: list
  elements: dict
  contains:
    deployment:
      description: The id of the deployment, as the name of the file has it.
      type: str
      returned: always
    reason:
      description: Why they will not be sent again.
      type: str
      returned: always
    events:
      description: The events, in the form of the C(events) option of M(aliops.cloudmonitor.custom_event).
      type: list
      elements: dict
      returned: always
dead_count:
  description: How many dead letters there are.
  returned: always
  type: int
  sample: 0
error:
  description:
    - What went wrong, as returned by M(aliops.cloudmonitor.custom_event). There is one C(kind) more, V(outbox), when the directory
      cannot be used.
  returned: when events did not get through
  type: dict
"""
