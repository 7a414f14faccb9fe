# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a deployment to the events that report it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._api.errors import InvalidInput
from ...module_utils._api.event import Event, parse_event
from ...module_utils._api.frozen import frozen
from .content import FAILURE_STATUSES, Deployment, render

OVERDUE_EVENT = "deployment-overdue"


@frozen
class Naming:
    """The names and the group of a deployment's events.

    An empty ``failure_event`` turns the failure event off. Only the callback reports that a
    deployment is overdue.
    """

    start_event: str
    finish_event: str
    failure_event: str
    group_id: int = 0
    overdue_event: str = OVERDUE_EVENT

    @staticmethod
    def from_options(options: Mapping[str, Any]) -> Naming:
        """Return the naming in the options of deployment_event or of the callback."""
        return Naming(
            options["start_event"],
            options["finish_event"],
            options["failure_event"],
            options["group_id"],
            options.get("overdue_event", OVERDUE_EVENT),
        )


def deployment_events(deployment: Deployment, naming: Naming, now: float) -> list[Event]:
    """Return the events to send: one of its phase, and the failure event if it is due.

    ``now``: the time of the events, in epoch seconds. Raises InvalidInput for an empty name.
    """
    option = deployment.phase + "_event"
    names = [(option, getattr(naming, option))]
    if deployment.status in FAILURE_STATUSES and naming.failure_event:
        names.append(("failure_event", naming.failure_event))
    for option, name in names:
        if not name.strip():
            raise InvalidInput(
                "is empty", option=option, advice="Name the event. No event was sent."
            )
    content = render(deployment)
    return [
        parse_event({"name": name, "content": content, "group_id": naming.group_id}, now)
        for _option, name in names
    ]
