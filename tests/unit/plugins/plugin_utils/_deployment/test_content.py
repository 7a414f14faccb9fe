# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a deployment event: complete when it fits, and cut by priority when not."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.module_utils._api.errors import InvalidInput
from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    MAX_CONTENT_BYTES,
    Deployment,
    Failure,
    HostCounts,
    check_details,
    render,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.deployments import (
    ALL,
    STARTED,
    deployments,
)

ORDER = (
    "schema id parent phase status name version environment commit repository committed_at url "
    "previous playbook user controller started_at finished_at duration_s check_mode hosts failures "
    "reason ci git context details truncated"
).split()


def content(deployment: Deployment) -> dict[str, Any]:
    text = render(deployment)
    assert len(text.encode("utf-8")) <= MAX_CONTENT_BYTES == 4000
    members: dict[str, Any] = json.loads(text)
    return members


def test_everything_that_is_known_is_said_in_the_fixed_order() -> None:
    assert render(ALL) == (
        '{"schema":"deployment/1","id":"0f8f7b7e-6f3a-4c8e-9a55-2f1f6f0f5a01","parent":"release-7",'
        '"phase":"finish","status":"aborted","name":"shop","version":"1.4.2",'
        '"environment":"production","commit":"4e1243bd22c66e76c2ba9eddc1f91394e57f9f83",'
        '"repository":"https://git.example/shop/app.git","committed_at":"2017-10-23T05:44:39.948Z",'
        '"url":"https://git.example/shop/app/-/merge_requests/7","previous":{"id":"release-6",'
        '"version":"1.4.1","finished_at":"2017-10-16T06:00:00.000Z"},'
        '"playbook":"site.yml","user":"alice",'
        '"controller":"controller.example","started_at":"2017-10-23T06:44:39.948Z",'
        '"finished_at":"2017-10-23T06:45:41.448Z","duration_s":61.5,"check_mode":false,'
        '"hosts":{"total":3,"ok":1,"changed":1,"failed":1,"unreachable":1,"rescued":0},'
        '"failures":[{"host":"web1","task":"Restart","message":"no such service"},'
        '{"host":"web2"}],"reason":"killed",'
        '"ci":{"system":"gitlab","url":"https://ci.example/7","job":"7"},'
        '"git":{"commit":"0123456789abcdef0123456789abcdef01234567","branch":"main",'
        '"repository":"https://git.example/shop/deploy.git"},'
        '"context":{"ticket":"OPS-1"},"details":{"note":"by hand"}}'
    )
    assert list(content(ALL)) == ORDER[:-1]


def test_what_is_unknown_is_absent() -> None:
    assert content(Deployment(id="i", name="n")) == {
        "schema": "deployment/1",
        "id": "i",
        "phase": "start",
        "status": "running",
        "name": "n",
    }


@pytest.mark.parametrize("empty", [{}, None])
def test_an_empty_mapping_is_as_good_as_none(empty: Any) -> None:
    one = Deployment(id="i", name="n", ci=empty, git=empty, context=empty, details=empty)

    assert not {"ci", "git", "context", "details"} & set(content(one))


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("running", "start"),
        ("succeeded", "finish"),
        ("failed", "finish"),
        ("aborted", "finish"),
        ("empty", "finish"),
    ],
)
def test_the_phase_follows_from_the_status(status: str, phase: str) -> None:
    assert content(Deployment(id="i", name="n", status=status))["phase"] == phase


@pytest.mark.parametrize(
    ("started", "finished", "duration"),
    [
        (1.0, 3.5, 2.5),
        (STARTED, STARTED + 0.0004, 0.0),
        (0.1, 0.3, 0.2),
        (5.0, 3.0, 0.0),
        (None, 3.0, None),
        (1.0, None, None),
        (0.0, 0.0, 0.0),
    ],
)
def test_the_duration_has_milliseconds_and_is_never_negative(
    started: float | None, finished: float | None, duration: float | None
) -> None:
    one = Deployment(id="i", name="n", started_at=started, finished_at=finished)

    assert one.duration_s == duration
    assert content(one).get("duration_s") == duration


def test_text_is_utf_8_and_not_escaped() -> None:
    assert '"name":"商店 🚀"' in render(Deployment(id="i", name="商店 🚀"))


def test_bytes_of_a_file_name_that_are_no_text_do_not_stop_the_event() -> None:
    assert content(Deployment(id="i", name="n", playbook="a\udcff.yml"))["playbook"] == "a?.yml"


BIG = {"a": "x" * 1500}
MANY = tuple(Failure(f"host{number}", "t" * 300, "m" * 300) for number in range(30))


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"context": BIG}, []),
        ({"context": {"a": "x" * 3900}}, ["context"]),
        ({"context": BIG, "git": {**BIG, "commit": "c"}, "ci": BIG}, ["context"]),
        ({"context": BIG, "git": {"a": "x" * 3500}, "ci": BIG}, ["context", "git"]),
        ({"context": BIG, "git": BIG, "ci": {"a": "x" * 3900}}, ["context", "git", "ci"]),
    ],
)
def test_context_then_git_then_ci_go(changes: dict[str, Any], gone: list[str]) -> None:
    said = content(replace(ALL, **changes))

    assert [name for name in ("context", "git", "ci") if name not in said] == gone
    assert said.get("truncated", False) == bool(gone)
    assert "failures" in said
    assert said["details"] == {"note": "by hand"}


def test_failures_are_shortened_before_anything_goes() -> None:
    said = content(replace(ALL, failures=MANY))

    assert said["truncated"] is True
    assert {"context", "git", "ci"} <= set(said)
    assert 1 <= len(said["failures"]) <= 10
    assert [item["host"] for item in said["failures"]] == [
        f"host{number}" for number in range(len(said["failures"]))
    ]
    assert all(item["message"].endswith("…") for item in said["failures"])


def test_the_counts_and_the_commit_stay_when_everything_else_goes() -> None:
    details = {"a": "x" * 3399}
    said = content(replace(ALL, failures=MANY, details=details))

    assert not {"failures", "context", "git", "ci", "previous", "url", "repository"} & set(said)
    assert said["commit"] == ALL.commit
    assert said["details"] == details
    assert said["hosts"]["failed"] == 1
    assert (said["status"], said["reason"], said["id"]) == ("aborted", "killed", ALL.id)


def test_then_long_texts_are_cut_but_never_what_ties_events_together() -> None:
    one = replace(
        ALL, id="i" * 128, parent="p" * 128, name="n" * 5000, version="部" * 5000, details=None
    )
    said = content(one)

    assert said["truncated"] is True
    assert (said["id"], said["parent"]) == (one.id, one.parent)
    assert (said["phase"], said["status"], said["reason"]) == ("finish", "aborted", "killed")
    assert said["name"].startswith("nnn")
    assert said["name"].endswith("…")


def test_details_that_do_not_fit_are_an_error_that_says_by_how_much() -> None:
    with pytest.raises(InvalidInput, match=r"^details: are too large") as caught:
        render(replace(ALL, details={"a": "x" * 4000}))

    words = str(caught.value).split()
    too_much = int(words[words.index("by") + 1])
    assert render(replace(ALL, details={"a": "x" * (4000 - too_much)}))
    with pytest.raises(InvalidInput):
        render(replace(ALL, details={"a": "x" * (4001 - too_much)}))


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"a": float("nan")}, "cannot be written as JSON"),
        ({"a": {1, 2}}, "cannot be written as JSON"),
        ({"a": "\ud83d"}, "half of a surrogate pair"),
        ({"\udc00": 1}, "half of a surrogate pair"),
    ],
)
def test_details_without_a_json_form_are_an_error(details: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        check_details(details)


def test_good_details_pass() -> None:
    check_details({"ticket": "OPS-1", "深": [1, None, {"a": True}]})


@given(one=deployments())
def test_a_content_always_fits_is_json_and_keeps_its_order(one: Deployment) -> None:
    said = content(one)

    assert list(said) == [name for name in ORDER if name in said]
    assert None not in said.values()
    assert json.dumps(said, ensure_ascii=False, separators=(",", ":")) == render(one)


@given(one=deployments())
def test_truncated_is_said_exactly_when_something_was_left_out(one: Deployment) -> None:
    said = content(one)

    whole = {"context": one.context, "git": one.git, "ci": one.ci, "failures": one.failures}
    lost = [name for name, value in whole.items() if value and name not in said]
    if lost:
        assert said["truncated"] is True
    order = ["context", "git", "ci", "failures"]
    given_names = [name for name in order if whole[name]]
    assert lost == given_names[: len(lost)]


@given(one=deployments(), size=st.integers(0, 2500))
def test_details_are_never_cut(one: Deployment, size: int) -> None:
    details = {"a": "x" * size}
    try:
        said = content(replace(one, details=details))
    except InvalidInput as exc:
        assert str(exc).startswith("details: ")  # noqa: PT017
    else:
        assert said["details"] == details


MESSAGES = tuple(Failure(f"host{number}", message="m" * 300) for number in range(30))
REMOVED = ("context", "git", "ci", "previous", "url", "repository")
LONG = replace(ALL, failures=MESSAGES, name="n" * 300, version="v" * 300)


def shapes(one: Deployment) -> list[tuple[int, int, str, int]]:
    """Every form that the content takes while more and more details want their room.

    A form: the number of failures, the length of their texts, what is gone, the length of the
    name.
    """
    found: list[tuple[int, int, str, int]] = []
    for size in range(1, MAX_CONTENT_BYTES, 7):
        try:
            said = json.loads(render(replace(one, details={"a": "x" * size})))
        except InvalidInput:
            break
        failures = said.get("failures", [])
        text = len(failures[0]["message"]) if failures else 0
        gone = " ".join(name for name in REMOVED if name not in said)
        shape = (len(failures), text, gone, len(said["name"]))
        assert said["truncated"] is True
        if shape not in found:
            found.append(shape)
    return found


def test_what_goes_goes_in_this_order() -> None:
    assert shapes(LONG) == [
        (10, 128, "", 300),
        (10, 48, "", 300),
        (5, 48, "", 300),
        (3, 48, "", 300),
        (1, 48, "", 300),
        (1, 48, "context", 300),
        (1, 48, "context git", 300),
        (1, 48, "context git ci", 300),
        (0, 0, "context git ci", 300),
        (0, 0, "context git ci previous", 300),
        (0, 0, "context git ci previous url", 300),
        *((0, 0, " ".join(REMOVED), length) for length in (300, 200, 100, 50, 16)),
    ]


def exactly(size: int) -> Deployment:
    """A deployment whose content has just that many bytes when nothing is left out."""
    one = Deployment(id="i", name="n", playbook=".")
    return replace(one, playbook="p" * (size - len(render(one).encode()) + 1))


def test_what_has_just_the_bytes_that_are_allowed_stays_whole() -> None:
    text = render(exactly(MAX_CONTENT_BYTES))

    assert len(text.encode()) == MAX_CONTENT_BYTES
    assert "truncated" not in text


def test_one_byte_more_and_something_is_left_out() -> None:
    said = json.loads(render(exactly(MAX_CONTENT_BYTES + 1)))

    assert said["truncated"] is True
    assert said["playbook"] == "p" * 199 + "…"


def test_a_text_of_just_the_length_that_is_left_is_not_cut() -> None:
    one = replace(exactly(MAX_CONTENT_BYTES), version="v" * 200, environment="e" * 201)
    said = json.loads(render(one))

    assert said["version"] == "v" * 200
    assert said["environment"] == "e" * 199 + "…"


def test_details_may_take_the_very_last_byte_that_is_left() -> None:
    nothing: dict[str, Any] = dict.fromkeys(REMOVED)
    bare = replace(ALL, failures=(), **nothing)
    size = next(
        size
        for size in range(3000, MAX_CONTENT_BYTES)
        if not fits(replace(bare, details={"a": "x" * (size + 1)}))
    )

    text = render(replace(bare, details={"a": "x" * size}))
    assert len(text.encode()) == MAX_CONTENT_BYTES


def fits(one: Deployment) -> bool:
    try:
        render(one)
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(
    ("started", "finished", "seconds"), [(1.0, 3.5678, 2.568), (0.0, 0.0014, 0.001)]
)
def test_a_duration_has_three_digits_behind_the_point(
    started: float, finished: float, seconds: float
) -> None:
    assert Deployment("i", "n", started_at=started, finished_at=finished).duration_s == seconds


@pytest.mark.parametrize(
    "value",
    [HostCounts(1, 1, 0, 0, 0, 0), Failure("web1"), Deployment("i", "n")],
    ids=lambda value: type(value).__name__,
)
def test_what_is_known_cannot_be_changed(value: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(value, next(iter(vars(value))), None)
