# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which has no code to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: setup_check
short_description: The work of the playbook check, private to it
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Looks whether the controller is set up to report to Alibaba Cloud Monitor, for the playbook
    C(aliops.cloudmonitor.check). It may change at any time, so run the playbook.
  - It reads the environment and C(ansible.cfg), like the callback P(aliops.cloudmonitor.deployment_events#callback), and has no
    connection options. The result contains no secret.
  - A problem in the setup does not fail the task. RV(healthy) shows whether there is one.
options:
  send:
    description:
      - Whether to send a test event, C(deployment-check). Without it an unsigned request asks whether
        the endpoint is there.
    type: bool
    default: true
  receipt:
    description: Whether to read the test event back, and to wait up to two minutes until it is visible.
    type: bool
    default: false
    version_added: 1.1.0
attributes:
  check_mode:
    description: Can run in check mode and say what would be done without doing it.
    support: full
    details: Nothing is sent but the unsigned request, and the outbox is not made.
  diff_mode:
    description: Shows what is sent.
    support: none
"""

EXAMPLES = r"""
- name: The playbook does this
  aliops.cloudmonitor.setup_check:
    send: true
"""

RETURN = r"""
settings:
  description: A line for each setting, with its value and where it comes from.
  returned: always
  type: list
  elements: str
checks:
  description: A line for each check, with what was found.
  returned: always
  type: list
  elements: str
to_fix:
  description: How to fix the failures.
  returned: always
  type: list
  elements: str
to_know:
  description: Remarks that are not failures.
  returned: always
  type: list
  elements: str
verdict:
  description: All of it in one sentence.
  returned: always
  type: str
healthy:
  description: Whether nothing is wrong.
  returned: always
  type: bool
"""
