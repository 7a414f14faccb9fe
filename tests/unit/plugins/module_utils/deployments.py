# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments of every kind, for the tests of what is said about them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._deployment.content import (
    Deployment,
    Failure,
    HostCounts,
)

STARTED = 1508741079.948
ALL = Deployment(
    id="0f8f7b7e-6f3a-4c8e-9a55-2f1f6f0f5a01",
    name="shop",
    status="aborted",
    parent="release-7",
    version="1.4.2",
    environment="production",
    commit="4e1243bd22c66e76c2ba9eddc1f91394e57f9f83",
    repository="https://git.example/shop/app.git",
    committed_at=STARTED - 3600,
    url="https://git.example/shop/app/-/merge_requests/7",
    previous={"id": "release-6", "version": "1.4.1", "finished_at": "2017-10-16T06:00:00.000Z"},
    playbook="site.yml",
    user="alice",
    controller="controller.example",
    started_at=STARTED,
    finished_at=STARTED + 61.5,
    check_mode=False,
    hosts=HostCounts(total=3, ok=1, changed=1, failed=1, unreachable=1, rescued=0),
    failures=(Failure("web1", "Restart", "no such service"), Failure("web2")),
    reason="killed",
    ci={"system": "gitlab", "url": "https://ci.example/7", "job": "7"},
    git={
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "branch": "main",
        "repository": "https://git.example/shop/deploy.git",
    },
    context={"ticket": "OPS-1"},
    details={"note": "by hand"},
)

_LONG = ["x" * 5000, "部" * 2000, "\x01" * 1000, "\ud83d" * 9]
_TEXT = st.text(max_size=60) | st.sampled_from(_LONG)
_NAME = _TEXT.filter(bool)
_MAYBE = st.none() | _TEXT
_COUNT = st.integers(0, 10_000)
_TIME = st.none() | st.floats(0, 4e9)
_VALUE = _TEXT | st.integers() | st.lists(_TEXT, max_size=3)
_CI = st.fixed_dictionaries({"system": st.just("awx")}, optional={"url": _TEXT})
_GIT = st.fixed_dictionaries({"commit": st.just("0" * 40)}, optional={"branch": _NAME})


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    """Anything that may be known of a deployment; ids have the length that tasks allow."""
    parts: dict[str, Any] = {
        name: draw(_MAYBE)
        for name in ("version", "environment", "repository", "playbook", "user", "controller")
    }
    identifier = st.text(min_size=1, max_size=128)
    return Deployment(
        id=draw(identifier),
        parent=draw(st.none() | identifier),
        name=draw(_NAME),
        status=draw(st.sampled_from(["running", "succeeded", "failed", "aborted", "empty"])),
        commit=draw(st.none() | st.from_regex("[0-9a-f]{7,64}", fullmatch=True)),
        committed_at=draw(_TIME),
        url=draw(st.none() | _TEXT.map("https://git.example/".__add__)),
        previous=draw(
            st.none() | st.fixed_dictionaries({"id": identifier}, optional={"version": _TEXT})
        ),
        started_at=draw(_TIME),
        finished_at=draw(_TIME),
        elapsed_s=draw(st.none() | st.floats(0, 1e6)),
        check_mode=draw(st.none() | st.booleans()),
        hosts=draw(st.none() | st.builds(HostCounts, *[_COUNT] * 6)),
        failures=tuple(draw(st.lists(st.builds(Failure, _TEXT, _MAYBE, _MAYBE), max_size=15))),
        reason=draw(st.sampled_from([None, "stopped", "killed", "lost"])),
        ci=draw(
            st.none() | st.fixed_dictionaries({"system": st.just("awx")}, optional={"url": _TEXT})
        ),
        git=draw(
            st.none()
            | st.fixed_dictionaries({"commit": st.just("0" * 40)}, optional={"branch": _NAME})
        ),
        context=draw(st.none() | st.dictionaries(_NAME, _VALUE, max_size=4)),
        **parts,
    )
