# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends custom events; runs on the host of the task for report_from=target."""

from __future__ import annotations

DOCUMENTATION = r"""
module: custom_event
short_description: Send custom events to Alibaba Cloud Monitor
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Sends one custom event, or thousands, to the custom event API of Alibaba Cloud Monitor (C(POST /event/custom/upload)).
  - Many events are sent in order, in as few requests as the limits of the service allow (100 events and 500,000 bytes per request).
  - All input is validated before the first byte is sent. If one event among 10,000 is invalid, the error names its index and field,
    and nothing is sent.
extends_documentation_fragment:
  - aliops.cloudmonitor.reporting
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.attributes
options:
  name:
    description: The name of the event. Alert rules match it exactly.
    type: str
  content:
    description:
      - The content of the event. Text is sent unchanged. Anything else, such as a dictionary or a list, becomes compact JSON.
    type: raw
  time:
    description:
      - The time at which it happened. The default is now.
      - Use the format of the service (V(20171023T144439.948+0800)), ISO 8601 (UTC without an offset), a YAML date-time,
        or epoch digits (milliseconds from 100000000000 on, seconds below).
    type: raw
  events:
    description:
      - A list of events, instead of O(name) and O(content).
      - O(group_id) is then the default for each event, and O(time) is an error.
    type: list
    elements: dict
    suboptions:
      name:
        description: As O(name). Required.
        type: raw
      content:
        description: As O(content). Required.
        type: raw
      group_id:
        description: As O(group_id).
        type: raw
      time:
        description: As O(time).
        type: raw
seealso:
  - module: aliops.cloudmonitor.deployment_event
  - name: Report from tasks
    description: The guide for the event modules.
    link: https://aliops.github.io/cloudmonitor/tasks.html
  - name: Report custom events by sending an HTTP request
    description: The documentation of Alibaba Cloud.
    link: https://www.alibabacloud.com/help/en/cms/user-guide/report-custom-events-by-sending-an-http-request
"""

EXAMPLES = r"""
- name: Report that the nightly job is done
  aliops.cloudmonitor.custom_event:
    name: nightly-export
    content: "exported 1,203 orders"

- name: Send a mapping as JSON, for an application group
  aliops.cloudmonitor.custom_event:
    name: cache-flushed
    group_id: 4711
    content:
      keys: 18203
      reason: schema change

- name: Send many events with few requests
  aliops.cloudmonitor.custom_event:
    events: "{{ my_events }}"
  vars:
    my_events: &my_events
      - name: disk-replaced
        content: "slot 3"
        time: "2026-03-01T09:30:00+08:00"
      - name: disk-replaced
        content: "slot 7"
        time: "2026-03-01T09:45:00+08:00"
  register: sent

- name: Send the events that were not accepted the first time
  aliops.cloudmonitor.custom_event:
    events: "{{ my_events[sent.resume_from:] }}"
  vars:
    my_events: *my_events
  when: sent.resume_from is defined

- name: Send events that must not be lost in an outage
  aliops.cloudmonitor.custom_event:
    name: nightly-export
    content: "exported 1,203 orders"
    report_errors: queue

- name: Send from a host inside the VPC
  aliops.cloudmonitor.custom_event:
    name: node-drained
    content: "{{ inventory_hostname }}"
    region: cn-beijing
    network: vpc
    report_from: target
"""

RETURN = r"""
events:
  description: The events as sent, in the form of the O(events) option, the first 100 of them.
  returned: always
  type: list
  elements: dict
  sample: [{"name": "nightly-export", "content": "exported 1,203 orders", "group_id": 0, "time": "20260301T013000.000+0000"}]
delivered:
  description: How many events the service has accepted.
  returned: always
  type: int
  sample: 1
queued:
  description: How many events were stored in the outbox, because of an outage with O(report_errors=queue).
  returned: always
  type: int
  sample: 0
requests:
  description: How many requests were made, further attempts included.
  returned: always
  type: int
  sample: 1
endpoint:
  description: The base URL of the service.
  returned: always
  type: str
  sample: https://metrichub-cms-cn-hangzhou.aliyuncs.com
undelivered:
  description: The events that were not accepted, in the form of the O(events) option, the first 100 of them.
  returned: when events were not accepted
  type: list
  elements: dict
undelivered_count:
  description: The number of events that were not accepted.
  returned: when events were not accepted
  type: int
  sample: 9700
resume_from:
  description:
    - The index of the first event that was not accepted, counted from 0. Events are delivered in order, so
      C(events[resume_from:]) completes the job.
    - An event without O(events[].time) then gets the time of the new task.
  returned: when events were neither accepted nor queued
  type: int
  sample: 300
error:
  description: The error.
  returned: when events were not accepted
  type: dict
  contains:
    kind:
      description: >-
        One word for programs. V(timeout), V(connection), V(tls), V(throttled), V(server_error), V(bad_request), V(signature), V(clock),
        V(permission), V(refused), V(redirect), V(proxy), V(not_the_service), V(credentials), V(configuration), V(missing_library),
        V(target), V(outbox), V(invalid_event) or V(invalid_input).
      type: str
      returned: always
      sample: signature
    http_status:
      description: The HTTP status of the last answer, if there was one.
      type: int
      returned: always
      sample: 403
    code:
      description: The code in the last answer of the service.
      type: str
      returned: always
      sample: "403"
    message:
      description: The message of the service, or the reason why there was no answer.
      type: str
      returned: always
    request_id:
      description: The service's id of the last request, for its support.
      type: str
      returned: always
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CloudMonitorError,
)
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._argspec import custom_event_spec
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._event_task import (
    NOTHING_SENT,
    error_result,
    outage_noted,
    parse_event_options,
    send_events,
)


def main() -> None:
    """Send the events of the module's parameters."""
    module = AnsibleModule(argument_spec=custom_event_spec(), supports_check_mode=True)
    params = module.params
    try:
        events, single = parse_event_options(params, time.time())
        keep = outage_noted if params["report_errors"] == "queue" else None
        result = send_events(events, params, os.environ, single, module.check_mode, keep=keep)
    except CloudMonitorError as exc:
        result = {**NOTHING_SENT, **error_result(exc, params["report_errors"])}
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
