# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which has no code to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_role
short_description: The steps of the role deployment, private to it
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Does the work of the role P(aliops.cloudmonitor.deployment#role) on the controller. It may
    change at any time, so use the role, or M(aliops.cloudmonitor.deployment_event) for tasks of
    your own.
  - It takes everything but the options below from the role's variables.
options:
  step:
    description:
      - V(start) and V(finish) run once for a batch of hosts, V(done) on every host.
      - V(start) checks the play and the variables and reports the start, V(done) marks a host as
        done, V(finish) reports the finish with the verdict.
    type: str
    choices: [start, done, finish]
    required: true
  wrapped:
    description:
      - Whether the role runs the tasks of the deployment itself, so that the verdict comes from
        the marks alone.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and say what would be done without doing it.
    support: full
    details: Nothing is sent.
  diff_mode:
    description: Shows what is sent.
    support: full
"""

EXAMPLES = r"""
- name: The role does this on every host that came to the end
  aliops.cloudmonitor.deployment_role:
    step: done
"""

RETURN = r"""
ledger:
  description: The deployments so far, for the next step.
  returned: for the steps start and finish
  type: dict
status:
  description: The verdict, V(succeeded), V(failed) or V(aborted).
  returned: for the step finish
  type: str
failed_hosts:
  description: The hosts that took part and are not done.
  returned: for the step finish
  type: list
  elements: str
"""
