# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: custom_event_info
short_description: Read events back from Alibaba Cloud Monitor
version_added: 1.1.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Reads custom events that Cloud Monitor has accepted, with the call C(DescribeCustomEventAttribute) of its OpenAPI 2019-01-01. The
    controller makes the calls.
  - The call, its parameters and its answer are documented by Alibaba Cloud. This module was tested against a receiver that follows
    the documentation, not against the real service.
  - The delay until an accepted event becomes visible is not documented. A missing event may only be late, so use O(wait).
  - How long Cloud Monitor keeps events is not documented today. An older page names one month for the free edition.
  - Events that are reported to the endpoint of one region are read from the OpenAPI of the same O(region). It could not be tried
    whether Cloud Monitor shows them in other regions.
extends_documentation_fragment:
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.attributes
options:
  name:
    description: The exact name of the events. The default is all names.
    type: str
  group_id:
    description:
      - The id of the application group of the events. V(0) selects events without a group.
      - The default is all groups.
    type: int
  keywords:
    description:
      - Words in the content, for example the id of a deployment. Separate several words by V(and) or V(or).
      - Cloud Monitor searches whole words. A UUID is one word. The module also checks that the content contains each word, in any
        case.
    type: str
  since:
    description:
      - The time of the first event, in one of the forms of the option O(aliops.cloudmonitor.custom_event#module:time).
      - The default is 24 hours before O(until).
    type: raw
  until:
    description: The time of the last event. The default is now.
    type: raw
  limit:
    description: The largest number of events to return, the newest ones.
    type: int
    default: 100
  wait:
    description:
      - The number of seconds to look for events until O(at_least) are visible.
      - The task fails if fewer are visible when the time is over.
    type: float
    default: 0
  at_least:
    description:
      - The number of different events that must be visible, at most O(limit).
      - The default is 1 with O(wait), and 0 without it.
    type: int
attributes:
  check_mode:
    support: full
    details: Reads in the same way, because nothing changes.
  diff_mode:
    support: N/A
    details: Nothing changes.
  idempotent:
    support: N/A
    details: Nothing changes.
notes:
  - The AccessKey needs the permission C(cms:DescribeCustomEventAttribute).
seealso:
  - module: aliops.cloudmonitor.custom_event
  - module: aliops.cloudmonitor.custom_event_rule
  - name: Report from tasks
    description: The guide for the event modules.
    link: https://aliops.github.io/cloudmonitor/tasks.html
"""

EXAMPLES = r"""
- name: Show the failed deployments of the last 24 hours
  aliops.cloudmonitor.custom_event_info:
    name: deployment-failure
  register: failures

- name: Report the start of a deployment
  aliops.cloudmonitor.deployment_event:
    phase: start
    name: shop
  register: deployed

- name: Check that it has arrived
  aliops.cloudmonitor.custom_event_info:
    keywords: "{{ deployed.deployment.id }}"
    wait: 120
  when: not ansible_check_mode

- name: Read the events of one week in one application group
  aliops.cloudmonitor.custom_event_info:
    group_id: 4711
    since: "2026-11-16T00:00:00+08:00"
    until: "2026-11-22T23:59:59+08:00"
    limit: 1000
"""

RETURN = r"""
events:
  description:
    - The events, the newest first, in the form of the option C(events) of M(aliops.cloudmonitor.custom_event).
    - A content that is a JSON object or a JSON list is returned as a dictionary or a list, any other content as text.
  returned: when Cloud Monitor has answered
  type: list
  elements: dict
  sample:
    - name: deployment-failure
      content: {"id": "0b5c6a3e-5f5e-4c57-9a5b-0d6f1b9a7f10", "phase": "finish", "status": "failed"}
      group_id: 0
      time: 20261126T001445.123+0000
duplicates:
  description:
    - The indexes of events in RV(events) that were delivered again, because delivery is at least once.
    - They have the same name, group, and C(id) and C(phase) in the content as an older event in RV(events).
  returned: when Cloud Monitor has answered
  type: list
  elements: int
  sample: []
count:
  description: The number of different events in RV(events), without duplicates.
  returned: when Cloud Monitor has answered
  type: int
  sample: 1
truncated:
  description: Whether there are more events than O(limit).
  returned: when Cloud Monitor has answered
  type: bool
  sample: false
waited:
  description: The seconds until the events were visible, or until O(wait) was over.
  returned: when Cloud Monitor has answered
  type: float
  sample: 0.183
requests:
  description: How many requests were made, further attempts included.
  returned: when Cloud Monitor has answered
  type: int
  sample: 1
endpoint:
  description: The base URL of the OpenAPI.
  returned: when Cloud Monitor has answered
  type: str
  sample: https://metrics.cn-hangzhou.aliyuncs.com
error:
  description:
    - The error, as returned by M(aliops.cloudmonitor.custom_event).
    - Events that are not visible yet are not an error of the service, so they do not set it.
  returned: when a call failed
  type: dict
"""
