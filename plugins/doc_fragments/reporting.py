# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of what custom_event and deployment_event share besides the connection."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of a task that reports events, and how far it supports the attributes."""

    DOCUMENTATION = r"""
options:
  group_id:
    description:
      - The id of the application group of the events. V(0) means no group.
      - An alert rule of a group sees only events of that group.
    type: int
    default: 0
  report_errors:
    description:
      - What happens if events are not delivered. V(fail) fails the task, V(warn) only shows a warning.
      - With V(warn), a deployment continues if Cloud Monitor is down or unreachable, or if the AccessKey or the configuration is
        wrong. Invalid input, such as an event without a name, always fails.
      - With V(queue), events that an outage or throttling holds up go to the O(outbox), and the task shows a warning and succeeds.
        The next run with the callback P(aliops.cloudmonitor.deployment_events#callback) delivers them in order, with their original
        time, if it uses the same AccessKey. Without the callback, run M(aliops.cloudmonitor.flush_outbox).
      - With V(queue), the task fails if the service refuses events, if there is no AccessKey, if the configuration is wrong, or if
        the outbox cannot be written. If events in the middle of a list are refused, none of the rest is queued.
    type: str
    choices: [fail, warn, queue]
    default: fail
  outbox:
    description:
      - The directory on the controller in which O(report_errors=queue) stores events. The default is the outbox of the callback.
      - If the task does not set it, it comes from the environment variable E(CLOUDMONITOR_OUTBOX), or else from the section
        C(callback_deployment_events) of C(ansible.cfg), as for M(aliops.cloudmonitor.flush_outbox).
    type: path
  report_from:
    description:
      - The machine that sends the events, the V(controller) or the host of the task (V(target)).
      - With V(controller), the AccessKey stays on the controller, and Ansible opens no connection to the host.
      - Use V(target) for an endpoint that only the host can reach, such as one in a VPC. The controller finds the credentials and
        passes them to the host as hidden (C(no_log)) parameters.
    type: str
    choices: [controller, target]
    default: controller
attributes:
  check_mode:
    support: full
    details: Validates the input. Nothing is sent or queued.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Every run sends the events again.
"""
