# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which has no code to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: playbook_variables
short_description: Check the extra variables of a playbook of this collection, private to it
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Fails if an extra variable (C(-e)) begins with C(cloudmonitor_) and the playbook does not know it, because it would silently have
    no effect. It may change at any time.
  - Variables of the callback P(aliops.cloudmonitor.deployment_events#callback) are accepted and ignored.
options:
  known:
    description: The variables of the playbook.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and show what would be done without doing it.
    support: full
  diff_mode:
    description: Shows what is sent.
    support: none
"""

EXAMPLES = r"""
- name: The playbook status does this
  aliops.cloudmonitor.playbook_variables:
    known: [cloudmonitor_outbox]
"""

RETURN = r"""
error:
  description: What is wrong, as returned by M(aliops.cloudmonitor.custom_event).
  returned: on failure
  type: dict
"""
