# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The family of errors: one base, a kind for programs, a sentence for people."""

from __future__ import annotations

import inspect

import pytest

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api import errors
from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import (
    CloudMonitorError,
    ConfigurationError,
    CredentialsError,
    DeliveryError,
    InvalidEvent,
    InvalidInput,
    Outcome,
)


def test_there_is_one_base() -> None:
    classes = [item for _name, item in inspect.getmembers(errors, inspect.isclass)]

    ours = [item for item in classes if item.__module__ == errors.__name__]
    assert len(ours) >= 6
    assert all(issubclass(item, (CloudMonitorError, Outcome)) for item in ours)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CloudMonitorError("text"), "error"),
        (InvalidInput("text"), "invalid_input"),
        (ConfigurationError("text"), "configuration"),
        (CredentialsError("text"), "credentials"),
    ],
)
def test_an_error_before_any_answer_has_a_kind_and_its_text(
    error: CloudMonitorError, kind: str
) -> None:
    assert error.as_result() == {
        "kind": kind,
        "http_status": None,
        "code": None,
        "message": "text",
        "request_id": None,
    }


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (None, "name: is empty. No event was sent."),
        (0, "events[0].name: is empty. No event was sent."),
        (9999, "events[9999].name: is empty. No event was sent."),
    ],
)
def test_a_wrong_event_is_named_by_index_and_field(index: int | None, text: str) -> None:
    error = InvalidEvent("is empty", "name", index)

    assert str(error) == text
    assert isinstance(error, InvalidInput)
    assert error.as_result()["kind"] == "invalid_event"


def test_a_refusal_carries_the_answer_of_the_service() -> None:
    error = DeliveryError(
        "sentence",
        "signature",
        Outcome.REFUSED,
        advice="Do this.",
        http_status=403,
        code="403",
        message="bad sign",
        request_id="id-1",
    )

    assert str(error) == "sentence. Do this."
    assert error.as_result() == {
        "kind": "signature",
        "http_status": 403,
        "code": "403",
        "message": "bad sign",
        "request_id": "id-1",
    }


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_a_final_refusal_is_not_worth_keeping(outcome: Outcome) -> None:
    assert DeliveryError("text", "kind", outcome).keep is (outcome is not Outcome.REFUSED)
