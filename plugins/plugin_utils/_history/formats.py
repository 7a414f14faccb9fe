# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JSON for programs and as CSV for spreadsheets. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from ...module_utils._api.timestamp import iso_time
from .._history.query import Answer

SCHEMA = "deployment-report/1"
# A column, and where its value is in the content of a finish.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    **{
        name: (name,)
        for name in "id parent by name environment version status reason started_at finished_at "
        "duration_s check_mode user controller playbook commit repository committed_at url".split()
    },
    **{f"previous_{name}": ("previous", name) for name in ("id", "version", "finished_at")},
    **{f"ci_{name}": ("ci", name) for name in ("system", "job", "url")},
    **{f"git_{name}": ("git", name) for name in ("commit", "branch", "repository")},
    **{
        f"hosts_{name}": ("hosts", name)
        for name in ("total", "ok", "changed", "failed", "unreachable", "rescued")
    },
    **{name: (name,) for name in ("failures", "context", "details", "truncated", "delivery")},
}
# A spreadsheet takes a text that begins with one of these for a formula (OWASP, "CSV Injection").
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
# Before such a text, spreadsheets take it for "what follows is text".
QUOTE = "'"
# Without it, Excel takes UTF-8 for the code page of the machine.
BYTE_ORDER_MARK = "\ufeff"


def as_json(answer: Answer, now: float, source: str) -> str:
    """Return the answer as JSON. Times are ISO 8601 in UTC with milliseconds."""
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "created_at": iso_time(now),
        "source": source,
        "since": None if answer.since is None else iso_time(answer.since),
        "until": iso_time(answer.until),
        "deployments": answer.deployments,
        "running": answer.running,
        "current": answer.current,
        "metrics": answer.metrics,
        "damaged": answer.damaged,
        "unknown": answer.unknown,
    }
    return json.dumps(report, ensure_ascii=False, indent=1) + "\n"


def as_csv(answer: Answer) -> str:
    """Return the finished deployments as CSV (RFC 4180): a heading, then the newest one first.

    It begins with a byte order mark. Lists and mappings are JSON. A value that a spreadsheet would
    take for a formula has an apostrophe before it, and so has a value that begins with one.
    """
    text = io.StringIO()
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for content in answer.deployments:
        writer.writerow([_value(content, place) for place in COLUMNS.values()])
    return text.getvalue()


def _value(content: Mapping[str, Any], place: tuple[str, ...]) -> str:
    found: Any = content
    for name in place:
        found = found.get(name) if isinstance(found, Mapping) else None
    if found is None:
        return ""
    if isinstance(found, (bool, list, dict)):
        return json.dumps(found, ensure_ascii=False)
    return harmless(found) if isinstance(found, str) else str(found)


def harmless(text: str) -> str:
    """Return a text that a spreadsheet takes for the text itself, and not for a formula."""
    return QUOTE + text if text.startswith((*_FORMULA, QUOTE)) else text
