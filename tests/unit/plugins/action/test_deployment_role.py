# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the role, with a play made of plain objects; whole runs are integration tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError

from ansible_collections.aliops.cloudmonitor.plugins.action.deployment_role import ActionModule

OMIT = "the omit placeholder"
CONNECTION = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
RECORD = {"id": "i1", "name": "shop", "started_at": "2026-01-01T00:00:00.000Z"}
ANSWER = {"changed": True, "deployment": RECORD}


class Templar:
    """Hands back what it gets: the variables of these tests hold no templates."""

    def template(self, value: Any) -> Any:
        if value == {"deployment_name": "{{ broken }}"}:
            raise AnsibleError("undefined")
        return value


class Loader:
    """Reads a tasks file; ``content`` is what it holds."""

    content: Any = ()

    def load_from_file(self, _path: str) -> Any:
        return list(self.content) if isinstance(self.content, tuple) else self.content


class Step(ActionModule):
    """A step whose events go into a list."""

    environment: Mapping[str, str]
    events: list[dict[str, Any]]
    answer: Mapping[str, Any] | Exception

    def _compute_environment_string(self, raw_environment_out: Any = None) -> str:
        raw_environment_out.update(self.environment)
        return ""

    def _run_event_action(self, args: dict[str, Any]) -> dict[str, Any]:
        self.events.append(args)
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict(self.answer)


class Play:
    """A play of three hosts whose registered variables are kept, as Ansible does."""

    def __init__(self, tmp_path: Path, **variables: Any) -> None:
        (tmp_path / "deploy.yml").touch()
        self.hosts = ["h1", "h2", "h3"]
        self.variables = {
            "deployment_name": "shop",
            "deployment_tasks_file": "deploy.yml",
            "playbook_dir": str(tmp_path),
            "omit": OMIT,
            **variables,
        }
        self.of_host: dict[str, dict[str, Any]] = {host: {} for host in self.hosts}
        self.play = SimpleNamespace(
            _uuid="p1", strategy="linear", order=None, max_fail_percentage=None
        )
        self.loader = Loader()
        self.events: list[dict[str, Any]] = []
        self.answer: Mapping[str, Any] | Exception = ANSWER
        self.module_defaults: list[dict[str, Any]] = []
        self.environment: dict[str, str] = {}
        self.parent: Any = None

    def run(self, step: str, host: str = "h1", wrapped: bool = True) -> dict[str, Any]:
        task = SimpleNamespace(
            args={"step": step, "wrapped": wrapped},
            async_val=0,
            check_mode=False,
            any_errors_fatal=False,
            module_defaults=self.module_defaults,
            get_play=lambda: self.play,
            _uuid="t1",
            _parent=self.parent,
        )
        make: Any = Step  # from plain objects in the place of Ansible's
        action = make(task, CONNECTION, None, self.loader, Templar(), None)
        action.events, action.answer = self.events, self.answer
        action.environment = self.environment
        task_vars = {
            "inventory_hostname": host,
            "ansible_play_batch": self.hosts,
            "ansible_play_hosts": self.hosts,
            "ansible_play_hosts_all": self.hosts,
            "hostvars": self.of_host,
            **self.variables,
            **self.of_host[host],
        }
        result: dict[str, Any] = action.run(task_vars=task_vars)
        return result

    def once(self, step: str, wrapped: bool = True) -> dict[str, Any]:
        result = self.run(step, wrapped=wrapped)
        for variables in self.of_host.values():
            variables["deployment__step"] = result
            if step == "finish":
                variables["deployment__ledger"] = result["ledger"]
        return result

    def done(self, *hosts: str) -> None:
        for host in hosts or self.hosts:
            self.of_host[host]["deployment__done"] = self.run("done", host)

    def begin(self, *hosts: str, wrapped: bool = True) -> None:
        result = self.once("start", wrapped)
        for host in () if "failed" in result else hosts or self.hosts:
            variables = self.of_host[host]
            variables["deployment__ledger"] = result["ledger"]
            keys = [*variables.get("deployment__entered", []), result["key"]]
            variables["deployment__entered"] = keys


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_a_deployment_is_reported_from_start_to_finish(play: Play) -> None:
    play.begin()
    play.done()
    result = play.once("finish")

    assert [event["phase"] for event in play.events] == ["start", "finish"]
    assert play.events[0]["name"] == "shop"
    assert play.events[1]["deployment"] == RECORD
    assert play.events[1]["status"] == result["status"] == "succeeded"
    assert result["changed"] is False


def test_a_host_without_its_mark_makes_it_a_failure(play: Play) -> None:
    play.begin()
    play.done("h1", "h3")
    result = play.once("finish")

    assert play.events[1]["status"] == "failed"
    assert result["failed_hosts"] == ["h2"]
    assert result["fail_again"] is False


def test_events_are_sent_from_the_controller_with_one_retry_and_queued(play: Play) -> None:
    play.begin()

    assert play.events[0]["report_from"] == "controller"
    assert play.events[0]["report_errors"] == "queue"
    assert play.events[0]["retries"] == 1


@pytest.mark.parametrize(("kind", "stops"), [("invalid_input", True), ("outbox", False)])
def test_an_event_that_cannot_even_be_queued_stops_no_deployment(
    play: Play, kind: str, stops: bool
) -> None:
    play.answer = {"failed": True, "msg": "no way", "error": {"kind": kind}, "deployment": RECORD}
    play.begin()
    started = play.of_host["h1"]["deployment__step"]
    finished = play.once("finish") if not stops else started

    assert started.get("failed", False) == stops
    if not stops:
        assert started["warnings"] == ["Deployment shop, start: no way"]
        assert finished["warnings"] == ["Deployment shop, finish: no way"]
        assert play.events[1]["deployment"] == RECORD


def test_a_finish_after_a_queued_start_has_the_start_s_facts(play: Play) -> None:
    play.answer = {**ANSWER, "queued": 1, "warnings": ["queued"]}
    play.begin()
    play.done()
    result = play.once("finish")

    assert play.events[1]["deployment"] == RECORD
    assert (play.events[1]["status"], result["queued"]) == ("succeeded", 1)


def test_connection_options_stand_above_module_defaults_and_these_above_the_retry(
    tmp_path: Path,
) -> None:
    play = Play(tmp_path, deployment_connection={"region": "cn-beijing"})
    play.module_defaults = [
        {"group/aliops.cloudmonitor.cloudmonitor": {"region": "cn-qingdao", "retries": 5}},
        {"aliops.cloudmonitor.deployment_event": {"timeout": 9}},
    ]
    play.begin()

    sent = play.events[0]
    assert (sent["region"], sent["retries"], sent["timeout"]) == ("cn-beijing", 5, 9)


def test_the_environment_stands_above_the_one_retry(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDMONITOR_RETRIES", "4")
    play.begin()

    assert "retries" not in play.events[0]


def test_the_environment_keyword_stands_above_the_one_retry(play: Play) -> None:
    play.environment["CLOUDMONITOR_RETRIES"] = "4"
    play.begin()

    assert "retries" not in play.events[0]


def test_an_accesskey_of_the_connection_is_not_mixed_with_that_of_module_defaults(
    tmp_path: Path,
) -> None:
    connection = {"access_key_id": "LTAImine", "access_key_secret": "mine", "region": "cn-beijing"}
    play = Play(tmp_path, deployment_connection=connection)
    below = {
        "alicloud_access_key": "STS.theirs",
        "alicloud_secret_key": "theirs",
        "security_token": "theirs",
        "alicloud_region": "cn-qingdao",
        "timeout": 9,
    }
    play.module_defaults = [{"group/aliops.cloudmonitor.cloudmonitor": below}]
    play.begin()

    of_connection = {name: play.events[0].get(name) for name in (*below, *connection)}
    assert of_connection == {**dict.fromkeys(below), **connection, "timeout": 9}


def test_an_omitted_variable_is_not_given(tmp_path: Path) -> None:
    play = Play(tmp_path, deployment_version=OMIT, deployment_environment="production")
    play.begin()

    assert "version" not in play.events[0]
    assert play.events[0]["environment"] == "production"


def test_a_start_that_failed_to_answer_leaves_id_and_name_for_the_finish(play: Play) -> None:
    play.answer = {"warnings": ["nobody answers"]}
    play.begin()
    play.done()
    result = play.once("finish")

    assert play.events[1]["id"] == play.events[0]["id"]
    assert play.events[1]["name"] == "shop"
    assert result["warnings"] == ["Deployment shop, finish: nobody answers"]


def test_a_broken_report_at_the_start_is_a_warning(play: Play) -> None:
    play.answer = RuntimeError("a bug")
    play.begin()

    assert "a bug" in play.of_host["h1"]["deployment__step"]["warnings"][0]


def test_wrong_options_at_the_start_are_a_failure(play: Play) -> None:
    play.answer = {"failed": True, "msg": "group_id: wrong"}

    result = play.once("start")

    assert result["failed"]
    assert result["msg"] == "Deployment shop, start: group_id: wrong"
    assert "ledger" not in result


@pytest.mark.parametrize(("errors", "failed"), [("warn", False), ("fail", True)])
@pytest.mark.parametrize(
    "answer", [AnsibleError("undefined variable"), {"failed": True, "msg": "undefined variable"}]
)
def test_a_mistake_at_the_end_fails_only_when_asked_to(
    answer: Any, errors: str, failed: bool, tmp_path: Path
) -> None:
    play = Play(tmp_path, deployment_report_errors=errors)
    play.begin()
    play.answer = answer
    result = play.once("finish")

    assert result.get("failed", False) is failed
    assert "undefined variable" in result.get("msg", "") + "".join(result.get("warnings", []))


def test_a_name_that_can_no_longer_be_read_finds_its_deployment(play: Play) -> None:
    play.begin()
    play.variables["deployment_name"] = "{{ broken }}"
    play.done()

    assert play.once("finish")["status"] == "succeeded"


def test_a_given_status_counts_for_a_block_of_the_users_own_only(tmp_path: Path) -> None:
    play = Play(tmp_path, deployment_status="aborted")
    play.begin(wrapped=False)
    play.once("finish", wrapped=False)
    play.begin()
    play.once("finish", wrapped=True)

    assert [event["status"] for event in play.events if "status" in event] == ["aborted", "failed"]


def test_a_second_finish_reports_nothing_and_does_not_warn(play: Play) -> None:
    play.begin()
    play.once("finish", wrapped=False)
    result = play.once("finish", wrapped=False)

    assert len(play.events) == 2
    assert "warnings" not in result


def test_a_finish_or_a_mark_without_a_start_is_a_warning(play: Play) -> None:
    for result in (play.once("finish"), play.run("done")):
        assert "was not started" in result["warnings"][0]
    assert play.events == []


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"deployment_tasks_file": ""}, "nothing to deploy"),
        ({"deployment_tasks_file": "absent.yml"}, "there is no file"),
        ({"deployment_connection": {"regoin": 1}}, "regoin: no such option. Did you mean region?"),
        ({"deployment_name": " "}, "deployment_name: is empty"),
        ({"deployment_connection": "text"}, "must be a dictionary"),
        ({"deployment_start_event": " "}, "deployment_start_event: is empty"),
    ],
)
def test_a_mistake_is_found_before_the_start(
    variables: dict[str, Any], word: str, tmp_path: Path
) -> None:
    result = Play(tmp_path, **variables).once("start")

    assert result["failed"]
    assert word in result["msg"]


def test_a_tasks_file_that_is_no_list_is_a_mistake(play: Play) -> None:
    play.loader.content = {"tasks": []}

    assert "is not a list of tasks" in play.once("start")["msg"]


def test_roles_alone_are_enough(tmp_path: Path) -> None:
    play = Play(tmp_path, deployment_tasks_file="", deployment_roles=["web"])

    assert play.once("start")["tasks_file"] == ""


def test_a_tasks_file_that_would_run_itself_is_a_mistake(play: Play) -> None:
    play.begin()

    assert "would run itself" in play.once("start")["msg"]


def test_a_strategy_without_lockstep_is_a_mistake(play: Play) -> None:
    play.play.strategy = "ansible.builtin.free"

    assert "hosts do not wait" in play.once("start")["msg"]


def test_a_host_that_skipped_the_start_neither_fails_nor_loses_the_finish(play: Play) -> None:
    play.begin("h2", "h3")
    play.done()
    result = play.once("finish")

    assert "warnings" not in play.of_host["h1"]["deployment__done"]
    assert (result["status"], result["failed_hosts"]) == ("succeeded", [])
    assert len(play.events) == 2


def test_a_deployment_keeps_its_hosts_while_one_inside_it_begins_and_is_skipped(play: Play) -> None:
    play.begin("h1", "h2")
    play.variables |= {"deployment_name": "inner", "deployment_tasks_file": "inner.yml"}
    Path(play.variables["playbook_dir"], "inner.yml").touch()
    play.begin()
    play.done()
    assert play.once("finish")["status"] == "succeeded"

    play.variables |= {"deployment_name": "shop", "deployment_tasks_file": "deploy.yml"}
    for variables in play.of_host.values():  # as Ansible does for a task with a false condition
        variables["deployment__step"] = variables["deployment__done"] = {"skipped": True}
    play.done("h1")

    assert play.once("finish")["failed_hosts"] == ["h2"]


def test_the_play_sees_the_failure_again_unless_a_block_around_rescues_it(play: Play) -> None:
    play.play.max_fail_percentage = 10
    play.begin()
    assert play.once("finish")["fail_again"] is True

    around = SimpleNamespace(block=[SimpleNamespace(_uuid="t1")], rescue=["x"], _parent=None)
    play.parent = around
    play.begin()
    assert play.once("finish")["fail_again"] is False

    around.block = []  # the role stands in the rescue part itself
    play.begin()
    assert play.once("finish")["fail_again"] is True
