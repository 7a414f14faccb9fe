# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which has no code to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: playbook_variables
short_description: Check the extra variables of a playbook of this collection, private to it
version_added: 1.1.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Fails if an extra variable (C(-e)) has nearly the name of one of the collection's variables, because it would silently have no
    effect. It may change at any time.
options: {}
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
"""

RETURN = r"""
error:
  description: The error, as returned by M(aliops.cloudmonitor.custom_event).
  returned: on failure
  type: dict
"""
