# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: custom_event_rule
short_description: Write an alert rule for custom events in Alibaba Cloud Monitor
version_added: 1.1.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Writes an alert rule for one event name in one application group, with the call C(PutCustomEventRule) of Cloud Monitor's OpenAPI
    2019-01-01. The controller makes the calls.
  - A rule with the same O(rule_id) is replaced. The default id follows from O(group_id) and O(event_name), so a second run updates
    the rule instead of adding another one.
  - The module first checks that the contact groups and the application group exist.
  - Cloud Monitor documents no call that reads or deletes such a rule. The module therefore cannot compare, so a written rule always
    counts as changed, and it cannot delete a rule. Delete rules in the console.
  - The calls and their parameters are documented by Alibaba Cloud. This module was tested against a receiver that follows the
    documentation, not against the real service.
  - Alibaba Cloud does not document how long names and ids may be, and which characters they may have. It also does not document
    what a webhook receives. Try your rules before you rely on them.
extends_documentation_fragment:
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.attributes
options:
  state:
    description: The rule exists after the task. Other states are not possible, because no documented call deletes a rule.
    type: str
    choices: [present]
    default: present
  event_name:
    description:
      - The exact name of the events.
      - The event must have been reported once in the same group before the rule can be written.
    type: str
    required: true
  group_id:
    description: The id of the application group of the events. V(0) means events without a group.
    type: int
    default: 0
  contact_groups:
    description:
      - The names of the contact groups that are notified, a list or a text with commas.
      - Cloud Monitor requires at least one, even with O(webhook).
    type: list
    elements: str
    required: true
  rule_name:
    description: The name of the rule for people. The default is O(event_name). Another name does not change the id.
    type: str
  rule_id:
    description: The id of the rule. The default follows from O(group_id) and O(event_name), and differs for each pair of them.
    type: str
  level:
    description: The level of the alert, which selects how Cloud Monitor notifies the contacts.
    type: str
    choices: [CRITICAL, WARN, INFO]
    default: CRITICAL
  threshold:
    description: The number of events within O(period) that raises an alert.
    type: int
    default: 1
  period:
    description:
      - The period in seconds, V(60) or a multiple of it.
      - One user of the API reported one alert for each event with V(60) and O(threshold=1).
    type: int
    default: 60
  effective_interval:
    description: The time of day in which the rule raises alerts.
    type: str
    default: "00:00-23:59"
  webhook:
    description:
      - A URL that Cloud Monitor calls for each alert, with POST.
      - It may contain a token, so results, logs and differences show its host only.
    type: str
  email_subject:
    description: The subject of the mails.
    type: str
attributes:
  check_mode:
    support: full
    details: Checks the options, and reads the contact groups and the application group. Writes nothing.
  diff_mode:
    support: partial
    details: Shows the rule that is written. The rule before is not known.
  idempotent:
    support: partial
    details: A second run writes the same rule again and reports a change.
notes:
  - The AccessKey needs the permissions C(cms:PutCustomEventRule), C(cms:DescribeContactGroupList) and, with O(group_id),
    C(cms:DescribeMonitorGroups).
seealso:
  - module: aliops.cloudmonitor.custom_event
  - module: aliops.cloudmonitor.custom_event_info
  - name: Alerts
    description: The guide for alert rules.
    link: https://aliops.github.io/cloudmonitor/alerting.html
"""

EXAMPLES = r"""
- name: Report the event once, so that the rule can be written
  aliops.cloudmonitor.custom_event:
    name: nightly-export-failed
    content: first event, for the alert rule

- name: Notify the contact group oncall of every failed export
  aliops.cloudmonitor.custom_event_rule:
    event_name: nightly-export-failed
    contact_groups: [oncall]
    email_subject: The nightly export has failed
"""

RETURN = r"""
rule:
  description: The rule as written, or as check mode would write it. The O(webhook) shows its host only.
  returned: success
  type: dict
  sample:
    rule_id: aliops-0-nightly-export-failed
    rule_name: nightly-export-failed
    event_name: nightly-export-failed
    group_id: 0
    contact_groups: [oncall]
    level: CRITICAL
    threshold: 1
    period: 60
    effective_interval: "00:00-23:59"
    webhook: null
    email_subject: The nightly export has failed
requests:
  description: How many requests were made, further attempts included.
  returned: success
  type: int
  sample: 2
endpoint:
  description: The base URL of the OpenAPI.
  returned: success
  type: str
  sample: https://metrics.cn-hangzhou.aliyuncs.com
error:
  description: The error, as returned by M(aliops.cloudmonitor.custom_event).
  returned: when the rule was not written
  type: dict
"""
