# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specifications of the modules, shared by the actions and the modules."""

from __future__ import annotations

from typing import Any

from ._options import connection_argument_spec

REPORT_ERRORS = ("fail", "warn", "queue")
REPORT_FROM = ("controller", "target")
START_EVENT = "deployment-start"
FINISH_EVENT = "deployment-finish"
FAILURE_EVENT = "deployment-failure"


def _shared() -> dict[str, Any]:
    return {
        "group_id": {"type": "int", "default": 0},
        "report_errors": {"type": "str", "choices": list(REPORT_ERRORS), "default": "fail"},
        "report_from": {"type": "str", "choices": list(REPORT_FROM), "default": "controller"},
        "outbox": {"type": "path"},
        **connection_argument_spec(),
    }


def custom_event_spec() -> dict[str, Any]:
    """Return the argument specification of custom_event.

    The members of ``events`` are raw and optional here, because our own check names the index of
    an invalid event.
    """
    event = {
        "name": {"type": "raw"},
        "content": {"type": "raw"},
        "group_id": {"type": "raw"},
        "time": {"type": "raw"},
    }
    return {
        "name": {"type": "str"},
        "content": {"type": "raw"},
        "time": {"type": "raw"},
        "events": {"type": "list", "elements": "dict", "options": event},
        **_shared(),
    }


def deployment_event_spec() -> dict[str, Any]:
    """Return the argument specification of deployment_event."""
    return {
        "phase": {"type": "str", "choices": ["start", "finish"], "required": True},
        "name": {"type": "str"},
        "id": {"type": "str"},
        "version": {"type": "str"},
        "environment": {"type": "str"},
        "commit": {"type": "str", "aliases": ["deployment_commit"]},
        "repository": {"type": "str", "aliases": ["deployment_repository"]},
        "committed_at": {"type": "raw", "aliases": ["deployment_committed_at"]},
        "url": {"type": "str", "aliases": ["deployment_url"]},
        "details": {"type": "dict"},
        "deployment": {"type": "dict"},
        "status": {"type": "str", "choices": ["succeeded", "failed", "aborted"]},
        "start_event": {"type": "str", "default": START_EVENT},
        "finish_event": {"type": "str", "default": FINISH_EVENT},
        "failure_event": {"type": "str", "default": FAILURE_EVENT},
        **_shared(),
    }


def flush_outbox_spec() -> dict[str, Any]:
    """Return the argument specification of flush_outbox."""
    return {
        "outbox": {"type": "path"},
        "dead": {"type": "str", "choices": ["keep", "retry", "drop"], "default": "keep"},
        **connection_argument_spec(),
    }


def deployment_info_spec() -> dict[str, Any]:
    """Return the argument specification of deployment_info."""
    return {
        "name": {"type": "str"},
        "environment": {"type": "str"},
        "status": {
            "type": "list",
            "elements": "str",
            "choices": ["succeeded", "failed", "aborted", "empty"],
            "default": [],
        },
        "since": {"type": "raw"},
        "until": {"type": "raw"},
        "limit": {"type": "int", "default": 100},
        "outbox": {"type": "path"},
    }


def deployment_report_spec() -> dict[str, Any]:
    """Return the argument specification of deployment_report, which is private to a playbook."""
    return {
        "path": {"type": "path"},
        "since": {"type": "str", "default": "90"},
        "format": {"type": "str", "choices": ["html", "json", "csv"], "default": "html"},
        "source": {"type": "str", "choices": ["history", "cloudmonitor"], "default": "history"},
        "outbox": {"type": "path"},
    }


def custom_event_info_spec() -> dict[str, Any]:
    """Return the argument specification of custom_event_info."""
    return {
        "name": {"type": "str"},
        "group_id": {"type": "int"},
        "keywords": {"type": "str"},
        "since": {"type": "raw"},
        "until": {"type": "raw"},
        "limit": {"type": "int", "default": 100},
        "wait": {"type": "float", "default": 0},
        "at_least": {"type": "int"},
        **connection_argument_spec(),
    }


def outbox_info_spec() -> dict[str, Any]:
    """Return the argument specification of outbox_info."""
    return {
        "outbox": {"type": "path"},
        "limit": {"type": "int", "default": 100},
    }


def custom_event_rule_spec() -> dict[str, Any]:
    """Return the argument specification of custom_event_rule."""
    return {
        "state": {"type": "str", "choices": ["present"], "default": "present"},
        "event_name": {"type": "str", "required": True},
        "group_id": {"type": "int", "default": 0},
        "contact_groups": {"type": "list", "elements": "str", "required": True},
        "rule_name": {"type": "str"},
        "rule_id": {"type": "str"},
        "level": {"type": "str", "choices": ["CRITICAL", "WARN", "INFO"], "default": "CRITICAL"},
        "threshold": {"type": "int", "default": 1},
        "period": {"type": "int", "default": 60},
        "effective_interval": {"type": "str", "default": "00:00-23:59"},
        "webhook": {"type": "str", "no_log": True},
        "email_subject": {"type": "str"},
        **connection_argument_spec(),
    }
