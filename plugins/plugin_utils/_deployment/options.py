# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the options of deployment_event to the deployment. Pure."""

from __future__ import annotations

import os
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...module_utils._api.errors import InvalidInput
from ...module_utils._api.timestamp import InvalidTime, iso_time, parse_epoch
from .content import Deployment, check_details, render
from .facts import Facts
from .provenance import OPTIONS as PROVENANCE
from .provenance import Provenance, parse_provenance

_ID_LIMIT = 128


def parse_deployment(params: Mapping[str, Any], facts: Facts, now: float) -> Deployment:
    """Return the deployment that starts or finishes ``now`` (epoch seconds).

    ``params`` are the validated options of deployment_event. Raises InvalidInput.
    """
    start = params["phase"] == "start"
    known = _from_options(params) if start else _from_start(params)
    if params.get("details"):
        check_details(params["details"])
    started_at = now if start else known.pop("started_at", None)
    deployment = Deployment(
        status="running" if start else params["status"],
        started_at=started_at,
        # The clock may have gone back since the start, which another process reported.
        finished_at=None if start else max(now, started_at or now),
        details=params.get("details") or None,
        **known,
        **vars(facts),
    )
    if start:
        # Details must also fit into the finish, when it is too late for an error.
        render(replace(deployment, status="succeeded", finished_at=now + 1e8))
    return deployment


def deployment_result(deployment: Deployment) -> dict[str, Any]:
    """Return the ``deployment`` of a task's result, which a finish takes. Unknown is None."""
    one = deployment
    return {
        "id": one.id,
        "name": one.name,
        "version": one.version,
        "environment": one.environment,
        "commit": one.commit,
        "repository": one.repository,
        "committed_at": None if one.committed_at is None else iso_time(one.committed_at),
        "url": one.url,
        "previous": None if one.previous is None else dict(one.previous),
        "status": one.status,
        "started_at": None if one.started_at is None else iso_time(one.started_at),
        "finished_at": None if one.finished_at is None else iso_time(one.finished_at),
        "duration_s": one.duration_s,
    }


def _from_options(params: Mapping[str, Any]) -> dict[str, Any]:
    for option in ("deployment", "status"):
        if params.get(option):
            raise InvalidInput("belongs to phase finish, not to start", option=option)
    return {
        "id": _id(params.get("id") or str(uuid.uuid4()), "id"),
        "name": _name(params.get("name"), "name"),
        "version": _text(params.get("version")),
        "environment": _text(params.get("environment")),
        **vars(parse_provenance(params)),
    }


def _from_start(params: Mapping[str, Any]) -> dict[str, Any]:
    if not params.get("status"):
        raise InvalidInput(
            "is missing", option="status", advice="A finish is succeeded, failed or aborted."
        )
    given: Mapping[str, Any] | None = params.get("deployment")
    prefix = "deployment."
    if given is None:
        if not (params.get("id") and params.get("name")):
            raise InvalidInput(
                "is missing",
                option="deployment",
                advice="Pass the deployment that the start returned, or the id and the name.",
            )
        given, prefix = params, ""
    elif params.get("id") or params.get("name"):
        raise InvalidInput(
            "cannot be combined with deployment, which contains both",
            option="id, name",
            advice="Remove them.",
        )
    return {
        "id": _id(given.get("id"), prefix + "id"),
        "name": _name(given.get("name"), prefix + "name"),
        "version": _text(params.get("version") or given.get("version")),
        "environment": _text(params.get("environment") or given.get("environment")),
        **vars(_provenance(params, given)),
        "previous": _previous(given.get("previous")),
        "started_at": _started_at(given),
    }


def _provenance(params: Mapping[str, Any], given: Mapping[str, Any]) -> Provenance:
    """Return the facts about the software that the finish has, or else those of the start."""
    own = {name: value for name, value in vars(parse_provenance(params)).items() if value}
    if given is params:
        return replace(Provenance(), **own)
    prefix = "deployment."
    start = {prefix + name: given.get(name) for name in PROVENANCE}
    return replace(parse_provenance(start, prefix), **own)


def _previous(value: Any) -> dict[str, str] | None:
    """Return the deployment before, as far as ``deployment_result`` can have made it."""
    if not isinstance(value, Mapping):
        return None
    texts = {name: value.get(name) for name in ("id", "version", "finished_at")}
    return {name: text for name, text in texts.items() if isinstance(text, str)} or None


def check_id(text: str, option: str) -> None:
    """Check the id of a deployment, which may become the value of an environment variable.

    ``option``: where it comes from. Raises InvalidInput.
    """
    control = next((one for one in text if unicodedata.category(one) == "Cc"), None)
    if control is not None:
        raise InvalidInput(
            f"contains a control character (U+{ord(control):04X})",
            option=option,
            advice="Use printable characters only.",
        )
    try:
        os.fsencode(text)
    except UnicodeEncodeError as exc:
        raise InvalidInput(
            "contains characters that an environment variable cannot hold",
            option=option,
            advice="Use other characters.",
        ) from exc


def _id(value: Any, option: str) -> str:
    text = _text(value)
    if not text or len(text) > _ID_LIMIT:
        raise InvalidInput(
            f"must be text of 1 to {_ID_LIMIT} characters",
            option=option,
            advice="It ties start and finish together.",
        )
    check_id(text, option)
    return text


def _name(value: Any, option: str) -> str:
    text = _text(value)
    if not text:
        raise InvalidInput("is missing or empty", option=option, advice="Name the deployment.")
    return text


def _text(value: Any) -> str | None:
    return None if value is None or not str(value).strip() else str(value)


def _started_at(given: Mapping[str, Any]) -> float | None:
    value = given.get("started_at")
    if not value:
        return None
    try:
        return parse_epoch(value)
    except InvalidTime as exc:
        raise InvalidInput(
            str(exc),
            option="deployment.started_at",
            advice="Pass the deployment that the start returned.",
        ) from exc
