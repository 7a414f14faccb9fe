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
      - The id of the application group that the events belong to, V(0) for none.
      - An alert rule that was made for a group does not see events without it.
    type: int
    default: 0
  report_errors:
    description:
      - What happens when the events do not get through. V(fail) fails the task, V(warn) only warns.
      - With V(warn) a deployment goes on without Cloud Monitor, be it down, unreachable, without an AccessKey or misconfigured.
        Wrong input, such as an event without a name, fails in both cases.
    type: str
    choices: [fail, warn]
    default: fail
  report_from:
    description:
      - Where the events are sent from. With V(controller) the work is done on the controller. The AccessKey stays there, the host of
        the task is not even connected to, and one task costs a fraction of a module's time.
      - With V(target) the host of the task sends them, for an endpoint that only it can reach, such as one in a VPC. The credentials
        are still found on the controller and travel to the host as hidden (C(no_log)) parameters.
    type: str
    choices: [controller, target]
    default: controller
attributes:
  check_mode:
    support: full
    details: Everything is checked and nothing is sent.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Every run sends the events again; that is what it is for.
"""
