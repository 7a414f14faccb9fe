# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: flush_outbox
short_description: Deliver the events that earlier runs could not report to Alibaba Cloud Monitor
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - The callback P(aliops.cloudmonitor.deployment_events#callback) stores events in an outbox until they are delivered. The role and
    tasks with C(report_errors=queue) store the events that an outage holds up. This module delivers the waiting events, on the
    controller. Use it from cron, as the last step of a CI job, or by hand.
  - A deployment that was interrupted together with its machine gets its finish, V(aborted) with the reason V(lost).
  - If a courier still works on a run that is over, the courier hands over its events. The module waits for it, O(timeout) and a
    little more in total. It does not touch active runs, or events for other credentials.
extends_documentation_fragment:
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.attributes
options:
  outbox:
    description:
      - The directory of the outbox. The default is the outbox of the callback.
      - If neither the task nor the environment sets them, the outbox and the connection options come from the section
        C(callback_deployment_events) of C(ansible.cfg).
      - Environment variable E(CLOUDMONITOR_OUTBOX).
    type: path
  dead:
    description:
      - What to do with dead letters, which are events that the service refused or that are too old.
      - V(keep) only lists them, V(retry) sends them again, V(drop) deletes them.
    type: str
    choices: [keep, retry, drop]
    default: keep
attributes:
  check_mode:
    support: full
    details: Counts what is in the outbox, reports what a flush would do, and changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: An empty outbox does not change.
seealso:
  - plugin: aliops.cloudmonitor.deployment_events
    plugin_type: callback
  - module: aliops.cloudmonitor.custom_event
  - name: Operations
    description: The guide for the outbox, the log, and dead letters.
    link: https://aliops.github.io/cloudmonitor/operations.html
"""

EXAMPLES = r"""
- name: Deliver the waiting events
  aliops.cloudmonitor.flush_outbox:
  run_once: true
  register: flushed

- name: Send the refused events again, after the policy was corrected
  aliops.cloudmonitor.flush_outbox:
    dead: retry
  run_once: true
"""

RETURN = r"""
msg:
  description:
    - The numbers in one sentence. C(refused) counts the dead letters that are in the outbox now.
    - If the task fails, the message also contains the error, the directory that keeps the events, and the next command.
  returned: always
  type: str
  sample: Delivered 4, waiting 0, refused 2.
changed:
  description:
    - Whether the task delivered an event or dropped one. An event is dropped when the service refuses it, so that it becomes a
      dead letter, or when O(dead=drop) deletes its dead letter.
  returned: always
  type: bool
delivered:
  description: How many events the service has accepted.
  returned: always
  type: int
  sample: 2
pending:
  description: How many events are still waiting in the outbox, for all credentials.
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
    - The error, as returned by M(aliops.cloudmonitor.custom_event). A further C(kind) is V(outbox), if the directory
      cannot be used.
  returned: when events did not get through
  type: dict
"""
