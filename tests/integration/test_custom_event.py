# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""custom_event: from a task to the receiver."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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
def test_every_content_and_time_arrives_as_documented_and_the_result_says_so(
    tasks: Tasks, receiver: Receiver, tmp_path: Path
) -> None:
    variables = tmp_path / "vars.yml"
    variables.write_text("moment: 2017-10-23 14:44:39.948+08:00\nutc: 2017-10-23T06:44:39\n")
    full = event("disk", {"slot": 3}, group_id="101", time="20171023T144439.948+0800")
    many = [{"name": f"n{number}", "content": number} for number in range(250)]

    run = tasks(
        [event(content=given) for given, _sent in CONTENTS]
        + [event(time=given) for given, _sent in TIMES]
        + [event(time="{{ moment }}"), event(content={"at": "{{ utc }}"}, time="{{ utc }}")]
        + [event(name="事件名"), full, {EVENT: {"events": many, "group_id": 5}}],
        play={"vars_files": [str(variables)]},
    )

    assert not any(result["failed"] for result in run.results), run.output
    got = receiver.events
    assert [item["content"] for item in got[: len(CONTENTS)]] == [sent for _given, sent in CONTENTS]
    timed = got[len(CONTENTS) : len(CONTENTS) + len(TIMES)]
    assert [item["time"] for item in timed] == [sent for _given, sent in TIMES]
    dated, utc, chinese, disk = got[-254:-250]
    assert dated["time"] in ("20171023T144439.948+0800", "20171023T064439.948+0000")
    assert utc["time"] == "20171023T064439.000+0000"
    assert "2017-10-23" in utc["content"]
    assert (chinese["name"], chinese["groupId"], disk["groupId"]) == ("事件名", 0, 101)

    result = run.results[-2]
    assert (result["changed"], result["delivered"], result["requests"]) == (True, 1, 1)
    assert result["events"] == [
        {
            "name": "disk",
            "content": '{"slot":3}',
            "group_id": 101,
            "time": "20171023T144439.948+0800",
        }
    ]
    assert result["endpoint"] == receiver.url
    assert not result.keys() & {"undelivered", "error", "msg"}

    # 250 events are three requests, in order.
    result = run.results[-1]
    assert (result["delivered"], result["requests"], len(result["events"])) == (250, 3, 100)
    assert [item["events"] for item in receiver.requests[-3:]] == [100, 100, 50]
    assert [item["name"] for item in got[-250:]] == [item["name"] for item in many]
    assert {item["groupId"] for item in got[-250:]} == {5}


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
def test_bad_input_is_named_and_check_mode_validates_before_anything_is_sent(
    tasks: Tasks, receiver: Receiver
) -> None:
    # From ansible-core 2.19 on its own filter refuses half of a surrogate pair and names it.
    half = event(content="{{ '\"\\ud83d\"' | from_json }}")
    checked = [event(), event("n", ""), event(report_from="target")]
    run = tasks(
        [{EVENT: options} for options, _named in BAD_INPUT]
        + [half, *({**task, "check_mode": True, "diff": True} for task in checked)]
    )
    for result, (options, named) in zip(run.results, BAD_INPUT, strict=False):
        assert result["failed"] is True, options
        assert named in result["msg"], (options, result["msg"])
        assert "Traceback" not in result["msg"]
    surrogate, good, bad, target = run.results[len(BAD_INPUT) :]
    assert surrogate["failed"] is True
    assert "content" in surrogate["msg"]
    assert "surrogate" in surrogate["msg"]
    assert (good["changed"], good["delivered"], good["requests"]) == (True, 0, 0)
    assert good["events"][0]["name"] == "e"
    assert bad["failed"] is True
    assert (target["changed"], target["delivered"]) == (True, 0)
    assert '+    "content": "c"' in run.stdout
    assert receiver.requests == []


@pytest.mark.every_core
def test_options_come_from_defaults_of_the_group_and_from_the_task_environment(
    tasks: Tasks, receiver: Receiver
) -> None:
    # Without a connection: nothing listens there, and no Python there could run a module.
    address = "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=9"
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
        inventory=f"web1 {address} ansible_python_interpreter=/none",
    )
    assert [result["delivered"] for result in run.results] == [1, 1, 0]
    assert [item["groupId"] for item in receiver.events] == [31, 31]
    assert run.results[2]["error"]["kind"] == "signature"
    assert receiver.requests[2]["access_key_id"] == "other"


@pytest.mark.every_core
def test_a_target_reports_with_a_temporary_key_or_says_why_it_cannot(
    tasks: Tasks, receiver: Receiver, tmp_path: Path
) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "urllib3.py").write_text("raise ImportError('made to fail')\n")
    temporary = {
        "alicloud_access_key": "STS." + KEY_ID,
        "alicloud_secret_key": SECRET,
        "alicloud_security_token": TOKEN,
    }
    no_python = {"vars": {"ansible_python_interpreter": "/nowhere/python"}}

    run = tasks(
        [
            event(**temporary),
            event(report_from="target", **temporary),
            {**event(report_from="target"), **no_python},
            {**event(report_from="target", report_errors="warn"), **no_python},
            {**event(report_from="target"), "environment": {"PYTHONPATH": str(shadow)}},
        ]
    )

    assert len(run.warnings) == 1, run.output
    assert [result.get("delivered") for result in run.results[:2]] == [1, 1]
    assert {item["access_key_id"] for item in receiver.requests} == {"STS." + KEY_ID}
    assert len(receiver.requests) == 2
    broken, warned, missing = run.results[2:]
    assert (broken["failed"], broken["error"]["kind"]) == (True, "target")
    assert warned["failed"] is False
    assert warned["undelivered"][0]["name"] == "e"
    assert "could not be sent from the target" in run.output
    assert missing["failed"] is True
    assert "Failed to import the required Python library (requests)" in missing["msg"]
    assert missing["error"]["kind"] == "missing_library"
