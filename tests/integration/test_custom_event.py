# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""custom_event: from a task to the receiver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    EVENT,
    KEY_ID,
    SECRET,
    TOKEN,
    Run,
)

Tasks = Callable[..., Run]

CONTENTS: list[tuple[Any, str]] = [
    ("plain text", "plain text"),
    ("云监控：自定义事件 「引号」 \\ 换行\n完", "云监控：自定义事件 「引号」 \\ 换行\n完"),
    ("🚀 ✅ 👨‍👩‍👧", "🚀 ✅ 👨‍👩‍👧"),
    ({"b": 1, "a": ["中", None, True]}, '{"b":1,"a":["中",null,true]}'),
    ([1, 2.5], "[1,2.5]"),
    (7, "7"),
    (True, "true"),
    ('{"kept": "as it is"}', '{"kept": "as it is"}'),
    ("[1, 2]", "[1, 2]"),
    ("{{ '%d' % 42 }}", "42"),
]

TIMES = [
    ("20171023T144439.948+0800", "20171023T144439.948+0800"),
    ("2017-10-23T14:44:39+08:00", "20171023T144439.000+0800"),
    ("2017-10-23T14:44:39.948", "20171023T144439.948+0000"),
    (1508741079, "20171023T064439.000+0000"),
    ("1508741079948", "20171023T064439.948+0000"),
]


def event(name: Any = "e", content: Any = "c", **more: Any) -> dict[str, Any]:
    return {EVENT: {"name": name, "content": content, **more}}


@pytest.mark.every_core
def test_every_content_and_time_arrives_as_documented(tasks: Tasks, receiver: Receiver) -> None:
    run = tasks(
        [event(content=given) for given, _sent in CONTENTS]
        + [event(time=given) for given, _sent in TIMES]
        + [event(group_id="101"), event(name="事件名")]
    )
    assert [result["failed"] for result in run.results] == [False] * (
        len(CONTENTS) + len(TIMES) + 2
    )
    got = receiver.events
    assert [item["content"] for item in got[: len(CONTENTS)]] == [sent for _given, sent in CONTENTS]
    timed = got[len(CONTENTS) : len(CONTENTS) + len(TIMES)]
    assert [item["time"] for item in timed] == [sent for _given, sent in TIMES]
    assert [(item["name"], item["groupId"]) for item in got[-2:]] == [("e", 101), ("事件名", 0)]


@pytest.mark.every_core
def test_an_unquoted_yaml_date_time_is_a_time(
    playbook: Callable[..., Run], receiver: Receiver, tmp_path: Any
) -> None:
    variables = tmp_path / "vars.yml"
    variables.write_text("moment: 2017-10-23 14:44:39.948+08:00\nutc: 2017-10-23T06:44:39\n")
    run = playbook(
        [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "vars_files": [str(variables)],
                "tasks": [
                    {EVENT: {"name": "a", "content": "c", "time": "{{ moment }}"}},
                    {EVENT: {"name": "b", "content": {"at": "{{ utc }}"}, "time": "{{ utc }}"}},
                ],
            }
        ],
        env={
            "ALICLOUD_ACCESS_KEY": KEY_ID,
            "ALICLOUD_SECRET_KEY": SECRET,
            "CLOUDMONITOR_ENDPOINT": receiver.url,
        },
    )
    assert run.rc == 0, run.output
    times = [item["time"] for item in receiver.events]
    assert times[0] in ("20171023T144439.948+0800", "20171023T064439.948+0000")
    assert times[1] == "20171023T064439.000+0000"
    assert "2017-10-23" in receiver.events[1]["content"]


def test_a_result_says_what_was_sent_where_and_how_often(tasks: Tasks, receiver: Receiver) -> None:
    result = tasks([event("disk", {"slot": 3}, group_id=7, time="20171023T144439.948+0800")]).result
    assert result["changed"] is True
    assert result["events"] == [
        {
            "name": "disk",
            "content": '{"slot":3}',
            "group_id": 7,
            "time": "20171023T144439.948+0800",
        }
    ]
    assert (result["delivered"], result["requests"]) == (1, 1)
    assert result["endpoint"] == receiver.url
    assert not result.keys() & {"undelivered", "error", "msg"}


def test_a_temporary_access_key_is_accepted(tasks: Tasks, receiver: Receiver) -> None:
    options = {
        "alicloud_access_key": "STS." + KEY_ID,
        "alicloud_secret_key": SECRET,
        "alicloud_security_token": TOKEN,
    }
    run = tasks([event(**options), event(**options, report_from="target")])
    assert [result["delivered"] for result in run.results] == [1, 1]
    assert {item["access_key_id"] for item in receiver.requests} == {"STS." + KEY_ID}


def test_250_events_are_three_requests_in_order(tasks: Tasks, receiver: Receiver) -> None:
    events = [{"name": f"n{number}", "content": number} for number in range(250)]
    result = tasks([{EVENT: {"events": events, "group_id": 5}}]).result
    assert (result["delivered"], result["requests"], len(result["events"])) == (250, 3, 100)
    assert [item["events"] for item in receiver.requests] == [100, 100, 50]
    assert [item["name"] for item in receiver.events] == [item["name"] for item in events]
    assert {item["groupId"] for item in receiver.events} == {5}


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({}, "name, events"),
    ({"name": "n"}, "content"),
    ({"content": "c"}, "name"),
    ({"name": "n", "content": ""}, "content"),
    ({"name": "", "content": "c"}, "name"),
    ({"name": "n", "content": "c", "events": [{"name": "n", "content": "c"}]}, "content, name"),
    ({"events": [{"name": "n", "content": "c"}], "time": 1508741079}, "time"),
    ({"events": []}, "events"),
    ({"events": "text"}, "events"),
    ({"events": [{"name": "n", "content": "c"}, "text"]}, "events[1]"),
    ({"events": [{"name": "n", "content": "c", "grupe": 1}]}, "events[0].grupe"),
    ({"events": [{"name": "n", "content": "c", "group_id": "x"}]}, "events[0].group_id"),
    ({"events": [{"name": "n", "content": "c", "time": "yesterday"}]}, "events[0].time"),
    ({"name": "n", "content": "c", "time": "2017-13-01T00:00:00"}, "time"),
    ({"name": "n", "content": "c", "group_id": -1}, "group_id"),
    ({"name": "n", "content": "x" * 500_000}, "content"),
    ({"name": "n", "content": "c", "nmae": "n"}, "Unsupported parameters"),
    ({"name": "n", "content": "c", "timeout": "soon"}, "timeout"),
    ({"name": "n", "content": "c", "timeout": 0}, "timeout"),
    ({"name": "n", "content": "c", "retries": -1}, "retries"),
    ({"name": "n", "content": "c", "network": "lan"}, "network"),
    ({"name": "n", "content": "c", "source_ip": "here"}, "source_ip"),
    ({"name": "n", "content": "c", "endpoint": "metrichub"}, "endpoint"),
    ({"name": "n", "content": "c", "ca_path": "/nowhere/ca.pem"}, "ca_path"),
    ({"name": "n", "content": "c", "access_key_id": "only"}, "access_key_secret"),
]


@pytest.mark.every_core
def test_bad_input_is_named_before_anything_is_sent(tasks: Tasks, receiver: Receiver) -> None:
    run = tasks([{EVENT: options} for options, _named in BAD_INPUT])
    for result, (options, named) in zip(run.results, BAD_INPUT, strict=True):
        assert result["failed"] is True, options
        assert named in result["msg"], (options, result["msg"])
        assert "Traceback" not in result["msg"]
    assert receiver.requests == []


@pytest.mark.every_core
def test_half_of_a_surrogate_pair_is_named(tasks: Tasks, receiver: Receiver) -> None:
    # From ansible-core 2.19 on its own filter refuses it, and names the option, too.
    result = tasks([event(content="{{ '\"\\ud83d\"' | from_json }}")]).result
    assert result["failed"] is True
    assert "content" in result["msg"]
    assert "surrogate" in result["msg"]
    assert receiver.requests == []


@pytest.mark.every_core
def test_check_mode_validates_and_sends_nothing(tasks: Tasks, receiver: Receiver) -> None:
    run = tasks(
        [event("n", "c"), event("n", ""), event("n", "c", report_from="target")],
        "--check",
        "--diff",
    )
    good, bad, target = run.results
    assert (good["changed"], good["delivered"], good["requests"]) == (True, 0, 0)
    assert good["events"][0]["name"] == "n"
    assert bad["failed"] is True
    assert (target["changed"], target["delivered"]) == (True, 0)
    assert '+    "content": "c"' in run.stdout
    assert receiver.requests == []


@pytest.mark.every_core
def test_options_come_from_defaults_of_the_group_and_from_the_task_environment(
    tasks: Tasks, receiver: Receiver
) -> None:
    run = tasks(
        [
            event(),
            event(source_ip="192.0.2.9"),
            {**event(), "environment": {"ALICLOUD_ACCESS_KEY": "other", "CLOUDMONITOR_RETRIES": 0}},
        ],
        play={
            "module_defaults": {
                "group/aliops.cloudmonitor.cloudmonitor": {
                    "source_ip": "192.0.2.7",
                    "group_id": 31,
                }
            }
        },
        env={
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "",
            "ALICLOUD_ACCESS_KEY": KEY_ID,
            "ALICLOUD_ACCESS_KEY_ID": "the last does not win",
            "ALICLOUD_SECRET_KEY": SECRET,
        },
    )
    assert [result["delivered"] for result in run.results] == [1, 1, 0]
    assert [item["groupId"] for item in receiver.events] == [31, 31]
    assert run.results[2]["error"]["kind"] == "signature"
    assert receiver.requests[2]["access_key_id"] == "other"


def test_the_controller_reports_without_a_connection_to_the_host(
    tasks: Tasks, receiver: Receiver
) -> None:
    # Nothing listens there, and the host has no Python that could run a module.
    address = "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=9"
    host = f"web1 {address} ansible_python_interpreter=/none"
    assert tasks([event()], inventory=host).result["delivered"] == 1
    assert len(receiver.events) == 1


@pytest.mark.every_core
def test_a_target_that_cannot_run_the_module_says_so(tasks: Tasks, receiver: Receiver) -> None:
    broken = event(report_from="target")
    broken["vars"] = {"ansible_python_interpreter": "/nowhere/python"}
    warned = event(report_from="target", report_errors="warn")
    warned["vars"] = broken["vars"]
    run = tasks([broken, warned])
    assert len(run.warnings) == 1, run.output
    assert run.results[0]["failed"] is True
    assert run.results[0]["error"]["kind"] == "target"
    assert run.results[1]["failed"] is False
    assert run.results[1]["undelivered"][0]["name"] == "e"
    assert "could not be sent from the target" in run.output


def test_requests_missing_gives_the_usual_message(
    tasks: Tasks, receiver: Receiver, tmp_path: Any
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "requests.py").write_text("raise ImportError('No module named requests')\n")
    result = tasks([event(report_from="target")], env={"PYTHONPATH": str(shadow)}).result
    assert result["failed"] is True
    assert "Failed to import the required Python library (requests)" in result["msg"]
    assert result["error"]["kind"] == "missing_library"
    assert receiver.requests == []
