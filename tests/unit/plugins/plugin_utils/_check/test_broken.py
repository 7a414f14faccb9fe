# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is wrong with a set-up is found at the right place, with the right advice.

The action runs in this process. tests/integration/check runs the playbook.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.plugins.action.setup_check import ActionModule
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.action.tasks import run
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.conftest import KEY_ID, SECRET
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    self_signed,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils._check.checks import (
    Told,
)


class Machine:
    """A machine that is set up, with the callback enabled."""

    def __init__(self, environment: pytest.MonkeyPatch, receiver: Receiver, folder: Path) -> None:
        self._environment = environment
        self.receiver = receiver
        self.folder = folder
        self.outbox = folder / "outbox"

    def check(self, send: bool = True, **variables: str | None) -> Told:
        """Check it with these environment variables (None: not set)."""
        with self._environment.context() as changed:
            for name, value in variables.items():
                if value is None:
                    changed.delenv(name)
                else:
                    changed.setenv(name, value)
            result = run(ActionModule, {"send": send}, {})
        assert SECRET not in str(result)
        lists = (result[name] for name in ("settings", "checks", "to_know", "to_fix"))
        told = Told(*lists)
        assert bool(told.fixes) is bool(told.wrong) is not result["healthy"]
        return told

    def configure(self, section: str) -> Path:
        """Write ansible.cfg with these lines in, or after, the section of the callback."""
        path = self.folder / "ansible.cfg"
        path.write_text(f"[callback_deployment_events]\n{section}\n")
        self._environment.setattr(C.config, "_config_file", str(path))
        return path


@pytest.fixture
def machine(enabled: pytest.MonkeyPatch, set_up_receiver: Receiver, tmp_path: Path) -> Machine:
    enabled.setenv("CLOUDMONITOR_TIMEOUT", "2")
    return Machine(enabled, set_up_receiver, tmp_path)


KEY, KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"


@pytest.mark.parametrize(
    ("check", "advice", "variables"),
    [
        (
            "AccessKey",
            f"the variables {KEY} and {KEY_SECRET}",
            {KEY: None, KEY_SECRET: None},
        ),
        ("AccessKey", f"Set {KEY_SECRET}, or unset", {KEY_SECRET: None}),
        (
            "test event",
            "Check that access_key_secret belongs to access_key_id",
            {KEY_SECRET: "canary-7fTq"},
        ),
        ("test event", "", {"ALIBABA_CLOUD_SECURITY_TOKEN": "canary-7fTq"}),
        (
            "settings",
            "region comes from ALIBABA_CLOUD_REGION_ID",
            {"CLOUDMONITOR_ENDPOINT": None, "ALIBABA_CLOUD_REGION_ID": "cn-atlantis"},
        ),
        ("settings", "", {"CLOUDMONITOR_ENDPOINT": "http://me:canary-7fTq@127.0.0.1:80"}),
        ("settings", "CLOUDMONITOR_CA_PATH. Correct", {"CLOUDMONITOR_CA_PATH": "/gone.pem"}),
        ("settings", "timeout", {"CLOUDMONITOR_TIMEOUT": "soon"}),
        ("settings", "timeout", {"CLOUDMONITOR_TIMEOUT": "0"}),
        ("settings", "one of public, vpc", {"CLOUDMONITOR_NETWORK": "wlan"}),
        ("settings", "source_ip", {"CLOUDMONITOR_SOURCE_IP": "me"}),
        (
            "settings",
            "validate_certs comes from CLOUDMONITOR_VALIDATE",
            {"CLOUDMONITOR_VALIDATE_CERTS": "ture"},
        ),
        ("settings", "linger", {"CLOUDMONITOR_LINGER": "nan"}),
        ("settings", "flush_timeout", {"CLOUDMONITOR_FLUSH_TIMEOUT": "5s"}),
        ("settings", "ALIBABA_CLOUD_REGION_ID instead", {"CLOUDMONITOR_REGION": "cn-beijing"}),
        ("settings", "CLOUDMONITOR_LINGER instead", {"CLOUDMONITOR_LINGR": "3"}),
    ],
)
def test_a_wrong_setting_is_found_once_with_advice_and_without_a_secret(
    machine: Machine, check: str, advice: str, variables: dict[str, Any]
) -> None:
    told = machine.check(**variables)

    assert told.wrong == [check]
    assert advice in told.fixes
    assert "canary-7fTq" not in told.text


@pytest.mark.parametrize(
    ("section", "fix"),
    [
        ("regoin = cn-shanghai", "Did you mean region instead of regoin?"),
        ("deployment_env = production", "Did you mean deployment_environment instead of"),
        (f"access_key_secret = {SECRET}", "Remove access_key_secret from the file"),
        ("[deployment_events]\nregion = cn-shanghai", "mean [callback_deployment_events]"),
    ],
)
def test_a_key_or_section_that_nothing_reads_is_an_error(
    machine: Machine, section: str, fix: str
) -> None:
    machine.configure(section)

    told = machine.check()

    assert told.wrong == ["settings"]
    assert fix in told.fixes


def test_an_id_in_ansible_cfg_is_used_with_the_secret_of_the_environment(machine: Machine) -> None:
    path = machine.configure(f"access_key_id = {KEY_ID}")

    told = machine.check(ALIBABA_CLOUD_ACCESS_KEY_ID=None)

    assert (told.wrong, told.states["test event"]) == ([], "ok")
    assert told.settings["access_key_id"].startswith(f"LTAI...etup {path}")
    assert "access_key_id in ansible.cfg applies to the callback and flush_outbox" in told.text


def test_temporary_credentials_are_checked_with_their_token(machine: Machine) -> None:
    with Receiver([Credential("STS.unit", SECRET, "unit-token")]) as receiver:
        told = machine.check(
            CLOUDMONITOR_ENDPOINT=receiver.url,
            ALIBABA_CLOUD_ACCESS_KEY_ID="STS.unit",
            ALIBABA_CLOUD_SECURITY_TOKEN="unit-token",
        )

    assert told.states["test event"] == "ok"
    assert told.settings["security_token"] == "given ALIBABA_CLOUD_SECURITY_TOKEN"
    assert "temporary" in told.checks["AccessKey"]
    assert "unit-token" not in told.text


def test_settings_and_problems_that_are_shown_exactly(machine: Machine) -> None:
    half = machine.check(ALIBABA_CLOUD_ACCESS_KEY_SECRET=None)
    assert half.settings["access_key_id"] == f"given {KEY}"
    assert half.settings["access_key_secret"] == "not set"
    assert (half.states["endpoint"], half.states["clock"]) == ("ok", "ok")

    wrong = machine.check(ALIBABA_CLOUD_ACCESS_KEY_SECRET="another")
    assert "the signature was refused" in wrong.checks["test event"]
    assert wrong.states["clock"] == "ok"

    left_over = machine.check(ALIBABA_CLOUD_SECURITY_TOKEN="of-yesterday")
    assert "does not begin with STS." in left_over.text

    region = machine.check(CLOUDMONITOR_ENDPOINT=None, ALIBABA_CLOUD_REGION_ID="cn-atlantis")
    assert "'cn-atlantis' is not a known region" in region.checks["settings"]
    assert "cn-shanghai" in region.fixes
    assert region.states["endpoint"] == "skipped"
    assert machine.receiver.events == []


def test_endpoint_that_refuses_connections(machine: Machine) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        told = machine.check(CLOUDMONITOR_ENDPOINT=url)

    assert told.wrong == ["endpoint"]
    assert "refused" in told.checks["endpoint"]
    assert "Check endpoint, region, network" in told.fixes
    assert (told.states["clock"], told.states["test event"]) == ("skipped", "skipped")


@pytest.mark.parametrize(
    "variables",
    [{"CLOUDMONITOR_NETWORK": "vpc"}, {"CLOUDMONITOR_ENDPOINT": "http://aliyun.invalid"}],
)
def test_endpoint_whose_name_cannot_be_resolved(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    def unknown(*_args: Any, **_kwargs: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    region: dict[str, Any] = {
        "CLOUDMONITOR_ENDPOINT": None,
        "ALIBABA_CLOUD_REGION_ID": "me-east-1",
    }

    told = machine.check(**{**region, **variables})

    assert told.wrong == ["endpoint"]
    assert "cannot be resolved" in told.checks["endpoint"]
    assert ("http://metrichub-me-east-1.aliyun.com" in told.checks["endpoint"]) is (
        "CLOUDMONITOR_NETWORK" in variables
    )
    assert "a VPC endpoint answers inside the VPC only" in told.fixes


def test_endpoint_that_accepts_and_never_answers(machine: Machine) -> None:
    machine.receiver.set_faults(["hang*inf"])

    told = machine.check(CLOUDMONITOR_TIMEOUT="0.5")

    assert told.wrong == ["endpoint"]
    assert "within 0.5 s" in told.checks["endpoint"]
    assert "longer timeout" in told.fixes


def test_certificate_of_an_authority_that_is_not_trusted(machine: Machine, tmp_path: Path) -> None:
    _context, certificate = self_signed(tmp_path)
    key = str(certificate.with_name("key.pem"))
    with Receiver([Credential(KEY_ID, SECRET)], tls_cert=str(certificate), tls_key=key) as tls:
        told = machine.check(CLOUDMONITOR_ENDPOINT=tls.url)
        trusted = machine.check(
            CLOUDMONITOR_ENDPOINT=tls.url, CLOUDMONITOR_CA_PATH=str(certificate)
        )
        unsafe = machine.check(CLOUDMONITOR_ENDPOINT=tls.url, CLOUDMONITOR_VALIDATE_CERTS="no")

    assert told.wrong == ["endpoint"]
    assert "certificate" in told.checks["endpoint"].lower()
    assert "Set ca_path to the certificate authority" in told.fixes
    assert trusted.wrong == []
    assert unsafe.wrong == []
    assert "validate_certs is false" in unsafe.text


@pytest.mark.parametrize(
    ("offset", "window", "events"),
    [(3600.0, 900.0, 0), (-3600.0, 900.0, 0), (600.0, 9000.0, 1)],
    ids=["behind_and_refused", "ahead_and_refused", "behind_and_accepted"],
)
def test_a_clock_that_is_wrong(
    machine: Machine, offset: float, window: float, events: int
) -> None:  # fmt: skip
    keys = [Credential(KEY_ID, SECRET)]
    with Receiver(keys, clock_offset=offset, date_window=window) as receiver:
        told = machine.check(CLOUDMONITOR_ENDPOINT=receiver.url)
        found = len(receiver.events)

    direction = "ahead of" if offset < 0 else "behind"
    assert told.wrong == ["clock"]
    assert f"clock is {int(abs(offset) // 60)} minutes {direction}" in told.checks["clock"]
    assert "NTP" in told.fixes
    assert told.states["endpoint"] == "ok"
    assert told.states["test event"] == ("ok" if events else "skipped")
    assert found == events


@pytest.mark.parametrize("obstacle", ["file", "link", "nowhere"])
def test_outbox_that_cannot_be_used(machine: Machine, obstacle: str) -> None:
    if obstacle == "link":
        (machine.folder / "elsewhere").mkdir()
        machine.outbox.symlink_to(machine.folder / "elsewhere")
    elif obstacle == "file":
        machine.outbox.touch()
    outbox = Path("/proc/nowhere/outbox") if obstacle == "nowhere" else machine.outbox

    told = machine.check(CLOUDMONITOR_OUTBOX=str(outbox))

    assert told.wrong == ["outbox"]
    assert f"{outbox} cannot be used" in told.checks["outbox"]
    assert "Make it writable, or name another directory as outbox" in told.fixes
    assert told.states["test event"] == "ok"


@pytest.mark.parametrize(
    ("fault", "said"), [("html", "not Cloud Monitor"), ("redirect", "redirect")]
)
@pytest.mark.parametrize("send", [True, False])
def test_a_captive_portal(machine: Machine, fault: str, said: str, send: bool) -> None:
    machine.receiver.set_faults([fault + "*inf"])

    told = machine.check(send)

    assert told.wrong == ["endpoint"]
    assert said in told.checks["endpoint"]
    assert "login page" in told.fixes
    assert told.states["test event"] == "skipped"


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("status=500*inf", ["test event"]),
        ("throttle*inf", ["test event"]),
        ("permission*inf", ["test event"]),
        ("status=503", []),  # once: a failure that passes does not count
    ],
)
def test_an_answer_of_the_service_shows_that_the_endpoint_is_right(
    machine: Machine, fault: str, wrong: list[str]
) -> None:
    machine.receiver.set_faults([fault])

    told = machine.check()

    assert (told.wrong, told.states["endpoint"]) == (wrong, "ok")
    assert ("AliyunCloudMonitorFullAccess" in told.fixes) is ("permission" in fault)
