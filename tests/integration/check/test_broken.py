# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is not set up fails the check, which says in plain words what to fix."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.check.conftest import Checked
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import KEY_ID, SECRET
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    self_signed,
)

# The results do not depend on the version of ansible-core.
pytestmark = pytest.mark.newest_only

# Names of Alibaba Cloud's have no address here, wherever the tests run.
NO_SUCH_NAME = """\
import socket

known = socket.getaddrinfo


def getaddrinfo(host, *args, **kwargs):
    if "aliyun" in str(host):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return known(host, *args, **kwargs)


socket.getaddrinfo = getaddrinfo
"""


def test_no_key(project: Checked) -> None:
    told = project.check(
        ALIBABA_CLOUD_ACCESS_KEY_ID=None, ALIBABA_CLOUD_ACCESS_KEY_SECRET=None
    )  # fmt: skip

    assert told.wrong == ["AccessKey"]
    assert (
        "the variables ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
        in told.fixes
    )
    assert told.states["endpoint"] == "ok"
    assert told.states["clock"] == "ok"
    assert told.states["test event"] == "skipped"
    assert project.receiver.events == []


def test_half_a_key(project: Checked) -> None:
    told = project.check(ALIBABA_CLOUD_ACCESS_KEY_SECRET=None)

    assert told.wrong == ["AccessKey"]
    assert "Set ALIBABA_CLOUD_ACCESS_KEY_SECRET, or unset" in told.fixes
    assert told.settings["access_key_id"] == "given ALIBABA_CLOUD_ACCESS_KEY_ID"
    assert told.settings["access_key_secret"] == "not set"


def test_wrong_secret(project: Checked) -> None:
    told = project.check(ALIBABA_CLOUD_ACCESS_KEY_SECRET="another-canary-7fTq")

    assert told.wrong == ["test event"]
    assert "the signature was refused" in told.checks["test event"]
    assert "Check that access_key_secret belongs to access_key_id" in told.fixes
    assert told.states["clock"] == "ok"
    assert "another-canary-7fTq" not in told.output


def test_a_token_that_is_left_over(project: Checked) -> None:
    told = project.check(ALIBABA_CLOUD_SECURITY_TOKEN="canary-of-yesterday")

    assert told.wrong == ["test event"]
    assert "does not begin with STS." in told.output
    assert "canary-of-yesterday" not in told.output


def test_no_permission(project: Checked) -> None:
    project.receiver.set_faults(["permission"])

    told = project.check()

    assert told.wrong == ["test event"]
    assert "AliyunCloudMonitorFullAccess" in told.fixes


def test_unknown_region(project: Checked) -> None:
    told = project.check(CLOUDMONITOR_ENDPOINT=None, ALIBABA_CLOUD_REGION_ID="cn-atlantis")

    assert told.wrong == ["settings"]
    assert "'cn-atlantis' is not a region" in told.checks["settings"]
    assert "region comes from ALIBABA_CLOUD_REGION_ID" in told.fixes
    assert "cn-shanghai" in told.fixes
    assert told.states["endpoint"] == "skipped"


def test_region_whose_endpoint_cannot_be_reached_from_here(project: Checked) -> None:
    project.write("python/sitecustomize.py", NO_SUCH_NAME)

    told = project.check(
        CLOUDMONITOR_ENDPOINT=None,
        ALIBABA_CLOUD_REGION_ID="me-east-1",
        CLOUDMONITOR_NETWORK="vpc",
        PYTHONPATH=str(project.folder / "python"),
    )

    assert told.wrong == ["endpoint"]
    assert "http://metrichub-me-east-1.aliyun.com" in told.checks["endpoint"]
    assert "cannot be resolved" in told.checks["endpoint"]
    assert "a VPC endpoint answers inside the VPC only" in told.fixes


def test_endpoint_that_refuses_connections(project: Checked) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        told = project.check(CLOUDMONITOR_ENDPOINT=url)

    assert told.wrong == ["endpoint"]
    assert "refused" in told.checks["endpoint"]
    assert "Check endpoint, region, network" in told.fixes
    assert (told.states["clock"], told.states["test event"]) == ("skipped", "skipped")


def test_endpoint_whose_name_does_not_exist(project: Checked) -> None:
    told = project.check(CLOUDMONITOR_ENDPOINT="http://aliyun.invalid", CLOUDMONITOR_TIMEOUT="20")

    assert told.wrong == ["endpoint"]
    assert "cannot be resolved" in told.checks["endpoint"]


def test_endpoint_that_is_no_url_is_not_shown_with_its_password(project: Checked) -> None:
    told = project.check(CLOUDMONITOR_ENDPOINT="http://me:canary-5Gh@127.0.0.1:80")

    assert told.wrong == ["settings"]
    assert "it contains a user name or password" in told.output
    assert "canary-5Gh" not in told.output


def test_endpoint_that_accepts_and_never_answers(project: Checked) -> None:
    project.receiver.set_faults(["hang*inf"])

    told = project.check(CLOUDMONITOR_TIMEOUT="0.5")

    assert told.wrong == ["endpoint"]
    assert "within 0.5 s" in told.checks["endpoint"]
    assert "longer timeout" in told.fixes


def test_certificate_of_an_authority_that_is_not_trusted(project: Checked, tmp_path: Path) -> None:
    _context, certificate = self_signed(tmp_path)
    key = str(certificate.with_name("key.pem"))
    with Receiver([Credential(KEY_ID, SECRET)], tls_cert=str(certificate), tls_key=key) as tls:
        told = project.check(CLOUDMONITOR_ENDPOINT=tls.url)
        trusted = project.check(
            CLOUDMONITOR_ENDPOINT=tls.url, CLOUDMONITOR_CA_PATH=str(certificate)
        )
        unsafe = project.check(CLOUDMONITOR_ENDPOINT=tls.url, CLOUDMONITOR_VALIDATE_CERTS="no")

    assert told.wrong == ["endpoint"]
    assert "certificate" in told.checks["endpoint"].lower()
    assert "Set ca_path to the certificate authority" in told.fixes
    assert trusted.rc == 0, trusted.output
    assert unsafe.rc == 0, unsafe.output
    assert "validate_certs is false" in unsafe.output


def test_ca_path_that_is_not_there(project: Checked) -> None:
    told = project.check(CLOUDMONITOR_CA_PATH=str(project.folder / "gone.pem"))

    assert told.wrong == ["settings"]
    assert f"there is no file or directory {project.folder}/gone.pem" in told.fixes
    assert told.states["endpoint"] == "skipped"


@pytest.mark.parametrize(
    ("offset", "window", "events"),
    [(3600.0, 900.0, 0), (-3600.0, 900.0, 0), (600.0, 9000.0, 1)],
    ids=["behind_and_refused", "ahead_and_refused", "behind_and_accepted"],
)
def test_a_clock_that_is_wrong(
    project: Checked, offset: float, window: float, events: int
) -> None:  # fmt: skip
    keys = [Credential(KEY_ID, SECRET)]
    with Receiver(keys, clock_offset=offset, date_window=window) as receiver:
        told = project.check(CLOUDMONITOR_ENDPOINT=receiver.url)
        found = len(receiver.events)

    direction = "ahead of" if offset < 0 else "behind"
    assert told.wrong == ["clock"]
    assert f"clock is {int(abs(offset) // 60)} minutes {direction}" in told.checks["clock"]
    assert "NTP" in told.fixes
    assert told.states["endpoint"] == "ok"
    assert told.states["test event"] == ("ok" if events else "skipped")
    assert found == events


def test_requests_that_is_missing(project: Checked) -> None:
    project.write("python/requests.py", "raise ImportError('made to fail')\n")

    told = project.check(PYTHONPATH=str(project.folder / "python"))

    assert told.wrong == ["requests"]
    assert "made to fail" in told.checks["requests"]
    assert "-m pip install requests" in told.fixes
    assert told.states["endpoint"] == "skipped"
    assert project.receiver.requests == []


@pytest.mark.parametrize("obstacle", ["file", "link", "nowhere"])
def test_outbox_that_cannot_be_used(project: Checked, obstacle: str) -> None:
    if obstacle == "link":
        (project.folder / "elsewhere").mkdir()
        project.outbox.symlink_to(project.folder / "elsewhere")
    elif obstacle == "file":
        project.outbox.touch()
    outbox = Path("/proc/nowhere/outbox") if obstacle == "nowhere" else project.outbox

    told = project.check(CLOUDMONITOR_OUTBOX=str(outbox))

    assert told.wrong == ["outbox"]
    assert f"{outbox} cannot be used" in told.checks["outbox"]
    assert "Make it writable, or name another directory as outbox" in told.fixes
    assert told.states["test event"] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_outbox_of_another_user(project: Checked) -> None:
    project.outbox.mkdir(mode=0o700)
    os.chown(project.outbox, 12345, 12345)

    told = project.check()

    assert told.wrong == ["outbox"]
    assert "it belongs to another user" in told.checks["outbox"]


@pytest.mark.parametrize(
    ("fault", "said"), [("html", "not Cloud Monitor"), ("redirect", "redirect")]
)
@pytest.mark.parametrize("send", ["true", "false"])
def test_a_captive_portal(project: Checked, fault: str, said: str, send: str) -> None:
    project.receiver.set_faults([fault + "*inf"])

    told = project.check("-e", "cloudmonitor_check_send=" + send)

    assert told.wrong == ["endpoint"]
    assert said in told.checks["endpoint"]
    assert "login page" in told.fixes
    assert told.states["test event"] == "skipped"


@pytest.mark.parametrize("fault", ["status=500", "throttle"])
def test_a_service_in_trouble(project: Checked, fault: str) -> None:
    project.receiver.set_faults([fault + "*inf"])

    told = project.check()

    assert told.wrong == ["test event"]
    assert told.states["endpoint"] == "ok"


def test_a_failure_that_passes_does_not_count(project: Checked) -> None:
    project.receiver.set_faults(["status=503"])

    assert project.check().rc == 0


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CLOUDMONITOR_TIMEOUT", "soon", "timeout"),
        ("CLOUDMONITOR_TIMEOUT", "0", "timeout"),
        ("CLOUDMONITOR_NETWORK", "wlan", "one of public, vpc"),
        ("CLOUDMONITOR_SOURCE_IP", "me", "source_ip"),
        ("CLOUDMONITOR_VALIDATE_CERTS", "ture", "validate_certs comes from CLOUDMONITOR_VALIDATE"),
        ("CLOUDMONITOR_LINGER", "nan", "linger"),
        ("CLOUDMONITOR_GROUP_ID", "-1", "group_id"),
        ("CLOUDMONITOR_START_EVENT", " ", "start_event"),
        ("CLOUDMONITOR_FLUSH_TIMEOUT", "5s", "flush_timeout"),
        ("CLOUDMONITOR_REGION", "cn-beijing", "mean ALIBABA_CLOUD_REGION_ID"),
        ("CLOUDMONITOR_LINGR", "3", "mean CLOUDMONITOR_LINGER"),
    ],
)
def test_a_setting_that_cannot_be_used(
    project: Checked, variable: str, value: str, said: str
) -> None:
    told = project.check(warned=value in ("soon", "wlan", "5s"), **{variable: value})

    assert told.wrong == ["settings"], told.output
    assert said in told.fixes
    assert told.settings


def test_everything_that_is_wrong_is_told_at_once(project: Checked) -> None:
    project.outbox.touch()
    told = project.check(
        warned=True,
        CLOUDMONITOR_TIMEOUT="soon",
        CLOUDMONITOR_SOURCE_IP="me",
        CLOUDMONITOR_RETRIES="-1",
        CLOUDMONITOR_ENDPOINT="nonsense",
        CLOUDMONITOR_LINGER="-3",
        ALIBABA_CLOUD_ACCESS_KEY_ID=None,
    )

    assert told.wrong == ["settings", "AccessKey", "outbox"]
    for word in ("timeout", "source_ip", "retries", "endpoint", "linger", "ACCESS_KEY_ID"):
        assert word in told.fixes, word
    assert "8 of" not in told.output
    assert "7 of" in told.output


# Only the courier cannot import requests, as in an environment that it does not share.
NO_REQUESTS_FOR_THE_COURIER = """\
import sys

if any("courier_process" in word for word in sys.orig_argv):
    sys.modules["requests"] = None
"""


def test_a_courier_that_cannot_deliver_is_never_called_well(project: Checked) -> None:
    project.write("python/sitecustomize.py", NO_REQUESTS_FOR_THE_COURIER)
    python: dict[str, Any] = {"PYTHONPATH": str(project.folder / "python")}

    told = project.check(**python)
    without = project.check(**python, ANSIBLE_CONFIG=project.without()["ANSIBLE_CONFIG"])

    assert told.wrong == ["courier"]
    assert "requests cannot be imported" in told.checks["courier"]
    assert told.states["test event"] == "ok"
    assert (without.rc, without.states["courier"]) == (0, "note"), "only the callback needs it"
