# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: outbox_info
short_description: Show what is in the outbox of Alibaba Cloud Monitor events
version_added: 1.1.0
author: aliops.cloudmonitor contributors (@aliops)
description:
  - The callback P(aliops.cloudmonitor.deployment_events#callback) and tasks with O(aliops.cloudmonitor.custom_event#module:report_errors)
    store events in an outbox until they are delivered. This module lists what is in it, on the controller.
  - It reads files only. It sends nothing, needs no AccessKey, takes no lock, and changes nothing on disk.
  - To see the same as a table, run the playbook C(aliops.cloudmonitor.status).
  - It has no connection options, so it does not belong to the action group C(cloudmonitor).
options:
  outbox:
    description:
      - The directory of the outbox. The default is the outbox of the callback, from the section C(callback_deployment_events) of
        C(ansible.cfg).
      - Environment variable E(CLOUDMONITOR_OUTBOX).
    type: path
  limit:
    description:
      - How many entries each list returns at most. RV(totals) always counts everything.
    type: int
    default: 100
attributes:
  check_mode:
    description: Can run in check mode and show what would be done without doing it.
    support: full
  diff_mode:
    description: Shows what is sent.
    support: none
seealso:
  - module: aliops.cloudmonitor.flush_outbox
  - plugin: aliops.cloudmonitor.deployment_events
    plugin_type: callback
  - name: Operations
    description: The guide for the outbox, the log, and dead letters.
    link: https://aliops.github.io/cloudmonitor/operations.html
"""

EXAMPLES = r"""
- name: Read the outbox
  aliops.cloudmonitor.outbox_info:
  register: outbox
  run_once: true

- name: Fail if events have waited for more than an hour
  ansible.builtin.assert:
    that: outbox.deployments | selectattr('state', '==', 'waiting') | selectattr('age_s', '>', 3600) | length == 0
    fail_msg: "{{ outbox.msg }}"
  run_once: true
"""

RETURN = r"""
msg:
  description: The numbers in one sentence.
  returned: success
  type: str
  sample: 1 deployment running, 2 waiting, 4 events to deliver, 0 dead letters.
outbox:
  description: The directory of the outbox.
  returned: success
  type: str
  sample: /home/deploy/.ansible/aliops.cloudmonitor
exists:
  description: Whether the directory exists. It is created by the first run with the callback.
  returned: success
  type: bool
deployments:
  description: The deployments of the callback that run or wait. Overdue ones come first, then waiting ones, each from the oldest.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: The id of the deployment.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    version:
      description: Its version, null if it is unknown.
      type: str
      returned: always
    environment:
      description: Its environment, null if it is unknown.
      type: str
      returned: always
    state:
      description:
        - V(running) while its process is alive, V(overdue) if an event has also reported that it takes too long, and V(waiting) if it is over
          and its events wait.
      type: str
      returned: always
    started_at:
      description: When it started, in UTC.
      type: str
      returned: always
    age_s:
      description: The seconds since then.
      type: float
      returned: always
    events:
      description: How many of its events wait.
      type: int
      returned: always
    problem:
      description: Why they wait, null if nothing is wrong.
      type: str
      returned: always
    next_attempt_in_s:
      description: In how many seconds its courier tries again. Null if the next run or M(aliops.cloudmonitor.flush_outbox) does.
      type: float
      returned: always
    pid:
      description: The process of a run on this host that is alive, otherwise null.
      type: int
      returned: always
    path:
      description: Its folder in the outbox.
      type: str
      returned: always
queued:
  description: Events that tasks could not deliver and queued, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    label:
      description: The name of the deployment, or of the first event.
      type: str
      returned: always
    deployment:
      description: The id of the deployment that they are about, null for other events.
      type: str
      returned: always
    queued_at:
      description: When the task queued them, in UTC.
      type: str
      returned: always
    age_s:
      description: The seconds since then.
      type: float
      returned: always
    events:
      description: How many events wait.
      type: int
      returned: always
    problem:
      description: Why they wait.
      type: str
      returned: always
    path:
      description: Their folder in the outbox.
      type: str
      returned: always
dead:
  description: The dead letters, which are not sent again, one entry for each deployment, the oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    deployment:
      description: The name of their file, made from the id of the deployment.
      type: str
      returned: always
    name:
      description: The name of the deployment, or of the event.
      type: str
      returned: always
    environment:
      description: The environment of the deployment, null if it is unknown.
      type: str
      returned: always
    letters:
      description: How many dead letters there are. A finish and its failure event share one.
      type: int
      returned: always
    events:
      description: How many events they hold.
      type: int
      returned: always
    kind:
      description: Why the last one is not sent again. One of V(refused), V(expired) or V(unreadable).
      type: str
      returned: always
    reason:
      description: The same in words.
      type: str
      returned: always
    added_at:
      description: When the first one was added, in UTC.
      type: str
      returned: always
    age_s:
      description: The seconds since then.
      type: float
      returned: always
    path:
      description: The file, or the first of them.
      type: str
      returned: always
damaged:
  description: Folders that could not be read.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The folder.
      type: str
      returned: always
    problem:
      description: The problem, null for a folder that was moved away before.
      type: str
      returned: always
    moved:
      description: Whether it is in C(damaged). Otherwise the next run or flush moves it there.
      type: bool
      returned: always
    age_s:
      description: The seconds since its last change.
      type: float
      returned: always
deliveries:
  description: The last ten accepted requests in C(courier.log), the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    at:
      description: When the request was accepted, in UTC.
      type: str
      returned: always
    age_s:
      description: The seconds since then.
      type: float
      returned: always
    deployment:
      description: The name of the folder, made from the id of the deployment.
      type: str
      returned: always
    name:
      description: The name of the deployment, as far as the outbox and its history know it. Otherwise the id.
      type: str
      returned: always
    environment:
      description: The environment of the deployment, null if it is unknown.
      type: str
      returned: always
    events:
      description: How many events were accepted.
      type: int
      returned: always
    text:
      description: The line in C(courier.log).
      type: str
      returned: always
totals:
  description:
    - How many deployments are C(overdue), C(waiting) or C(running), and how many folders are C(queued) or C(damaged).
    - How many C(events) wait, and how many C(dead_letters) with how many C(dead_events) there are.
    - C(unread) counts the folders and files that could not be read within 20 seconds.
  returned: success
  type: dict
  sample:
    {overdue: 0, waiting: 2, running: 1, queued: 0, events: 4, dead_letters: 0, dead_events: 0, damaged: 0, unread: 0}
next_steps:
  description: What to do about each kind of problem, the most urgent one first.
  returned: success
  type: list
  elements: dict
  contains:
    problem:
      description: The problem that the command solves.
      type: str
      returned: always
    command:
      description: A command for a shell.
      type: str
      returned: always
table:
  description: Everything as lines of text for people, at most 88 columns wide. Each section shows 20 entries.
  returned: success
  type: list
  elements: str
error:
  description: The error, as returned by M(aliops.cloudmonitor.flush_outbox).
  returned: when the outbox cannot be read
  type: dict
"""
