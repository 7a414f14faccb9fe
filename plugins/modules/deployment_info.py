# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which has no code to run on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_info
short_description: Show which deployments ran, run now, and are current
version_added: 1.1.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Reads the history of deployments in the outbox, on the controller. It needs no account and sends nothing.
  - The history contains every finished deployment that the callback, the role, or M(aliops.cloudmonitor.deployment_event) reported
    with this outbox. The callback option O(aliops.cloudmonitor.deployment_events#callback:history_keep) sets how long.
  - A deployment belongs to the time at which it ended.
options:
  name:
    description: Only deployments with this name.
    type: str
  environment:
    description: Only deployments to this environment.
    type: str
  status:
    description: Only deployments that ended in one of these ways. It does not affect RV(metrics).
    type: list
    elements: str
    choices: [succeeded, failed, aborted, empty]
    default: []
  since:
    description:
      - The beginning of the period for RV(deployments) and RV(metrics).
      - A span before now such as V(90m), V(12h), V(7d) or V(2w), or a date such as V(2026-11-01), which begins at midnight UTC.
        Any form of O(aliops.cloudmonitor.custom_event#module:time) is also accepted.
      - By default, the period begins with the first deployment.
    type: raw
  until:
    description: The end of the period, in the form of O(since). The default is now.
    type: raw
  limit:
    description: How many deployments are listed at most. It does not affect RV(metrics).
    type: int
    default: 100
  outbox:
    description:
      - The directory of the outbox. The default is the outbox of the callback.
      - Environment variable E(CLOUDMONITOR_OUTBOX).
    type: path
attributes:
  check_mode:
    description: Can run in check mode and show what would be done without doing it.
    support: full
    details: Only reads.
  diff_mode:
    description: Shows what is sent.
    support: none
seealso:
  - plugin: aliops.cloudmonitor.deployment_events
    plugin_type: callback
  - module: aliops.cloudmonitor.deployment_event
  - name: See what was deployed
    description: The guide for the history and the report.
    link: https://aliops.github.io/cloudmonitor/history.html
"""

EXAMPLES = r"""
- name: Read what runs in production
  aliops.cloudmonitor.deployment_info:
    environment: production
  register: info
  run_once: true

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item.name }} {{ item.version | default('unknown') }}, since {{ item.finished_at }}"
  loop: "{{ info.current }}"
  loop_control:
    label: "{{ item.name }}"
  run_once: true

- name: Read the failures and the metrics of the last week
  aliops.cloudmonitor.deployment_info:
    name: shop
    status: [failed, aborted]
    since: 7d
  register: failures
  run_once: true
"""

RETURN = r"""
deployments:
  description:
    - The finished deployments, the one that ended last comes first. Each has the content of its finish event and the keys C(by) and
      C(delivery). Unknown keys are omitted.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Identifies the deployment.
      type: str
      returned: always
    name:
      description: The name of the deployment.
      type: str
      returned: always
    environment:
      description: Where it was deployed to.
      type: str
      returned: when it is known
    version:
      description: The deployed software.
      type: str
      returned: when it is known
    status:
      description: V(succeeded), V(failed), V(aborted) or V(empty).
      type: str
      returned: always
    finished_at:
      description: ISO 8601 in UTC with milliseconds.
      type: str
      returned: always
    previous:
      description: The C(id), C(version) and C(finished_at) of the deployment that it replaced.
      type: dict
      returned: when it is known
    by:
      description: Who reported it, V(callback), V(role) or V(task).
      type: str
      returned: always
    delivery:
      description:
        - The state of the finish event. V(waiting) events are in the outbox. V(refused) means that Cloud Monitor did not accept the
          event and it is not sent again, and V(expired) that it became too old. Otherwise V(delivered).
      type: str
      returned: always
running:
  description:
    - The deployments of the callback that have not ended. Each has the content of its start event, and C(overdue), which is true if
      the event C(deployment-overdue) was written. The role and tasks store only finished deployments.
  returned: success
  type: list
  elements: dict
current:
  description:
    - For each name and environment, the last deployment that succeeded, in the form of RV(deployments). It may have ended before
      O(since). Runs in check mode and empty runs never become current.
  returned: success
  type: list
  elements: dict
metrics:
  description:
    - The metrics of each name and environment over the period. Each metric has its sample size. Ratios and durations without
      samples are null.
    - Failed means V(failed) or V(aborted). Runs in check mode and empty runs do not count. A deployment inside another one of the same
      name and environment does not count separately.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the deployments.
      type: str
      returned: always
    environment:
      description: Their environment, or null.
      type: str
      returned: always
    frequency:
      description: C(deployments) is their number, C(days) the length of the period, at least 1. C(per_day) and C(per_week) are the quotients.
      type: dict
      returned: always
    failed:
      description: C(ratio) is C(failed) divided by C(deployments).
      type: dict
      returned: always
    recovery:
      description:
        - C(median_s) is the median of C(recoveries) recoveries that ended in the period. A recovery lasts from the end of the first failed
          deployment to the end of the next one that succeeded. C(open) counts the recovery that has not ended, which began C(open_s) ago.
      type: dict
      returned: always
    lead_time:
      description: C(median_s) is the median of C(finished_at - committed_at) of C(deployments) that succeeded and have a C(committed_at).
      type: dict
      returned: always
    duration:
      description:
        - C(p50_s) and C(p95_s) are percentiles of C(duration_s), with linear interpolation between the two closest ranks, over
          C(deployments) that have one.
      type: dict
      returned: always
matched:
  description: How many deployments there are without O(limit).
  returned: success
  type: int
  sample: 2
since:
  description: The beginning of the period in ISO 8601, or null if it begins with the first deployment.
  returned: success
  type: str
until:
  description: The end of the period in ISO 8601.
  returned: success
  type: str
damaged_lines:
  description: How many lines of the history could not be read.
  returned: success
  type: int
  sample: 0
unknown_lines:
  description: How many lines of a newer version of the collection could not be understood.
  returned: success
  type: int
  sample: 0
outbox:
  description: The directory of the outbox.
  returned: success
  type: str
error:
  description: The error, as returned by M(aliops.cloudmonitor.custom_event).
  returned: when the options or the outbox cannot be used
  type: dict
"""
