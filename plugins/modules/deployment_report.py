# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which has no code to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_report
short_description: The work of the playbook report, private to it
version_added: 1.1.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Writes what was deployed into a file, for the playbook C(aliops.cloudmonitor.report). It may change at any time, so run the
    playbook.
  - The file is written on the controller, from the history in the outbox or from the events that Cloud Monitor has. No event is
    sent.
options:
  path:
    description:
      - The file to write. A relative path begins in the directory in which Ansible was started.
      - The file is replaced in one step. An existing file keeps its mode.
      - The default is V(deployments.html), or the same name with the extension of another O(format).
    type: path
  since:
    description:
      - The beginning of the period, as a number of days or as a time such as V(2026-11-01) or V(2026-11-01T08:00:00+08:00).
      - A deployment belongs to the time at which it ended.
    type: str
    default: "90"
  format:
    description:
      - V(html) is one page without requests. V(json) is for programs, and V(csv) for spreadsheets.
    type: str
    choices: [html, json, csv]
    default: html
  source:
    description:
      - Where the deployments come from. V(history) is the history in the outbox. V(cloudmonitor) reads the events back from Cloud
        Monitor, with the connection of the callback.
    type: str
    choices: [history, cloudmonitor]
    default: history
  outbox:
    description:
      - The directory of the outbox. The default is the outbox of the callback.
      - Environment variable E(CLOUDMONITOR_OUTBOX).
    type: path
attributes:
  check_mode:
    description: Can run in check mode and show what would be done without doing it.
    support: full
    details: Reads everything and writes nothing.
  diff_mode:
    description: Shows what is sent.
    support: none
"""

EXAMPLES = r"""
- name: The playbook does this
  aliops.cloudmonitor.deployment_report:
    path: deployments.html
"""

RETURN = r"""
path:
  description: The absolute path of the file.
  returned: success
  type: str
  sample: /home/ada/deployments.html
size:
  description: The size of the file in bytes.
  returned: success
  type: int
  sample: 48211
deployments:
  description: How many finished deployments there are in the period.
  returned: success
  type: int
  sample: 42
running:
  description: How many deployments are running.
  returned: success
  type: int
  sample: 1
table:
  description: What runs where, and the totals, as lines that fit into 100 columns of a terminal.
  returned: success
  type: list
  elements: str
msg:
  description: Where the report is, or why it was not written.
  returned: always
  type: str
  sample: The report is /home/ada/deployments.html (48 kB).
error:
  description: The error, as returned by M(aliops.cloudmonitor.custom_event).
  returned: failure
  type: dict
"""
