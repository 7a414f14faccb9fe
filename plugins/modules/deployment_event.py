# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which composes the events.

It has no code to run on a host: with report_from=target the action hands the composed events
to the custom_event module there.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: deployment_event
short_description: Report the start or the finish of a deployment to Alibaba Cloud Monitor
version_added: 1.0.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - Sends a C(deployment-start) event, or a C(deployment-finish) event with the status, as custom events of Alibaba Cloud Monitor.
  - A finish with O(status=failed) or O(status=aborted) also sends a C(deployment-failure) event, because an alert rule matches one
    exact event name.
  - The content of the events is compact JSON of at most 4,000 bytes with id, name, version, environment, user, controller, times,
    and the known facts about the CI job and the git checkout. Its JSON Schema is in the C(docs) folder of the collection.
  - To report tasks on several hosts with one start, one finish, and the status of all of them, use the role
    P(aliops.cloudmonitor.deployment#role).
extends_documentation_fragment:
  - aliops.cloudmonitor.reporting
  - aliops.cloudmonitor.connection
  - aliops.cloudmonitor.attributes
options:
  phase:
    description: Whether the deployment starts or has ended.
    type: str
    choices: [start, finish]
    required: true
  name:
    description: The name of the deployment. Required for O(phase=start).
    type: str
  id:
    description:
      - The id that all events of a deployment share, at most 128 characters. The default for O(phase=start) is a new UUID.
      - For O(phase=finish), O(id) and O(name) can replace O(deployment). Setting both is an error.
    type: str
  version:
    description: The version that is deployed, for example V(1.4.2) or a commit.
    type: str
  environment:
    description: The environment of the deployment, for example V(production).
    type: str
  commit:
    description: The commit of the software that is deployed, 7 to 64 hexadecimal digits. The default of a finish is the value of its start.
    type: str
    aliases: [deployment_commit]
  repository:
    description: The repository of the software that is deployed, usually a URL. User names and passwords in it are removed.
    type: str
    aliases: [deployment_repository]
  committed_at:
    description: The time of the commit, in a form that O(aliops.cloudmonitor.custom_event#module:time) accepts. It gives the lead time.
    type: raw
    aliases: [deployment_committed_at]
  url:
    description: A page about this deployment or its change, with C(http) or C(https), for example a release or a merge request.
    type: str
    aliases: [deployment_url]
  details:
    description: A dictionary of additional facts for the event. Details that make the event larger than 4,000 bytes are an error.
    type: dict
  deployment:
    description: For O(phase=finish), the RV(deployment) that the start returned. Check mode also returns it.
    type: dict
  status:
    description: How the deployment ended. Required for O(phase=finish).
    type: str
    choices: [succeeded, failed, aborted]
  start_event:
    description: The name of the start event.
    type: str
    default: deployment-start
  finish_event:
    description: The name of the finish event.
    type: str
    default: deployment-finish
  failure_event:
    description: The name of the additional event if a deployment failed or was aborted. If empty, no failure event is sent.
    type: str
    default: deployment-failure
notes:
  - If the environment variable E(CLOUDMONITOR_RUN_ID) contains the id of a running deployment, the events contain it as C(parent).
seealso:
  - module: aliops.cloudmonitor.custom_event
  - name: Report from tasks
    description: The guide for the event modules.
    link: https://aliops.github.io/cloudmonitor/tasks.html
  - name: Report custom events by sending an HTTP request
    description: The documentation of Alibaba Cloud.
    link: https://www.alibabacloud.com/help/en/cms/user-guide/report-custom-events-by-sending-an-http-request
"""

EXAMPLES = r"""
- name: Report the start
  aliops.cloudmonitor.deployment_event:
    phase: start
    name: shop
    version: 1.4.2
    environment: production
  register: started
  run_once: true

- name: Deploy
  ansible.builtin.copy:
    content: "1.4.2"
    dest: /tmp/shop.version
    mode: "0644"

- name: Report the finish
  aliops.cloudmonitor.deployment_event:
    phase: finish
    deployment: "{{ started.deployment }}"
    status: succeeded
  run_once: true

- name: Report the finish of a deployment that another playbook started
  aliops.cloudmonitor.deployment_event:
    phase: finish
    id: "release-2026-03-01"
    name: shop
    status: failed
    details:
      ticket: OPS-1234
  run_once: true
"""

RETURN = r"""
deployment:
  description: The deployment, which you can pass to O(phase=finish). Unknown values are null.
  returned: unless an option is wrong
  type: dict
  contains:
    id:
      description: Ties the events of one deployment together.
      type: str
      returned: always
    name:
      description: The name of the deployment.
      type: str
      returned: always
    version:
      description: What is deployed.
      type: str
      returned: always
    environment:
      description: Where it is deployed to.
      type: str
      returned: always
    commit:
      description: The commit of the software that is deployed.
      type: str
      returned: always
    repository:
      description: The repository of the software, without credentials.
      type: str
      returned: always
    committed_at:
      description: ISO 8601 in UTC with milliseconds.
      type: str
      returned: always
    url:
      description: A page about this deployment or its change, without credentials.
      type: str
      returned: always
    previous:
      description: The C(id), C(version) and C(finished_at) of the deployment that was current at the start.
      type: dict
      returned: always
    status:
      description: V(running), V(succeeded), V(failed) or V(aborted).
      type: str
      returned: always
    started_at:
      description: ISO 8601 in UTC with milliseconds.
      type: str
      returned: always
    finished_at:
      description: ISO 8601 in UTC with milliseconds.
      type: str
      returned: always
    duration_s:
      description: Seconds from start to finish.
      type: float
      returned: always
events:
  description: The events as sent, as returned by M(aliops.cloudmonitor.custom_event).
  returned: always
  type: list
  elements: dict
delivered:
  description: How many events the service has accepted.
  returned: always
  type: int
queued:
  description: How many events were stored in the outbox, because of an outage with O(report_errors=queue).
  returned: always
  type: int
  sample: 0
requests:
  description: How many requests were made, further attempts included.
  returned: always
  type: int
endpoint:
  description: The base URL of the service.
  returned: always
  type: str
undelivered:
  description: The events that were not accepted, in the form of the C(events) option of M(aliops.cloudmonitor.custom_event).
  returned: when events were not accepted
  type: list
  elements: dict
undelivered_count:
  description: The number of events that were not accepted.
  returned: when events were not accepted
  type: int
resume_from:
  description: The index of the first event that was not accepted, counted from 0.
  returned: when events were neither accepted nor queued
  type: int
error:
  description: The error, as returned by M(aliops.cloudmonitor.custom_event).
  returned: when events were not accepted
  type: dict
"""
