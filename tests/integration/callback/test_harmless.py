# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback does to the process of Ansible: no thread, no HTTP library, nothing at work."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from cloudmonitor_receiver import Credential, Receiver

from ansible_collections.aliops.cloudmonitor.tests.integration.callback.harness import (
    CALLBACK,
    FINISH,
    PRODUCT,
    START,
    Project,
    play,
    say,
    until,
)
from ansible_collections.aliops.cloudmonitor.tests.integration.conftest import (
    KEY_ID,
    SECRET,
    ansible_playbook,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.module_utils.loopback import (
    self_signed,
)

WITNESS = """\
import json, os, sys, threading
from pathlib import Path
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "witness"

    def v2_playbook_on_stats(self, stats):
        told = {"modules": sorted(sys.modules), "threads": threading.active_count()}
        told["files"] = [str(Path(link).resolve()) for link in Path("/proc/self/fd").iterdir()]
        Path(os.environ["WITNESS"]).write_text(json.dumps(told))
"""

# In a worker: a look-up of a name and a TLS handshake, as a task with uri does.
HANDSHAKE = """\
import socket, ssl
from ansible.plugins.lookup import LookupBase

class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        (port,) = terms
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection(("localhost", port), timeout=60) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as wrapped:
                return [wrapped.version()]
"""
FORKS, HOSTS, TASKS = 10, 10, 4


@pytest.mark.every_core
def test_no_thread_no_http_library_and_no_open_file_is_added_to_ansible(project: Project) -> None:
    project.receiver.set_faults(["status=500*inf"])
    project.write("callback_plugins/witness.py", WITNESS)
    project.write("site.yml", [play(say(), hosts="h1")])
    seen = {}
    for name, enabled in (("with", f"witness,{CALLBACK}"), ("without", "witness")):
        run = project.start(
            "site.yml",
            ANSIBLE_CALLBACKS_ENABLED=enabled,
            WITNESS=str(project.folder / name),
        )
        assert run.ended().may_warn().rc == 0
        seen[name] = json.loads((project.folder / name).read_text())

    assert seen["with"]["threads"] == seen["without"]["threads"]
    added = set(seen["with"]["modules"]) - set(seen["without"]["modules"])
    assert any(
        module.endswith("plugin_utils._callback.reporter") for module in added
    )  # it was there
    unwanted = ("requests", "urllib3", "http.client", "asyncio", "sqlite3", "concurrent.futures")
    assert [name for name in added if name.startswith(unwanted)] == []
    assert [path for path in seen["with"]["files"] if "outbox" in path] == []
    project.settled()
    assert len(project.waiting()) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a certificate and its key."""
    _context, path = self_signed(tmp_path)
    return path


def test_forks_with_dns_and_tls_in_them_never_hang_while_an_event_is_in_flight(
    project: Project, certificate: Path
) -> None:
    project.receiver.set_faults(["hang*inf"])
    hosts = "".join(f"n{number}\n" for number in range(HOSTS))
    project.write("hosts", f"[deployed]\n{hosts}[all:vars]\nansible_connection=local\n")
    project.write("lookup_plugins/handshake.py", HANDSHAKE)
    keys = [Credential(KEY_ID, SECRET)]
    key = str(certificate.with_name("key.pem"))
    with Receiver(keys, tls_cert=str(certificate), tls_key=key) as tls:
        handshake = f"{{{{ lookup('handshake', {tls.port}) }}}}"
        run = project.start(
            [play({**project.wait_task(), "run_once": True}, *[say(handshake)] * TASKS)],
            "-f", str(FORKS),
            CLOUDMONITOR_TIMEOUT="600", CLOUDMONITOR_FLUSH_TIMEOUT="0", CLOUDMONITOR_LINGER="60",
        )  # fmt: skip
        until(lambda: project.receiver.requests, "a request under way")
        project.release()
        ended = run.ended(300).may_warn()

    assert ended.rc == 0, ended.output
    assert ended.output.count("TLSv1") == HOSTS * TASKS
    (courier,) = project.couriers()  # it has been at it all the time
    project.receiver.set_faults([])
    os.kill(courier, signal.SIGTERM)
    project.settled()
    assert [event["event"] for event in project.events()] == [START, FINISH]


@pytest.mark.every_core
def test_the_progress_of_a_delivery_is_on_standard_error_and_in_the_log_of_ansible(
    project: Project,
) -> None:
    """A callback for standard output may print JSON there."""
    project.write("site.yml", [play(say(), project.wait_task(), hosts="h1")])
    command = f"{ansible_playbook()} site.yml -vv 2>errors >output"
    run = project.command("sh", "-c", command, ANSIBLE_LOG_PATH="log", LC_ALL="C.UTF-8")
    project.under_way()
    project.receiver.wait_for(1)
    project.release()

    assert run.ended().rc == 0
    errors, log = ((project.folder / name).read_text() for name in ("errors", "log"))
    shown = [line for line in errors.splitlines() if line.startswith(PRODUCT)]
    assert len([line for line in shown if " ended process " not in line]) == 4
    assert log.count(PRODUCT) == len(shown)
    assert PRODUCT not in (project.folder / "output").read_text()
    assert "deployment site: 2 events delivered to http://127.0.0.1:" in shown[-1]
