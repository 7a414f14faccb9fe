# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the attributes of the modules mean; each module says how far it supports them."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of every module of the action group."""

    DOCUMENTATION = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/aliops.cloudmonitor.cloudmonitor) in C(module_defaults) to set defaults for the whole group.
    support: full
    membership:
      - aliops.cloudmonitor.cloudmonitor
  check_mode:
    description: Can run in check mode and show what would be done without doing it.
  diff_mode:
    description: Shows what is sent.
  idempotent:
    description: Doing it again changes nothing.
"""
