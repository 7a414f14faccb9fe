# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a healthy run costs, in counts instead of seconds: imports, and calls that touch the disk.

Ansible compiles each file of a collection anew in every run, two milliseconds for each. All others
come from the code cache, half a millisecond for each. A file that is not needed by every run
belongs into the function that needs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cloudmonitor_receiver import Receiver

from ansible_collections.aliops.cloudmonitor.plugins.plugin_utils._outbox import (
    code_cache,
    courier_process,
)
from ansible_collections.aliops.cloudmonitor.tests.unit.plugins.plugin_utils.couriers import (
    IMPORTED_FROM,
    KEY_ID,
    SECRET,
)

PLUGINS = "ansible_collections.aliops.cloudmonitor.plugins."
BASE = {
    "module_utils._api": "connection credentials deadline endpoint errors event frozen names paths"
    " redact timestamp",
    "plugin_utils._deployment": "ci clock content events facts git options provenance",
    "plugin_utils._outbox": "announced courier_settings current dead_letters destination files"
    " history launch liveness overdue records status storage",
}
CALLBACK = {
    **BASE,
    "module_utils": "_options",
    "plugin_utils": "_config _environment",
    "plugin_utils._callback": "compat executor held_signals observer playbooks reporter stats",
    "plugin_utils._outbox": BASE["plugin_utils._outbox"] + " end_of_run writer",
}
# Python itself stores the code of these, if it may.
PLUGIN_FILES = {"callback.deployment_events", "doc_fragments.connection"}
BY_ANSIBLE = {"plugin_utils._environment", "plugin_utils._outbox.code_cache"}
COURIER = {
    "module_utils": "_version",
    "module_utils._api": "batch client connection credentials deadline endpoint errors event frozen"
    " names paths proxy redact response signature sockets timestamp transport",
    "plugin_utils._deployment": "clock content events",
    "plugin_utils._outbox": BASE["plugin_utils._outbox"] + " courier delivery log orphans pace"
    " sender signals waiting_time",
}
# Packages that are not Python's: two that requests brings, and those that urllib3 imports itself.
LIBRARIES = {"urllib3", "certifi", "socks", "brotli", "brotlicffi", "zstandard", "cryptography",
             "OpenSSL", "h2", "_cffi_backend", "backports"}  # fmt: skip
# In the outbox. "fsync": the name of the new folder, the journal twice and its name, the history.
CALLS = {"fsync": 5, "open": 9, "os.listdir": 2, "os.mkdir": 6, "os.remove": 4, "os.rename": 3,
         "os.scandir": 3}  # fmt: skip
# Of these, the calls that write current.json, unless the courier writes it at that moment.
CURRENT = {"open": 1, "os.remove": 1, "os.rename": 1}
_RUN = """
import atexit, collections, json, os, runpy, sys
root, pid, calls, compiled = sys.argv.pop(1), os.getpid(), collections.Counter(), []
def hook(name, args):
    if os.getpid() != pid or not args:
        return
    if name == "compile" and "/aliops/cloudmonitor/plugins/" in str(args[1]):
        path = str(args[1]).removesuffix(".py").partition("/plugins/")[2]
        compiled.append(path.replace("/", "."))
    if str(args[0]).startswith(root):
        reads = name == "open" and not args[2] & (os.O_WRONLY | os.O_RDWR)
        calls["read" if reads else name] += 1
sys.addaudithook(hook)
real_sync = os.fsync
def sync(descriptor):
    calls["fsync"] += 1
    real_sync(descriptor)
os.fsync = sync
def report():
    if os.getpid() == pid:
        with open("counts.json", "w") as file:
            json.dump([calls, sorted(sys.modules), compiled], file)
atexit.register(report)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
_PLAY = '[{"hosts": "all", "gather_facts": false, "tasks": [{"debug": {"msg": "one"}}]}]'


def names(packages: dict[str, str]) -> set[str]:
    return {f"{package}.{name}" for package, text in packages.items() for name in text.split()}


def own_files(modules: list[str], prefix: str) -> set[str]:
    """Return those of the modules that are files of ours, without their packages."""
    ours = {name.removeprefix(prefix) for name in modules if name.startswith(prefix)}
    return {one for one in ours if not any(other.startswith(one + ".") for other in ours)}


@pytest.fixture
def counts(tmp_path: Path, receiver: Receiver) -> list[Any]:
    """The calls, the modules and the compiled files of the second run on one outbox."""
    (tmp_path / "outbox").mkdir(mode=0o700)  # so that the first run stores its code
    (tmp_path / "play.yml").write_text(_PLAY)
    (tmp_path / "run.py").write_text(_RUN)
    environ = {
        **os.environ,
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(IMPORTED_FROM),
        "ANSIBLE_CALLBACKS_ENABLED": "aliops.cloudmonitor.deployment_events",
        "ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "CLOUDMONITOR_ENDPOINT": receiver.url,
        "CLOUDMONITOR_OUTBOX": str(tmp_path / "outbox"),
    }
    environ.pop("PYTHONPATH", None)
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))
    for _number in range(2):
        done = subprocess.run(
            [sys.executable, "run.py", str(tmp_path / "outbox"), ansible,
             "-i", "localhost,", "-c", "local", "play.yml"],
            cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert len(receiver.events) == 4
    found: list[Any] = json.loads((tmp_path / "counts.json").read_text())
    return found


def test_a_healthy_run_imports_and_calls_no_more_than_it_needs(counts: list[Any]) -> None:
    calls, modules, compiled = counts

    assert own_files(modules, PLUGINS) == PLUGIN_FILES | BY_ANSIBLE
    assert set(compiled) - PLUGIN_FILES == BY_ANSIBLE
    assert own_files(modules, code_cache.PACKAGE + ".") == names(CALLBACK)
    # How often files are read depends on how long the delivery takes.
    del calls["read"]
    assert calls in (CALLS, {name: CALLS[name] - CURRENT.get(name, 0) for name in CALLS})


def test_the_courier_imports_no_more_than_it_needs_for_its_first_request() -> None:
    script = Path(courier_process.__file__).absolute()
    code = (
        "import importlib, json, sys, types\n"
        "before = set(sys.modules)\n"
        f"package = types.ModuleType('P'); package.__path__ = [{str(script.parents[2])!r}]\n"
        "sys.modules['P'] = package\n"
        "importlib.import_module('P.plugin_utils._outbox.courier')\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    modules = json.loads(done.stdout)

    assert own_files(modules, "P.") == names(COURIER)
    others = {name.partition(".")[0] for name in modules} - {"P"} - sys.stdlib_module_names
    compiled = {name for name in others if "__mypyc" in name or "cython" in name}
    assert others - compiled <= LIBRARIES
